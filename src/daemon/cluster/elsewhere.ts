import type { KubeObject } from '../../kube/object.ts';
import { STATUS_LIMITS } from '../../manifest/status-schema.ts';
import type { SyncStatus } from '../../report/status.ts';
import type { Engine } from '../engine.ts';
import { anchorOf } from './authorship.ts';
import type { ClusterState } from './cluster.ts';
import { statusOf } from './conditions.ts';
import type { Stand } from './conditions.ts';
import { nameIn } from './names.ts';
import { standOn } from './sync-status.ts';
import type { TargetStanding } from './sync-status.ts';

/** How a Sync stands on a Platform, as it lies in the Platform's status. */
interface SyncOnPlatform {
  readonly sync: string;
  readonly generation: number;
  readonly state: Stand['state'];
  readonly reason: string;
  readonly message: string;
  readonly revision?: string;
  readonly lastChange?: string;
  readonly counts: SyncStatus['counts'];
}

/**
 * How Syncs stand that use a Platform but belong to another one's shard, or to their own: told in the Platform's status, by whoever holds the Platform,
 * for whoever writes the Sync's.
 */
export class Elsewhere {
  readonly #state: ClusterState;
  readonly #engine: Engine;

  constructor(state: ClusterState, engine: Engine) {
    this.#state = state;
    this.#engine = engine;
  }

  /** What the status of a Platform says of Syncs; undefined where there is nothing to say. */
  syncsOn(platform: KubeObject): readonly SyncOnPlatform[] | undefined {
    const { roster, reporter } = this.#engine;
    const name = nameIn(platform);
    const before = entriesOf(platform);
    const entries = roster.onPlatform(name).flatMap((target): readonly SyncOnPlatform[] => {
      const object = this.#state.objects('Sync').get(target.sync.replace('.', '/'));
      if (object === undefined || anchorOf(object) === name) return [];
      if (!target.progress.attempted) return before.filter(({ sync }) => sync === target.sync);
      const { generation = 0 } = object.metadata;
      const status = reporter.status(target);
      const { revision, lastChange, counts } = status;
      return [
        {
          sync: target.sync,
          generation,
          ...standOn({ status, pending: false }),
          ...(revision === undefined ? {} : { revision }),
          ...(lastChange === undefined ? {} : { lastChange }),
          counts,
        },
      ];
    });
    const sorted = entries.toSorted((a, b) => (a.sync < b.sync ? -1 : 1)).slice(0, STATUS_LIMITS.syncs);
    return sorted.length === 0 ? undefined : sorted;
  }

  /** How a Sync stands on a Platform that another replica holds, or held until now. */
  standing(sync: KubeObject, platform: string): TargetStanding {
    const object = this.#state.objects('Platform').get(platform.replace('.', '/'));
    const name = nameIn(sync);
    const entry = object === undefined ? undefined : entriesOf(object).find((one) => one.sync === name);
    const pending = entry?.generation !== sync.metadata.generation;
    return { status: statusIn(entry, { sync: name, platform }), pending };
  }

  /** Platforms that others hold on which a Sync has not given up yet what it owns. */
  left(sync: string): readonly string[] {
    return [...this.#state.objects('Platform').values()]
      .filter((platform) => !this.#engine.holds(nameIn(platform)))
      .filter((platform) => entriesOf(platform).some((one) => one.sync === sync))
      .map(nameIn);
  }
}

/** Whether two states of a Platform tell different things of Syncs. */
export function tellsNews(before: KubeObject, after: KubeObject): boolean {
  return JSON.stringify(entriesOf(before)) !== JSON.stringify(entriesOf(after));
}

function entriesOf(platform: KubeObject): readonly SyncOnPlatform[] {
  return (statusOf(platform)['syncs'] ?? []) as readonly SyncOnPlatform[];
}

const NO_COUNTS = { owned: 0, changed: 0, drifted: 0, withheld: 0, problems: 0, supply: 0 };

function statusIn(
  entry: SyncOnPlatform | undefined,
  scope: { readonly sync: string; readonly platform: string },
): SyncStatus {
  const lists = { problems: [], withheld: [], supply: [], inventory: [] };
  if (entry === undefined) return { ...scope, conditions: [], counts: NO_COUNTS, ...lists };
  const { state, reason, message, revision, lastChange, counts } = entry;
  const condition = (type: 'Ready' | 'Stalled', holds: boolean) =>
    ({ type, status: holds ? 'True' : 'False', reason, message, lastTransitionTime: '' }) as const;
  return {
    ...scope,
    ...(revision === undefined ? {} : { revision }),
    ...(lastChange === undefined ? {} : { lastChange }),
    conditions: [condition('Ready', state === 'ready'), condition('Stalled', state === 'stalled')],
    counts: { ...NO_COUNTS, ...counts },
    ...lists,
  };
}
