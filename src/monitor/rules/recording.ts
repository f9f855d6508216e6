import { burnsOf, periodOf, promDuration } from '../burn.ts';
import type { Level } from '../levels.ts';
import { matching } from './rule.ts';
import type { RecordingRule, RuleGroup } from './rule.ts';

/** What a series of a service level is known by; the rest (which process was scraped) is summed up. */
const SERIES = 'platform, service_level, objective, object, within, window';
const EVENTS = 'plumbline_service_level_events_total';
const SECONDS = 'plumbline_service_level_seconds_total';

/** Names of what is recorded over a window of so many seconds. */
export function recorded(seconds: number) {
  const window = promDuration(seconds);
  return {
    events: `plumbline:service_level_events:increase${window}`,
    bad: `plumbline:service_level_bad_events:increase${window}`,
    ratio: `plumbline:service_level_bad_ratio:increase${window}`,
    average: `plumbline:service_level_average_seconds:increase${window}`,
  };
}

/** Windows over which averages are looked at: the long ones of pages. */
export function averageWindows(period: number, scale: number): readonly number[] {
  return burnsOf(period, scale).flatMap(({ severity, long }) => (severity === 'page' ? [long] : []));
}

/**
 * What every alert is made of: events and bad ones over each window that a service level looks at, and their ratio. One rule serves
 * all service levels, because the labels tell them apart. Ratios are of whole events, never averages of ratios, and divide only by
 * what is more than nothing: an idle stretch gives no result, instead of a NaN that would stay in everything made of it.
 */
export function recordingGroups(levels: readonly Level[], scale: number): readonly RuleGroup[] {
  const windows = new Map<string, Set<number>>();
  const shared = new Set<number>();
  for (const { spec } of levels) {
    const period = periodOf(spec.window);
    for (const { short, long } of burnsOf(period, scale)) shared.add(short).add(long);
    windows.set(spec.window, (windows.get(spec.window) ?? new Set()).add(Math.max(2, Math.round(period * scale))));
  }
  const averages = new Set(
    levels
      .filter(({ parsed }) => parsed.some(({ measure }) => measure === 'average'))
      .flatMap(({ spec }) => {
        const period = periodOf(spec.window);
        return [...averageWindows(period, scale), Math.max(2, Math.round(period * scale))];
      }),
  );
  const groups = [...shared]
    .toSorted((a, b) => a - b)
    .map((seconds) => groupOf(seconds, '', averages.has(seconds), scale));
  const whole = [...windows].flatMap(([window, periods]) =>
    [...periods].map((seconds) => groupOf(seconds, window, averages.has(seconds), scale)),
  );
  return [...groups, ...whole];
}

/** `window`: only service levels that keep their budget over it; all when empty. */
function groupOf(seconds: number, window: string, average: boolean, scale: number): RuleGroup {
  const range = promDuration(seconds);
  const { events, bad, ratio, average: mean } = recorded(seconds);
  const own = window === '' ? {} : { window };
  const select = matching(own);
  const rules: RecordingRule[] = [
    { record: events, expr: `sum by (${SERIES}) (increase(${EVENTS}${select}[${range}]))` },
    { record: bad, expr: `sum by (${SERIES}) (increase(${EVENTS}${matching({ ...own, result: 'bad' })}[${range}]))` },
    { record: ratio, expr: `${bad}${select} / (${events}${select} > 0)` },
  ];
  if (average) {
    const timed = matching({ ...own, objective: 'averageDuration' });
    rules.push({
      record: mean,
      expr: `sum by (${SERIES}) (increase(${SECONDS}${timed}[${range}])) / (${events}${timed} > 0)`,
    });
  }
  return {
    name: `plumbline-service-levels-${window === '' ? '' : 'window-'}${range}`,
    interval: promDuration(intervalOf(seconds, scale)),
    rules,
  };
}

/** A tenth of the window, between half a minute and five minutes: what changes slowly need not be looked at often. */
function intervalOf(seconds: number, scale: number): number {
  const slow = Math.max(1, Math.round(300 * scale));
  const fast = Math.max(1, Math.round(30 * scale));
  return Math.min(slow, Math.max(fast, Math.round(seconds / 10)));
}
