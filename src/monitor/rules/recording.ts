import { burnsOf, periodOf, promDuration } from '../burn.ts';
import { matching } from './rule.ts';
import type { RecordingRule, RuleGroup } from './rule.ts';

/** What a series of a service level is known by; the rest (which process was scraped) is summed up. */
export const SERIES = 'platform, service_level, objective, object, within, window';
const EVENTS = 'plumbline_service_level_events_total';
const SECONDS = 'plumbline_service_level_seconds_total';
/** The same counters, one sample in five minutes. */
const SAMPLED = {
  [EVENTS]: 'plumbline:service_level_events:sampled',
  [SECONDS]: 'plumbline:service_level_seconds:sampled',
};

const MINUTE = 60;
const HOUR = 3600;
/** What is sampled rarely, and the windows that are long enough to be made of it. */
const RARELY = 5 * MINUTE;
const LONG = 6 * HOUR;

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

/** Seconds of a whole window such as `30d`. */
export function wholeOf(window: string, scale: number): number {
  return Math.max(2, Math.round(periodOf(window) * scale));
}

/**
 * What every alert of service levels with this window is made of: events and bad ones over each span that is looked at, and their
 * ratio. One rule serves all of them, because the labels tell them apart. Ratios are of whole events, never averages of ratios, and
 * divide only by what is more than nothing: an idle stretch gives no result, instead of a NaN that would stay in everything made
 * of it. Long spans are made of counters sampled every five minutes: a month of scrapes would be read over and over otherwise.
 */
export function recordingGroups(window: string, scale: number): readonly RuleGroup[] {
  const period = periodOf(window);
  const averages = new Set([...averageWindows(period, scale), wholeOf(window, scale)]);
  const spans = [
    ...new Set([...burnsOf(period, scale).flatMap(({ short, long }) => [short, long]), wholeOf(window, scale)]),
  ]
    .toSorted((a, b) => a - b)
    .map((seconds) => ({
      seconds,
      rules: rulesOver(seconds, window, { long: seconds >= LONG * scale, average: averages.has(seconds) }),
    }));
  const long = spans.filter(({ seconds }) => seconds >= LONG * scale);
  return [
    ...spans
      .filter((span) => !long.includes(span))
      .map(({ seconds, rules }): RuleGroup => ({
        name: `plumbline-service-levels-${window}-over-${promDuration(seconds)}`,
        interval: promDuration(intervalOf(seconds, scale)),
        rules,
      })),
    {
      name: `plumbline-service-levels-${window}-over-long`,
      interval: promDuration(Math.max(1, Math.round(RARELY * scale))),
      rules: [...sampled(window), ...long.flatMap(({ rules }) => rules)],
    },
  ];
}

/** First in their group: what is made of them in the same turn sees them. */
function sampled(window: string): readonly RecordingRule[] {
  return [
    { record: SAMPLED[EVENTS], expr: `${EVENTS}${matching({ window })}` },
    { record: SAMPLED[SECONDS], expr: `${SECONDS}${matching({ window, objective: 'averageDuration' })}` },
  ];
}

function rulesOver(
  seconds: number,
  window: string,
  { long, average }: { readonly long: boolean; readonly average: boolean },
): readonly RecordingRule[] {
  const { events, bad, ratio, average: mean } = recorded(seconds);
  const own = matching({ window });
  const increase = (of: keyof typeof SAMPLED, labels: Readonly<Record<string, string>>): string =>
    `sum by (${SERIES}) (increase(${long ? SAMPLED[of] : of}${matching({ window, ...labels })}[${promDuration(seconds)}]))`;
  const timed = { objective: 'averageDuration' };
  return [
    { record: events, expr: increase(EVENTS, {}) },
    { record: bad, expr: increase(EVENTS, { result: 'bad' }) },
    { record: ratio, expr: `${bad}${own} / (${events}${own} > 0)` },
    ...(average
      ? [{ record: mean, expr: `${increase(SECONDS, timed)} / (${events}${matching({ window, ...timed })} > 0)` }]
      : []),
  ];
}

/** A tenth of the span, between half a minute and five minutes: what changes slowly need not be looked at often. */
function intervalOf(seconds: number, scale: number): number {
  const slow = Math.max(1, Math.round(RARELY * scale));
  const fast = Math.max(1, Math.round(30 * scale));
  return Math.min(slow, Math.max(fast, Math.round(seconds / 10)));
}
