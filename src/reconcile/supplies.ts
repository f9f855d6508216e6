import type { Driver, Refusal } from '../drivers/driver.ts';
import type { Key, Manifest } from '../manifest/manifest.ts';
import type { Match, Matches } from '../plan/matches.ts';
import type { Change, DesiredObject, Lack, Notice, Plan } from '../plan/types.ts';
import type { PassMemory } from './memory.ts';

/** What tells of the objects of a pass what they lack. */
export interface Sighting {
  readonly plan: Plan;
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  readonly matches: Matches;
  /** What the driver's preflight found bearable. */
  readonly bearable: readonly Refusal[];
  readonly driver: Pick<Driver, 'writeOnly'>;
}

const NO_VALUES: Lack = {
  message: 'git gives no values for it, and nobody has filled it in on the platform.',
  remedy: 'Fill it in there, or give spec.settings and spec.secrets in git.',
};

/**
 * What each object that stands, or is about to, lacks on the platform, by key. Of what is about to be written the preflight tells,
 * of everything else the listing that the pass makes anyway: it costs no request (law 10).
 */
export function suppliesIn(sighting: Sighting): ReadonlyMap<Key, readonly Notice[]> {
  const { plan, objects, matches } = sighting;
  const changes = new Map(plan.stages.flat().map((change) => [change.key, change]));
  const found = new Map<Key, readonly Notice[]>();
  for (const desired of objects.values()) {
    const match = matches.of.get(desired.key);
    const lacks = lacksOf(desired, { match, change: changes.get(desired.key) }, sighting);
    if (lacks.length > 0)
      found.set(
        desired.key,
        lacks.map((lack) => noticeOf(desired, lack, match)),
      );
  }
  return found;
}

/** What the pass itself did not look at lacks what it lacked before. */
export function allSupplies(
  memory: PassMemory,
  found: ReadonlyMap<Key, readonly Notice[]>,
  { looked, manifests }: { looked: ReadonlySet<Key> | undefined; manifests: ReadonlyMap<Key, Manifest> },
): ReadonlyMap<Key, readonly Notice[]> {
  if (looked === undefined) return found;
  const kept = [...memory.supplies].filter(([key]) => !looked.has(key) && manifests.has(key));
  return new Map([...kept, ...found]);
}

function lacksOf(
  desired: DesiredObject,
  { match, change }: { readonly match: Match | undefined; readonly change: Change | undefined },
  { bearable, driver }: Sighting,
): readonly Lack[] {
  const empty = desired.kind === 'Integration' && isEmpty(desired, driver);
  if (change !== undefined) {
    const named = bearable.filter(({ key }) => key === desired.key);
    const shell = empty && change.verb === 'create' ? [NO_VALUES] : [];
    return [...named.map(({ because, remedy }) => ({ message: because, remedy })), ...shell];
  }
  const observed = match?.observed;
  if (observed === undefined || match?.blocked !== undefined) return [];
  // Some platforms take the time of the change before that of the creation.
  const untouched = (observed.changedAt ?? Infinity) <= (observed.createdAt ?? 0);
  const shell = empty && untouched && match?.owned?.how === 'created' ? [NO_VALUES] : [];
  return [...(observed.lacks ?? []), ...shell];
}

/** Whether a connection of which the platform shows no values is given none by git either. */
function isEmpty({ secretHashes, isCode }: DesiredObject, { writeOnly }: Pick<Driver, 'writeOnly'>): boolean {
  return isCode === undefined && writeOnly?.Integration !== undefined && Object.keys(secretHashes).length === 0;
}

function noticeOf({ key, kind, title, origin }: DesiredObject, lack: Lack, match: Match | undefined): Notice {
  const remote = match?.observed?.remote;
  return { kind, title, code: 'to-supply', key, origin, ...lack, ...(remote === undefined ? {} : { remote }) };
}
