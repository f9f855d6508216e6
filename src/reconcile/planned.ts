import type { Execution } from '../apply/execution.ts';
import type { Problem } from '../errors.ts';
import type { Facts, Outcome } from '../drivers/driver.ts';
import { KINDS, type Desired, type Key, type Kind, type Manifest } from '../manifest/manifest.ts';
import { build, restrict, withhold, type PlanInput } from '../plan/build.ts';
import { match } from '../plan/match.ts';
import type { Match, Matches } from '../plan/matches.ts';
import { Observation, kindOf } from '../plan/observation.ts';
import type { DesiredObject, LedgerView, Notice, Plan, WithheldCode } from '../plan/types.ts';
import type { Snapshot } from '../source/source.ts';
import { permitted } from './asked.ts';
import { claimedTwice } from './claimed.ts';
import { isComplete, remember, rememberPlatform } from './closing.ts';
import { contentOf, normalizeAll, type Normalized } from './desired.ts';
import { executionOf, foresee, required, valuesFor } from './execution.ts';
import { compareContents, look, onlyThese } from './observed.ts';
import type { Pass } from './pass.ts';
import { scopeOf } from './scope.ts';
import { allSupplies, suppliesIn } from './supplies.ts';

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
  what: { snapshot: Snapshot; desired: Desired; facts: Promise<Facts> },
  signal: AbortSignal,
): Promise<PlannedPass> {
  const { driver, terms } = pass;
  const manifests: ReadonlyMap<Key, Manifest> = terms.retire === undefined ? what.desired.manifests : new Map();
  const partly = scopeOf(pass, manifests);
  let seen = await lookAt(pass, { ...what, manifests, keys: partly }, signal);
  if (partly !== undefined && [...seen.matches.of.values()].some((one) => needsAll(one, pass)))
    seen = await lookAt(pass, { ...what, manifests, keys: undefined }, signal);
  const { objects, view, observation, matches, normalized, keys } = seen;
  const problems = [...what.snapshot.problems, ...what.desired.problems, ...normalized.problems];
  const differences = await compareContents(
    matches,
    {
      driver,
      observation,
      desired: (key) => contentOf(required(manifests, key), { ...pass, values: valuesFor(key, normalized) }, signal),
      redact: (text) => pass.secrets.redact(text),
    },
    signal,
  );
  const unknown = terms.retire === undefined ? unknownOf(what, normalized.unknown, view) : NOTHING_UNKNOWN;
  const { plan: drafted, facts } = await draft(pass, seen.facts, signal, {
    sync: pass.sync,
    platform: pass.platform,
    revision: what.snapshot.revision,
    terms,
    desired: objects,
    unknown,
    hasErrors: problems.some((problem) => problem.severity === 'error'),
    observation,
    matches,
    differences,
    ledger: view,
    marks: driver.marks,
    totals: totalsOf(pass, manifests, seen),
    now: pass.clock(),
  });
  const { values } = normalized;
  const content = executionOf(pass, { manifests, objects, values, view, observation, matches, signal });
  const allowed = await permitted(pass, drafted, { manifests, values }, signal);
  const { refused, bearable } = await foresee(pass, allowed, content, signal);
  const bare = restrict(withhold(allowed, refused), pass.only);
  const found = suppliesIn({ plan: bare, objects, matches, bearable, driver });
  const supplies = allSupplies(pass.memory, found, { looked: keys, manifests });
  const plan = { ...bare, notices: [...bare.notices, ...locksIn(bare, objects), ...[...supplies.values()].flat()] };
  const complete = isComplete(observation, seen.kinds);
  return {
    plan,
    look: keys === undefined ? 'full' : 'commit',
    problems: normalized.problems,
    execution: content,
    rememberPlatform: () => rememberPlatform(pass, facts, view),
    remember: (outcomes) =>
      remember(pass, { plan, manifests, objects, supplies, unknown: unknown.keys, outcomes, complete }),
  };
}

/** What would run from now on: a change that makes an object shows no fields. */
function locksIn({ stages }: Plan, objects: ReadonlyMap<Key, DesiredObject>): readonly Notice[] {
  return stages.flat().flatMap(({ key, kind, title, verb, origin }): readonly Notice[] => {
    const { lock } = objects.get(key) ?? {};
    if (lock === undefined || (verb !== 'create' && verb !== 'adopt')) return [];
    const message = `its code will be locked to ${lock}.`;
    const remedy = 'It stays so, whatever is pushed there, until git changes its ref or "plumbline repin" moves it.';
    return [{ code: 'code-locked', key, kind, title, message, remedy, ...(origin === undefined ? {} : { origin }) }];
  });
}

const NOTHING_UNKNOWN: PlanInput['unknown'] = { keys: new Set(), kinds: new Set() };

interface Seen {
  /** What was looked at; everything when undefined. */
  readonly keys: ReadonlySet<Key> | undefined;
  readonly kinds: readonly Kind[];
  readonly normalized: Normalized;
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly view: LedgerView;
  readonly observation: Observation;
  readonly matches: Matches;
  readonly facts: Facts;
}

