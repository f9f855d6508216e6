import { execute } from '../apply/execute.ts';
import type { Execution } from '../apply/execution.ts';
import { ReconcilerError } from '../errors.ts';
import type { Driver, Outcome, Step } from '../drivers/driver.ts';
import type { ArchivedCopy } from '../ledger/archive.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import { differences } from '../plan/diff.ts';
import { remoteKey } from '../plan/observation.ts';
import type { Change, Owned, Plan, RemoteObject } from '../plan/types.ts';
import type { RestoreResult } from './operations.ts';
import type { Target } from './target.ts';

export interface Restoration {
  readonly copy: ArchivedCopy;
  readonly target: Target;
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly clock: () => number;
}

/**
 * Puts an archived copy back on the platform. What is there now is archived first, by the same way as in a pass. An
 * owned object is held from then on: passes leave it alone until git changes it, or a person resumes it. An object that
 * was given up comes back as nobody's: owned, the next pass would delete it again.
 * @throws ReconcilerError when the platform refuses or cannot be reached; then nothing was written, or it says so.
 */
export async function restoreCopy(restoration: Restoration, signal: AbortSignal): Promise<RestoreResult> {
  const { copy, target, driver, ledger } = restoration;
  const owned = ledger.view(target, [copy.key]).owned.get(copy.key);
  const value = driver.normalize(copy.kind, copy.value());
  const present = await presentObject(restoration, owned?.remote ?? copy.remote, signal);
  const change = changeFor(restoration, { owned, value, present });
  const told = { sync: copy.sync, platform: copy.platform, key: copy.key, restored: copy.id };
  if (change === undefined) {
    if (owned !== undefined) await hold(restoration, owned);
    return {
      ...told,
      message: `${copy.key} stands as archived in ${copy.id} already${owned === undefined ? '.' : ', and is held as it is.'}`,
    };
  }
  await refuse(driver, stepFor(restoration, change, value), signal);
  if (owned === undefined) {
    refuseForeign(restoration, change, present);
    const replaced = keepPresent(restoration, present);
    for await (const outcome of driver.apply([stepFor(restoration, change, value)], signal)) thrown(outcome);
    return {
      ...told,
      ...(replaced === undefined ? {} : { replaced }),
      message: `${copy.key} is on the platform again, owned by nobody: bring its manifest back, with adoption, to have it reconciled.`,
    };
  }
  const replaced = await writeOwned(restoration, { change, value, owned, present }, signal);
  return {
    ...told,
    ...(replaced === undefined ? {} : { replaced }),
    message: `${copy.key} stands as archived in ${copy.id}, and is held until git changes it or \`plumbline resume ${copy.key}\`.`,
  };
}

/** What is on the platform under this id now. */
async function presentObject(
  { copy, driver }: Restoration,
  remote: string,
  signal: AbortSignal,
): Promise<RemoteObject | undefined> {
  const look = { kinds: [copy.kind], only: { remotes: [remote], titles: [] } };
  let found: RemoteObject | undefined;
  for await (const item of driver.observe(look, signal)) {
    if ('listed' in item) {
      if (!item.complete && found === undefined) {
        throw new ReconcilerError(
          `What is on ${copy.platform} now cannot be told: ${item.because ?? 'the listing did not end'}.`,
          'backoff',
          { code: 'listing-incomplete', remedy: 'Try again.' },
        );
      }
    } else if (item.kind === copy.kind && item.remote === remote) found = item;
  }
  return found;
}

interface Found {
  readonly owned: Owned | undefined;
  readonly value: JsonObject;
  readonly present: RemoteObject | undefined;
}

/** The change that brings the copy back; undefined when it stands already. */
function changeFor({ copy, target }: Restoration, { owned, value, present }: Found): Change | undefined {
  const base = {
    key: copy.key,
    kind: copy.kind,
    title: copy.title,
    cause: 'changed',
    dependsOn: owned?.dependsOn ?? [],
    // What git wants stays what it is; the marker goes on saying so.
    fingerprint: owned === undefined ? '' : wantedFingerprint(target, owned),
    secrets: [],
  } as const;
  if (present === undefined) return { ...base, verb: 'create' };
  const { diff, more } = differences(present.value, value);
  const [first, ...others] = diff;
  if (first === undefined) return undefined;
  return {
    ...base,
    verb: 'update',
    remote: { id: present.remote, version: present.version },
    diff: [first, ...others],
    moreFields: more,
    overwritesDrift: true,
  };
}

