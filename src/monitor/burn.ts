import { round } from './objective.ts';

/** One pair of windows: when both spend the budget faster than `factor` times what would just last, somebody is told. */
export interface Burn {
  readonly severity: 'page' | 'ticket';
  /** Seconds. */
  readonly short: number;
  readonly long: number;
  /** Share of the whole budget that is gone when `factor` has held for the long window. */
  readonly spent: number;
  readonly factor: number;
  /**
   * Bad events that the long window must have. At a rate that just lasts, so many would come together by chance about
   * once in ten thousand windows: without them, two unlucky runs of an idle workflow would wake somebody.
   */
  readonly fewest: number;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** The pairs for a period of 30 days (SRE workbook, chapter 5). */
const PAIRS = [
  { severity: 'page', short: 5 * MINUTE, long: HOUR, spent: 0.02, fewest: 5 },
  { severity: 'page', short: 30 * MINUTE, long: 6 * HOUR, spent: 0.05, fewest: 8 },
  { severity: 'ticket', short: 2 * HOUR, long: DAY, spent: 0.1, fewest: 5 },
  { severity: 'ticket', short: 6 * HOUR, long: 3 * DAY, spent: 0.1, fewest: 5 },
] as const;
const USUAL = 30 * DAY;
/** Periods below this get shorter windows; others the usual ones and other factors. */
const SHORT_PERIOD = 14 * DAY;

/**
 * The pairs of windows for a period, in seconds. For two weeks and more the windows are the usual ones and the factor follows:
 * share of the budget × period ÷ long window, and never below 1, which no lasting rate exceeds. For shorter periods windows
 * shrink with the period and the factors stay. `scale` shrinks everything, so that tests need not wait for hours.
 */
export function burnsOf(period: number, scale = 1): readonly Burn[] {
  const shrink = (period < SHORT_PERIOD ? period / USUAL : 1) * scale;
  return PAIRS.map(({ short, long, spent, ...pair }) => ({
    ...pair,
    spent,
    short: Math.max(1, Math.round(short * shrink)),
    long: Math.max(2, Math.round(long * shrink)),
    factor: Math.max(1, round((spent * (period < SHORT_PERIOD ? USUAL : period)) / long)),
  }));
}

/**
 * The share of bad events above which a pair says that the budget is being spent too fast. Where the factor would ask for more
 * than can be bad (six times a budget of 20 %), halfway between the budget and everything.
 */
export function thresholdOf({ factor }: Burn, budget: number): number {
  return round(Math.min(factor * budget, (1 + budget) / 2));
}

/** Seconds of a window such as `30d`. */
export function periodOf(window: string): number {
  return Number(window.slice(0, -1)) * DAY;
}

/** Seconds as Prometheus writes durations: `5m`, `1h`, `3d`, `90s`. */
export function promDuration(seconds: number): string {
  for (const [unit, size] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', MINUTE],
  ] as const)
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}