interface Looking {
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly keys: ReadonlySet<Key> | undefined;
  readonly facts: Promise<Facts>;
}

async function lookAt(pass: Pass, { manifests, keys, ...what }: Looking, signal: AbortSignal): Promise<Seen> {
  const { driver, ledger, terms } = pass;
  const inScope = keys === undefined ? [...manifests.values()] : [...keys].flatMap((key) => manifests.get(key) ?? []);
  const view = ledger.view({ sync: pass.sync, platform: pass.platform }, keys === undefined ? undefined : [...keys]);
  // Asked first: what a platform says of itself may be part of what its objects are.
  const facts = await what.facts;
  const normalized = await normalizedOf(inScope, { pass, view }, signal);
  const { objects } = normalized;
  const idFor = (key: Key) => driver.idFor?.(terms.owner, key);
  const owners = new Set([terms.owner, ...terms.previousOwners]);
  const observation = new Observation({ desired: objects, ledger: view, owners, idFor });
  const at =
    keys === undefined
      ? { kinds: kindsToLookAt(facts, pass, view) }
      : onlyThese(keys, knownOf(keys, { objects, view, idFor }));
  await look(driver, at, observation, signal);
  const matches = match({ desired: objects, observation, ledger: view, terms, marks: driver.marks, idFor });
  return { keys, kinds: at.kinds, normalized, objects, view, observation, matches, facts };
}

/** Normalises what this Sync may claim; what another one owns is a problem, and nothing is done to it. */
async function normalizedOf(
  manifests: readonly Manifest[],
  { pass, view }: { pass: Pass; view: LedgerView },
  signal: AbortSignal,
): Promise<Normalized> {
  const { free, problems } = claimedTwice(manifests, view, { owner: pass.terms.owner, platform: pass.platform });
  const remoteOf = (key: Key) => view.owned.get(key)?.remote ?? remoteOwned(pass, key);
  const { objects, ...rest } = await normalizeAll(free, { ...pass, remoteOf }, signal);
  const claimed = problems.flatMap(({ key }) => (key === undefined ? [] : [key as Key]));
  return {
    objects,
    values: rest.values,
    problems: [...problems, ...rest.problems],
    unknown: new Set([...rest.unknown, ...claimed]),
  };
}

/** The id of an object that was not looked at. */
function remoteOwned({ ledger, sync, platform }: Pass, key: Key): string | undefined {
  const owner = ledger.owners.of(platform, key);
  return owner?.sync === sync ? owner.remote : undefined;
}

/** Whether a look at a few objects is not enough to tell: who else claims it, or could be meant, is not among them. */
function needsAll({ desired, by, blocked }: Match, { memory }: Pass): boolean {
  if (blocked !== undefined) return !memory.unsettled.has(desired.key);
  return by !== undefined && by !== 'ledger' && by !== 'id';
}

/** What is withheld because of what the platform said of itself, which it may have taken back. */
const OF_FACTS: ReadonlySet<WithheldCode> = new Set(['instance-changed', 'rights-narrowed', 'vanished', 'unsupported']);

/** The plan, drawn up with what the platform says of itself now wherever that may make a difference (law 3). */
async function draft(
  pass: Pass,
  known: Facts,
  signal: AbortSignal,
  input: Omit<PlanInput, 'facts'>,
): Promise<{ plan: Plan; facts: Facts }> {
  const { memory, driver } = pass;
  let facts = known;
  let plan = build({ ...input, facts });
  const believes =
    plan.records.length > 0 || plan.withheld.some(({ change, code }) => change.verb === 'create' || OF_FACTS.has(code));
  if (facts === memory.facts && (plan.stages.length > 0 || believes)) {
    facts = await driver.probe(signal);
    plan = build({ ...input, facts });
  }
  memory.facts = facts;
  return { plan, facts };
}

function totalsOf({ ledger, sync, platform }: Pass, manifests: ReadonlyMap<Key, Manifest>, seen: Seen) {
  const { keys, view } = seen;
  const isAccess = (key: Key) => kindOf(key) === 'AccessGrant' || kindOf(key) === 'AccessRole';
  const owned = [...view.owned.keys()].filter(isAccess);
  if (keys === undefined) return { desired: manifests.size, owned: view.owned.size, access: owned.length };
  // What was not looked at is in order, and so is owned.
  const access = new Set([...owned, ...[...manifests.keys()].filter((key) => isAccess(key) && !keys.has(key))]);
  return { desired: manifests.size, owned: ledger.ownedCount({ sync, platform }), access: access.size };
}

/** Kinds this Sync governs or owns objects of, as far as the platform can show them; with roles go those who have them. */
function kindsToLookAt({ capabilities }: Facts, pass: Pass, view: LedgerView): Kind[] {
  const kinds = new Set<Kind>([...pass.terms.kinds, ...[...view.owned.keys()].map(kindOf)]);
  if (kinds.has('AccessRole')) kinds.add('AccessGrant');
  return KINDS.filter(
    (kind) => kinds.has(kind) && Object.values(capabilities[kind]).some((support) => typeof support === 'string'),
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
