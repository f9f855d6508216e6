import { partsOf } from '../../src/manifest/pointer.ts';
import { KINDS, type JsonObject, type Key, type Kind } from '../../src/manifest/manifest.ts';
import { build, type PlanInput } from '../../src/plan/build.ts';
import { differences, type Differences } from '../../src/plan/diff.ts';
import { fingerprint, without } from '../../src/plan/fingerprint.ts';
import { match } from '../../src/plan/match.ts';
import { Observation, kindOf } from '../../src/plan/observation.ts';
import type { Terms } from '../../src/plan/terms.ts';
import type {
  Capabilities,
  Change,
  DesiredObject,
  Intent,
  LedgerView,
  Owned,
  Owner,
  Plan,
  RemoteObject,
  Support,
  Verb,
  Withheld,
} from '../../src/plan/types.ts';

export const OWNER: Owner = 'default/orders';
export const MINUTE = 60_000;
/** A moment well after everything else in these tests. */
export const NOW = Date.UTC(2026, 5, 1, 12);

/** What git wants, next to the content it wants. */
export interface Wish extends DesiredObject {
  readonly value: JsonObject;
}

export function want(key: Key, value: JsonObject = {}, more: Partial<DesiredObject> = {}): Wish {
  const name = key.slice(key.indexOf('/') + 1);
  const ignore = more.ignore ?? [];
  return {
    key,
    kind: kindOf(key),
    title: name,
    fingerprint: fingerprint(value, ignore),
    secretHashes: {},
    renamedFrom: [],
    dependsOn: [],
    origin: { file: `${name}.yaml`, line: 1, column: 1 },
    ignore,
    disabled: false,
    allowDataLoss: false,
    exclusive: false,
    ...more,
    value,
  };
}

/** An object on the platform, without a marker unless told. */
export function there(
  kind: Kind,
  remote: string,
  value: JsonObject = {},
  more: Partial<RemoteObject> = {},
): RemoteObject {
  return { kind, remote, title: remote, value, version: `v-${remote}`, ...more };
}

/** An object on the platform that carries the marker of `key`; its remote id and title are the name unless told. */
export function ours(key: Key, value: JsonObject = {}, more: Partial<RemoteObject> = {}): RemoteObject {
  const name = key.slice(key.indexOf('/') + 1);
  return there(kindOf(key), name, value, { marker: { owner: OWNER, key }, ...more });
}

/** A ledger entry; the remote id is the name unless told, `value` what was last applied. */
export function owned(key: Key, value: JsonObject = {}, more: Partial<Owned> = {}): Owned {
  const name = key.slice(key.indexOf('/') + 1);
  return {
    key,
    remote: name,
    title: name,
    fingerprint: fingerprint(value),
    secretHashes: {},
    how: 'created',
    dependsOn: [],
    file: `${name}.yaml`,
    revision: 'r0',
    allowDataLoss: false,
    ...more,
  };
}

export function termsWith(more: Partial<Terms> = {}): Terms {
  return {
    owner: OWNER,
    previousOwners: [],
    gracePeriod: 10 * MINUTE,
    adopt: 'refuse',
    prune: { enabled: true, maxDeletions: { percent: 100 }, maxRevocations: { percent: 100 } },
    exclusive: false,
    kinds: KINDS,
    release: [],
    approvals: {},
    ...more,
  };
}

export function capabilitiesWith(special: Partial<Record<Kind, Support>> = {}): Capabilities {
  const verbs: readonly Verb[] = ['create', 'update', 'adopt', 'release', 'delete'];
  const all = (support: Support) => Object.fromEntries(verbs.map((verb) => [verb, support]));
  return Object.fromEntries(KINDS.map((kind) => [kind, all(special[kind] ?? 'manage')])) as Capabilities;
}

/** A whole situation; everything that is not said is empty, or in order. */
export interface Scene {
  readonly git?: readonly Wish[];
  readonly platform?: readonly RemoteObject[];
  readonly ledger?: readonly Owned[];
  readonly intents?: readonly Intent[];
  readonly view?: Partial<LedgerView>;
  readonly terms?: Partial<Terms>;
  readonly unknownKeys?: readonly Key[];
  readonly unknownKinds?: readonly Kind[];
  readonly hasErrors?: boolean;
  /** Kinds whose listing broke off. */
  readonly partial?: readonly Kind[];
  readonly marks?: readonly Kind[];
  readonly facts?: Partial<PlanInput['facts']>;
  readonly totals?: Partial<PlanInput['totals']>;
  readonly now?: number;
  /** No content can be read after the listing. */
  readonly unreadable?: boolean;
  readonly idFor?: (key: Key) => string | undefined;
}

export function planOf(scene: Scene): Plan {
  const git = scene.git ?? [];
  const desired = new Map(git.map((wish) => [wish.key, wish]));
  const terms = termsWith(scene.terms);
  const ledger: LedgerView = {
    owned: new Map((scene.ledger ?? []).map((one) => [one.key, one])),
    ownedByOthers: new Map(),
    intents: scene.intents ?? [],
    ...scene.view,
  };
  const idFor = scene.idFor ?? (() => undefined);
  const marks = scene.marks ?? (['Application', 'AccessRole', 'Workflow'] as const);
  const owners = new Set([terms.owner, ...terms.previousOwners]);
  const observation = new Observation({ desired, ledger, owners, idFor });
  for (const object of scene.platform ?? []) observation.add(object);
  for (const kind of KINDS) {
    const broke = scene.partial?.includes(kind) === true;
    observation.listed.set(kind, broke ? { state: 'partial', because: 'page 2 did not load' } : { state: 'complete' });
  }
  const matches = match({ desired, observation, ledger, terms, marks, idFor });
  const found = new Map<Key, Differences>();
  for (const { desired: wish, observed } of matches.of.values()) {
    if (scene.unreadable === true || observed === undefined || observed.fingerprint === wish.fingerprint) continue;
    const object = scene.platform?.find((one) => one.kind === observed.kind && one.remote === observed.remote);
    const strip = (value: JsonObject) =>
      wish.ignore.reduce((rest, path) => without(rest, partsOf(path)) as JsonObject, value);
    if (object !== undefined) found.set(wish.key, differences(strip(object.value), strip((wish as Wish).value)));
  }
  return build({
    sync: 'orders',
    platform: 'automation',
    revision: 'r1',
    terms,
    desired,
    unknown: { keys: new Set(scene.unknownKeys), kinds: new Set(scene.unknownKinds) },
    hasErrors: scene.hasErrors ?? false,
    observation,
    matches,
    differences: found,
    ledger,
    facts: { rights: [], capabilities: capabilitiesWith(), ...scene.facts },
    marks,
    totals: { desired: git.length, owned: ledger.owned.size, ...scene.totals },
    now: scene.now ?? NOW,
  });
}

export function dueOf(plan: Plan): Change[] {
  return plan.stages.flat();
}

/** What a plan would do, in words: `create Workflow/a`, in order. */
export function does(plan: Plan): string[] {
  return dueOf(plan).map((change) => `${change.verb} ${change.key}`);
}

/** What a plan holds back, in words: `create Workflow/a: vanished`. */
export function withholds(plan: Plan): string[] {
  return plan.withheld.map(({ change, code }) => `${change.verb} ${change.key}: ${code}`);
}

export function withheldOf(plan: Plan, key: Key): Withheld | undefined {
  return plan.withheld.find(({ change }) => change.key === key);
}
