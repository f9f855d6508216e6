import type { Execution } from '../apply/execute.ts';
import type { Problem } from '../errors.ts';
import type { Facts, Outcome, Step } from '../drivers/driver.ts';
import { KINDS, type Desired, type JsonObject, type Key, type Kind, type Manifest } from '../manifest/manifest.ts';
import { build, restrict, withhold } from '../plan/build.ts';
import { match, type Matches, type Reason } from '../plan/match.ts';
import { Observation, kindOf, remoteKey } from '../plan/observation.ts';
import type { Change, DesiredObject, LedgerView, Owned, Plan } from '../plan/types.ts';
import { review } from '../policy/review.ts';
import type { Pass } from './pass.ts';
import type { Snapshot } from '../source/source.ts';
import { contentOf, normalizeAll, secretsOf } from './desired.ts';
import { compareContents, contents, look, onlyThese } from './observed.ts';
import { scopeOf } from './scope.ts';

/** A plan together with what carrying it out takes. */
export interface PlannedPass {
  readonly plan: Plan;
  readonly look: 'full' | 'commit';
  readonly problems: readonly Problem[];
  readonly execution: Execution;
  /** Writes down which instance this was and what the account may do there, when that is settled. */
  rememberPlatform(): void;
  /** Closes the pass: what the next one need not look at again. */
  remember(outcomes: readonly Outcome[]): void;
}

/** Compares what git wants with what the platform has, and makes the plan that policy and platform let through. */
export async function planPass(
  pass: Pass,
  what: { snapshot: Snapshot; desired: Desired },
  signal: AbortSignal,
): Promise<PlannedPass> {
  const { driver, ledger, terms, memory } = pass;
  const scope = { sync: pass.sync, platform: pass.platform };
  const manifests: ReadonlyMap<Key, Manifest> = terms.retire === undefined ? what.desired.manifests : new Map();
  const keys = scopeOf(pass, manifests);
  const inScope = keys === undefined ? manifests.values() : [...keys].flatMap((key) => manifests.get(key) ?? []);
  const normalized = await normalizeAll(inScope, pass, signal);
  const problems = [...what.snapshot.problems, ...what.desired.problems, ...normalized.problems];
  const view = ledger.view(scope, keys === undefined ? undefined : [...keys]);
  const objects = normalized.objects;
  const idFor = (key: Key) => driver.idFor?.(terms.owner, key);
  const observation = new Observation({
    desired: objects,
    ledger: view,
    owners: new Set([terms.owner, ...terms.previousOwners]),
    idFor,
  });
  let facts = memory.facts ?? (await driver.probe(signal));
  const at =
    keys === undefined
      ? { kinds: kindsToLookAt(facts, pass, view) }
      : onlyThese(keys, knownOf(keys, { objects, view, idFor }));
  await look(driver, at, observation, signal);
  const matches = match({ desired: objects, observation, ledger: view, terms, idFor });
  const desiredContent = (key: Key): Promise<JsonObject> => contentOf(required(manifests, key), driver, signal);
  const differences = await compareContents(matches, { driver, observation, desired: desiredContent }, signal);
  const unknown = unknownOf(what, normalized.unknown, view);
  const draft = () =>
    build({
      ...scope,
      revision: what.snapshot.revision,
      terms,
      desired: objects,
      unknown,
      hasErrors: problems.some((problem) => problem.severity === 'error'),
      observation,
      matches,
      differences,
      ledger: view,
      facts,
      marks: driver.marks,
      totals: { desired: manifests.size, owned: keys === undefined ? view.owned.size : ledger.ownedCount(scope) },
      now: pass.clock(),
    });
  let drafted = draft();
  if (drafted.stages.length > 0 && facts === memory.facts) {
    // Before anything is written the platform is asked again who it is and what this account may do.
    facts = await driver.probe(signal);
    drafted = draft();
  }
  memory.facts = facts;
  const content = executionOf(pass, { manifests, objects, view, observation, matches, signal });
  const allowed = withhold(drafted, review(drafted, pass.rules, pass.clock()));
  const plan = restrict(withhold(allowed, await refusals(pass, allowed, content, signal)), pass.only);
  return {
    plan,
    look: keys === undefined ? 'full' : 'commit',
    problems: normalized.problems,
    execution: content,
    rememberPlatform: () => rememberPlatform(pass, facts, view),
    remember: (outcomes) =>
      remember(pass, {
        plan,
        manifests,
        unknown: unknown.keys,
        outcomes,
        complete: keys !== undefined || isComplete(observation, at.kinds),
      }),
  };
}

/** Kinds this Sync governs or owns objects of, as far as the platform can show them. */
function kindsToLookAt({ capabilities }: Facts, pass: Pass, view: LedgerView): Kind[] {
  const owned = new Set([...view.owned.keys()].map(kindOf));
  return KINDS.filter(
    (kind) =>
      (pass.terms.kinds.includes(kind) || owned.has(kind)) &&
      Object.values(capabilities[kind]).some((support) => typeof support === 'string'),
  );
}

function knownOf(
  keys: ReadonlySet<Key>,
  from: { objects: ReadonlyMap<Key, DesiredObject>; view: LedgerView; idFor(key: Key): string | undefined },
) {
  const ids = [...keys].flatMap((key) => from.idFor(key) ?? []);
  return {
    remotes: [...new Set([...[...from.view.owned.values()].map((owned) => owned.remote), ...ids])],
    titles: [...from.objects.values()].map((object) => object.title),
  };
}

