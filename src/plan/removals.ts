import type { Kind } from '../manifest/manifest.ts';
import { holdsMembers } from './access.ts';
import { titleKey } from './claims.ts';
import { target, type DecideContext, type Decision } from './decision.ts';
import { createIntents, mayBeFrom } from './intents.ts';
import type { Reason } from './match-reasons.ts';
import { kindOf, remoteKey } from './observation.ts';
import type { RemovalInput } from './removal-input.ts';
import type { Change, Intent, LedgerRecord, Observed, Owned } from './types.ts';

/**
 * One decision per owned object that no manifest mentions; ownership in the ledger is the only licence to delete. `lost`
 * is why what a listing lacks may be there all the same.
 */
export function removals(input: RemovalInput, context: DecideContext, lost?: Reason): Decision[] {
  const renamed = new Set([...input.matches.of.values()].map((match) => match.from));
  const decisions: Decision[] = [];
  const matched = new Set(
    [...input.matches.of.values()].map(({ observed }) => observed && remoteKey(observed.kind, observed.remote)),
  );
  for (const owned of input.ledger.owned.values()) {
    if (input.desired.has(owned.key) || renamed.has(owned.key)) continue;
    if (input.unknown.keys.has(owned.key)) {
      decisions.push({ drifted: false, holdsOn: owned.dependsOn });
      continue;
    }
    const observed = input.observation.objects.get(remoteKey(kindOf(owned.key), owned.remote));
    const livesOn = observed !== undefined && matched.has(remoteKey(observed.kind, observed.remote));
    // A rename that was cut off between its two entries in the ledger lives on under its new key; what is gone is gone.
    if (livesOn || (observed === undefined && context.provesAbsence(kindOf(owned.key)))) decisions.push(forget(owned));
    else if (observed !== undefined) decisions.push(remove(owned, observed, input, context));
    else if (lost !== undefined && input.observation.listed.get(kindOf(owned.key))?.state === 'complete')
      decisions.push(doubtful(owned, lost));
  }
  return decisions;
}

/**
 * Objects that an interrupted create left, whose manifest has gone meanwhile: they enter the ledger, so that they are
 * removed like everything else that we made.
 */
export function leftovers(input: RemovalInput, context: DecideContext): LedgerRecord[] {
  const open = [...createIntents(input.ledger.intents).values()].filter(
    ({ key }) => !input.desired.has(key) && !input.ledger.owned.has(key),
  );
  if (open.length === 0) return [];
  const free = unmarkedByTitle(input);
  const meant = Map.groupBy(open, titleOf);
  // By the same proofs by which its manifest would find it.
  const marked = ({ key }: Intent): readonly Observed[] =>
    input.matches.others.filter(({ marker }) => marker?.key === key && marker.owner === context.terms.owner);
  const unmarked = (intent: Intent): readonly Observed[] => {
    const title = titleOf(intent);
    const isSure =
      meant.get(title)?.length === 1 && input.observation.listed.get(kindOf(intent.key))?.state === 'complete';
    return isSure ? (free.get(title) ?? []).filter((observed) => mayBeFrom(intent, observed)) : [];
  };
  return open.flatMap((intent): LedgerRecord[] => {
    const candidates = context.marks(kindOf(intent.key)) ? marked(intent) : unmarked(intent);
    const [observed] = candidates;
    if (observed === undefined || candidates.length > 1) return [];
    const owned: Owned = {
      key: intent.key,
      remote: observed.remote,
      title: observed.title,
      fingerprint: intent.fingerprint ?? observed.fingerprint,
      secretHashes: {},
      how: 'created',
      dependsOn: [],
      file: '',
      revision: context.revision,
      allowDataLoss: false,
    };
    return [{ record: 'own', owned }];
  });
}

function titleOf({ key, title }: Intent): string {
  return titleKey({ kind: kindOf(key), title });
}

/** Objects that nobody is known to own and that say of none whose they are. */
function unmarkedByTitle({ ledger, matches }: RemovalInput): ReadonlyMap<string, readonly Observed[]> {
  const known = new Set([...ledger.owned.values()].map((one) => remoteKey(kindOf(one.key), one.remote)));
  const free = matches.others.filter(({ kind, remote, marker }) => {
    const id = remoteKey(kind, remote);
    return marker === undefined && !known.has(id) && !ledger.ownedByOthers.has(id);
  });
  return Map.groupBy(free, titleKey);
}

function forget(owned: Owned): Decision {
  return { record: { record: 'forget', key: owned.key }, drifted: false };
}

/** Gone, it seems; who owns it is not forgotten on the strength of that alone. */
function doubtful(owned: Owned, reason: Reason): Decision {
  const remote = { id: owned.remote, version: '' };
  return { change: { ...base(owned), verb: 'delete', cause: 'removed', remote }, reason, drifted: false };
}

function remove(owned: Owned, observed: Observed, input: RemovalInput, context: DecideContext): Decision {
  const other = otherOwner(observed, context);
  if (context.terms.retire === 'Orphan' || context.terms.release.includes(owned.key)) {
    // The marker of another owner is not ours to take away.
    if (other !== undefined) return forget(owned);
    return { change: { ...base(owned), verb: 'release', cause: 'released', ...target(observed) }, drifted: false };
  }
  const change: Change = {
    ...base(owned),
    verb: 'delete',
    cause: 'removed',
    ...target(observed),
    ...(observed.holds === undefined ? {} : { holds: observed.holds }),
    ...(isAccess(kindOf(owned.key)) ? { revokes: true as const } : {}),
  };
  const reason =
    takenOver(owned, other) ??
    unproven(owned, observed, context) ??
    holdsMembers(owned, observed, input, context) ??
    dataLoss(owned, observed);
  return reason === undefined ? { change, drifted: false } : { change, reason, drifted: false };
}

function isAccess(kind: Kind): boolean {
  return kind === 'AccessGrant' || kind === 'AccessRole';
}

function base(owned: Owned) {
  return { key: owned.key, kind: kindOf(owned.key), title: owned.title, dependsOn: owned.dependsOn };
}

function otherOwner({ marker }: Observed, { terms }: DecideContext): string | undefined {
  if (marker === undefined || marker.owner === terms.owner || terms.previousOwners.includes(marker.owner))
    return undefined;
  return marker.owner;
}

function takenOver(owned: Owned, other: string | undefined): Reason | undefined {
  if (other === undefined) return undefined;
  return {
    code: 'foreign-owner',
    because: `${owned.key} says that it belongs to ${other} now, so it is not deleted.`,
    remedy: `Run "plumbline release ${owned.key}" to let go of it.`,
  };
}

/** Platforms give the ids of deleted objects to new ones: neither marker nor title says that this is still ours. */
function unproven(owned: Owned, observed: Observed, context: DecideContext): Reason | undefined {
  if (!context.marks(observed.kind) || observed.marker !== undefined || observed.title === owned.title)
    return undefined;
  return {
    code: 'unproven-ownership',
    because: `what stands where ${owned.key} stood ("${observed.title}", ${observed.remote}) has neither its title nor its marker.`,
    remedy: `Remove it on the platform if it is to go, or run "plumbline release ${owned.key}".`,
  };
}

function dataLoss(owned: Owned, observed: Observed): Reason | undefined {
  if (observed.holds === undefined || owned.allowDataLoss) return undefined;
  return {
    code: 'data-loss',
    because: `deleting ${owned.key} would lose ${observed.holds}.`,
    remedy:
      'Put the manifest back with the annotation "plumbline.dev/allow-data-loss: \\"true\\"", let it apply, then remove it; or release it.',
  };
}
