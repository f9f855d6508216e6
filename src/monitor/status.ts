import type { Standing } from './judge.ts';
import { syncOf } from './levels.ts';
import type { State } from './verdict.ts';

/**
 * How one objective of a service level stands for one object, as `plumbline status` and `/api/v1/service-levels` show it. Times are
 * RFC 3339 in UTC.
 */
export interface ServiceLevelStatus {
  readonly sync: string;
  readonly platform: string;
  readonly serviceLevel: string;
  readonly title: string;
  readonly objective: string;
  /** `_other` for those that are counted together. */
  readonly object: string;
  /** As it is written: `> 99%`. */
  readonly target: string;
  /** Such as `30d`. */
  readonly window: string;
  readonly state: State;
  /** What stands against the target: a share between 0 and 1, or seconds; absent while there is nothing to tell. */
  readonly now?: number;
  readonly unit: 'share' | 'seconds';
  /** 1 untouched, 0 spent, below 0 overspent; absent where there is no budget. */
  readonly budgetLeft?: number;
  /** Events in the window. */
  readonly good: number;
  readonly bad: number;
  /** Since when it stands so. */
  readonly since: string;
  /** What the source was at when it turned bad. */
  readonly revision?: string;
}

export function statusesOf(standings: readonly Standing[]): readonly ServiceLevelStatus[] {
  return standings
    .map(({ placed, state, value, budgetLeft, good, bad, since, revision }) => ({
      sync: syncOf(placed.of),
      platform: placed.platform,
      serviceLevel: placed.level,
      title: placed.of.spec.title,
      objective: placed.objective,
      object: placed.object,
      target: placed.measures.text,
      window: placed.of.spec.window,
      state,
      ...(value === undefined ? {} : { now: value }),
      unit: placed.measures.measure === 'events' ? ('share' as const) : ('seconds' as const),
      ...(budgetLeft === undefined ? {} : { budgetLeft }),
      good,
      bad,
      since: new Date(since).toISOString(),
      ...(revision === undefined ? {} : { revision }),
    }))
    .toSorted((a, b) => (wordOf(a) < wordOf(b) ? -1 : 1));
}

function wordOf({ platform, serviceLevel, objective, object }: ServiceLevelStatus): string {
  return [platform, serviceLevel, objective, object].join('\n');
}