/** Keys nobody can speak for: broken texts, secrets that are missing, and what lay in a file that was refused. */
function unknownOf(what: { snapshot: Snapshot; desired: Desired }, failed: ReadonlySet<Key>, view: LedgerView) {
  const refused = new Set(what.snapshot.problems.map((problem) => problem.origin.file));
  const hidden = [...view.owned.values()].filter((owned) => refused.has(owned.file)).map((owned) => owned.key);
  return { keys: new Set([...what.desired.unknown.keys, ...failed, ...hidden]), kinds: what.desired.unknown.kinds };
}

/** What the platform would refuse or could not survive, found before the first write (law 13). */
async function refusals(pass: Pass, plan: Plan, execution: Execution, signal: AbortSignal): Promise<Map<Key, Reason>> {
  const changes = plan.stages.flat();
  if (pass.driver.preflight === undefined || changes.length === 0) return new Map();
  const steps: Step[] = changes.map((change) => ({
    change,
    owner: plan.owner,
    desired: () => execution.desired(change),
    secrets: () => execution.secrets(change),
  }));
  const refused = await pass.driver.preflight(steps, signal);
  return new Map(refused.map(({ key, because, remedy }) => [key, { code: 'refused-by-platform', because, remedy }]));
}

interface Parts {
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly view: LedgerView;
  readonly observation: Observation;
  readonly matches: Matches;
  readonly signal: AbortSignal;
}

function executionOf(pass: Pass, parts: Parts): Execution {
  const { driver } = pass;
  return {
    driver,
    journal: pass.ledger.journal({ sync: pass.sync, platform: pass.platform }),
    clock: pass.clock,
    desired: (change) => contentOf(required(parts.manifests, change.key), driver, parts.signal),
    secrets: async (change) => {
      const values = await secretsOf(required(parts.manifests, change.key), pass);
      const names = 'secrets' in change ? change.secrets : [];
      return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
    },
    owned: (change, remote) => ownedAfter(change, remote, parts),
    observed: async (changes, signal) => {
      const wanted = changes.flatMap((change) =>
        'remote' in change ? [{ key: change.key, kind: change.kind, remote: change.remote.id }] : [],
      );
      const found = await contents(wanted, { driver, observation: parts.observation }, signal);
      return new Map(
        wanted.flatMap(({ key, kind, remote }) => {
          const object = found.get(remoteKey(kind, remote));
          return object === undefined ? [] : [[key, object]];
        }),
      );
    },
  };
}

function ownedAfter(change: Change, remote: string, { objects, view, matches, manifests }: Parts): Owned {
  const object = objects.get(change.key);
  const before = matches.of.get(change.key)?.owned ?? view.owned.get(change.key);
  const claimed = matches.of.get(change.key)?.observed?.marker?.how;
  return {
    key: change.key,
    remote,
    title: change.title,
    fingerprint: 'fingerprint' in change ? change.fingerprint : '',
    secretHashes: object?.secretHashes ?? {},
    how: change.verb === 'adopt' ? 'adopted' : (before?.how ?? claimed ?? 'created'),
    dependsOn: change.dependsOn,
    file: change.origin?.file ?? before?.file ?? '',
    revision: manifests.get(change.key)?.origin.commit ?? '',
    allowDataLoss: object?.allowDataLoss ?? false,
  };
}

function rememberPlatform(pass: Pass, facts: Facts, view: LedgerView): void {
  const accepted = pass.terms.approvals.instance === true;
  const sameInstance = view.instance === undefined || view.instance === facts.instance;
  const noNarrower = (view.rights ?? []).every((right) => facts.rights.includes(right));
  if (!accepted && !(sameInstance && noNarrower)) return;
  if (view.instance === facts.instance && view.rights?.join(' ') === facts.rights.join(' ')) return;
  pass.ledger.rememberPlatform(pass.platform, {
    rights: facts.rights,
    ...(facts.instance === undefined ? {} : { instance: facts.instance }),
  });
}

interface Ended {
  readonly plan: Plan;
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly unknown: ReadonlySet<Key>;
  readonly outcomes: readonly Outcome[];
  /** Whether everything that was to be looked at was seen. */
  readonly complete: boolean;
}

function remember({ memory, only }: Pass, { plan, manifests, unknown, outcomes, complete }: Ended): void {
  if (!complete || only.length > 0) return memory.forget();
  memory.seen = new Map([...manifests].map(([key, manifest]) => [key, manifest.fingerprint]));
  memory.unsettled.clear();
  for (const key of unknown) memory.unsettled.add(key);
  for (const { change } of plan.withheld) memory.unsettled.add(change.key);
  for (const outcome of outcomes) if (outcome.status !== 'applied') memory.unsettled.add(outcome.change.key);
  for (const key of memory.normal.keys()) if (!manifests.has(key)) memory.normal.delete(key);
}

function isComplete(observation: Observation, kinds: readonly Kind[]): boolean {
  return kinds.every((kind) => observation.listed.get(kind)?.state === 'complete');
}

function required(manifests: ReadonlyMap<Key, Manifest>, key: Key): Manifest {
  const manifest = manifests.get(key);
  if (manifest === undefined) throw new Error(`${key} has no manifest in this revision`);
  return manifest;
}
