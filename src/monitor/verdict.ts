import type { Counts } from '../ledger/tallies.ts';
import { thresholdOf } from './burn.ts';
import type { Burn } from './burn.ts';
import { broken, round, within } from './objective.ts';
import type { Objective } from './objective.ts';

/**
 * How an objective stands: `met`; `burning` while a pair of windows says that the budget is being spent too fast; `missed`
 * when the window as a whole breaks the promise; `few` below the minimum of events, `no-data` without any.
 */
export type State = 'met' | 'burning' | 'missed' | 'few' | 'no-data';

/** What an objective is judged by. */
export interface Evidence {
  readonly objective: Objective;
  readonly minimum: number;
  /** Over the whole window. */
  readonly window: Counts;
  /** Each pair of windows with what was counted in them. */
  readonly burns: readonly { readonly burn: Burn; readonly short: Counts; readonly long: Counts }[];
  /** Seconds since the last good event, or since counting began where there was none. */
  readonly age: number;
}

export const NOTHING: Counts = { good: 0, bad: 0, seconds: 0 };

export function stateOf({ objective, minimum, window, burns, age }: Evidence): State {
  if (objective.measure === 'age') return within(objective, age) ? 'met' : 'missed';
  const total = window.good + window.bad;
  if (total === 0) return 'no-data';
  if (total < minimum) return 'few';
  if (objective.measure === 'average') return within(objective, window.seconds / total) ? 'met' : 'missed';
  if (broken(objective, window.bad, total)) return 'missed';
  return burns.some((one) => isBurning(one, objective, minimum)) ? 'burning' : 'met';
}

function isBurning(
  { burn, short, long }: Evidence['burns'][number],
  { budget = 0 }: Objective,
  minimum: number,
): boolean {
  const threshold = thresholdOf(burn, budget);
  const exceeds = ({ good, bad }: Counts): boolean => good + bad > 0 && bad / (good + bad) > threshold;
  return long.bad >= burn.fewest && long.good + long.bad >= minimum && exceeds(short) && exceeds(long);
}

/** What stands against the target: a share between 0 and 1, or seconds; undefined when there is nothing to tell. */
export function valueOf({ objective, window, age }: Evidence): number | undefined {
  if (objective.measure === 'age') return round(age);
  const total = window.good + window.bad;
  if (total === 0) return undefined;
  if (objective.measure === 'average') return round(window.seconds / total);
  const bad = window.bad / total;
  // Shown as the objective is written: of the good, or of the bad.
  return round(objective.name === 'errorRate' ? bad : 1 - bad);
}

/** The share of the budget that is left: 1 untouched, 0 spent, below 0 overspent; undefined where there is no budget. */
export function budgetLeft({ objective, window }: Evidence): number | undefined {
  const total = window.good + window.bad;
  if (objective.budget === undefined) return undefined;
  return total === 0 ? 1 : round(1 - window.bad / (objective.budget * total));
}