/** The fingerprint that git wants now, as far as a pass has seen it; else the one applied last. */
function wantedFingerprint({ memory }: Target, owned: Owned): string {
  return memory.normal.get(owned.key)?.fingerprint ?? owned.fingerprint;
}

function held({ target }: Restoration, owned: Owned): Owned {
  const fingerprint = wantedFingerprint(target, owned);
  return { ...owned, fingerprint, heldFingerprint: fingerprint };
}

async function hold(restoration: Restoration, owned: Owned): Promise<void> {
  const journal = restoration.ledger.journalOf(restoration.target);
  journal.record([{ record: 'own', owned: held(restoration, owned) }]);
  await journal.conclude?.();
}

function stepFor({ target }: Restoration, change: Change, value: JsonObject): Step {
  return { change, owner: target.terms.owner, desired: async () => value, secrets: async () => ({}) };
}

async function refuse(driver: Driver, step: Step, signal: AbortSignal): Promise<void> {
  const found = (await driver.preflight?.([step], signal)) ?? [];
  const refusal = found.find(({ bearable }) => bearable !== true);
  if (refusal !== undefined) {
    throw new ReconcilerError(`The copy cannot be put back: ${refusal.because}`, 'never', {
      code: 'refused',
      remedy: refusal.remedy,
    });
  }
}

/** An object that was given up may belong to somebody else by now. */
function refuseForeign({ target, ledger }: Restoration, change: Change, present: RemoteObject | undefined): void {
  const { ownedByOthers, keysOfOthers } = ledger.view(target, [change.key]);
  const sync =
    keysOfOthers?.get(change.key)?.sync ??
    (present === undefined ? undefined : ownedByOthers.get(remoteKey(present.kind, present.remote)));
  const owner = sync === undefined ? present?.marker?.owner : `the Sync ${sync}`;
  if (owner === undefined || owner === target.terms.owner) return;
  throw new ReconcilerError(`${change.key} belongs to ${owner} now, so the copy is not put back.`, 'never', {
    code: 'foreign-owner',
    remedy: 'Restore a copy that its owner has archived, or change it in the source of its owner.',
  });
}

/** Archives what an unowned object is before it is overwritten. @returns the archive id. */
function keepPresent({ copy, target, ledger }: Restoration, present: RemoteObject | undefined): string | undefined {
  if (present === undefined) return undefined;
  const { kind, remote, title, value, changedBy, changedAt } = present;
  const [kept] = ledger.journal(target).archive([
    {
      key: copy.key,
      kind,
      remote,
      title,
      value,
      reason: 'drift',
      revision: copy.revision,
      ...(changedBy === undefined ? {} : { changedBy }),
      ...(changedAt === undefined ? {} : { changedAt }),
    },
  ]);
  return kept;
}

/** Writes an owned object the way a pass does: intent, archive, write, settlement. @returns the archive id of what was there. */
async function writeOwned(
  restoration: Restoration,
  what: Found & { readonly change: Change; readonly owned: Owned },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { ledger, target, driver, clock, copy } = restoration;
  const { change, value, owned, present } = what;
  const execution: Execution = {
    driver,
    journal: ledger.journalOf(target),
    idFor: (key) => driver.idFor?.(target.terms.owner, key),
    clock,
    desired: async () => value,
    secrets: async () => ({}),
    owned: (_, remote) => ({ ...held(restoration, owned), remote, title: copy.title }),
    observed: async () => new Map(present === undefined ? [] : [[copy.key, present]]),
  };
  let replaced: string | undefined;
  for await (const { outcome, archived } of execute(planFor(restoration, change), execution, signal)) {
    thrown(outcome);
    replaced = archived;
  }
  return replaced;
}

function planFor({ copy, target }: Restoration, change: Change): Plan {
  const counts = { desired: 1, owned: 1, inSync: 0, drifted: 0 };
  const lists = { stages: [[change]], withheld: [], notices: [], records: [] };
  return {
    format: 1,
    sync: copy.sync,
    platform: copy.platform,
    owner: target.terms.owner,
    revision: copy.revision,
    ...lists,
    counts,
    fingerprint: '',
  };
}

function thrown(outcome: Outcome): void {
  if (outcome.status === 'failed') throw outcome.error;
  if (outcome.status === 'skipped')
    throw new ReconcilerError(`The copy was not put back: ${outcome.because}.`, 'backoff', { remedy: 'Try again.' });
}
