import type { Facts, Outcome } from '../drivers/driver.ts';
import type { Key, Kind, Manifest } from '../manifest/manifest.ts';
import type { Observation } from '../plan/observation.ts';
import type { DesiredObject, LedgerView, Plan } from '../plan/types.ts';
import type { PassMemory } from './memory.ts';
import type { Pass } from './pass.ts';

/** What a pass knows when it ends. */
export interface Ended {
  readonly plan: Plan;
  readonly manifests: ReadonlyMap<Key, Manifest>;
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly supplies: PassMemory['supplies'];
  readonly unknown: ReadonlySet<Key>;
  readonly outcomes: readonly Outcome[];
  /** Whether everything that was to be looked at was seen. */
  readonly complete: boolean;
}

/** Closes a pass: what the next one need not look at again, and what it must. */
export function remember({ memory, only }: Pass, ended: Ended): void {
  const { plan, manifests, objects, supplies, unknown, outcomes, complete } = ended;
  if (!complete || only.length > 0) return memory.forget();
  memory.seen = manifests;
  memory.supplies = supplies;
  memory.unsettled.clear();
  for (const key of unknown) memory.unsettled.add(key);
  // What is left alone on purpose may still refer to what a commit takes away.
  for (const object of objects.values()) if (object.disabled) memory.unsettled.add(object.key);
  for (const { change } of plan.withheld) memory.unsettled.add(change.key);
  for (const outcome of outcomes) if (outcome.status !== 'applied') memory.unsettled.add(outcome.change.key);
  for (const key of memory.normal.keys()) if (!manifests.has(key)) memory.normal.delete(key);
}

/** Writes down which instance this was and what the account may do there, unless a person has to accept it first. */
export function rememberPlatform(pass: Pass, facts: Facts, view: LedgerView): void {
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

export function isComplete(observation: Observation, kinds: readonly Kind[]): boolean {
  return kinds.every((kind) => observation.listed.get(kind)?.state === 'complete');
}
