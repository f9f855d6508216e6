import { burnsOf, periodOf, promDuration } from '../burn.ts';
import { matching } from './rule.ts';
import type { RecordingRule, RuleGroup } from './rule.ts';

/** What a series of a service level is known by; the rest (which process was scraped) is summed up. */
export const SERIES = 'platform, service_level, objective, object, within, window';
const EVENTS = 'plumbline_service_level_events_total';
const SECONDS = 'plumbline_service_level_seconds_total';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 24 * HOUR;

/** A sampling of the counters: how often, in seconds, and the spans that are long enough to be made of it, from so many seconds on. */
interface Sampling {
  readonly name: string;
  readonly every: number;
  readonly from: number;
}
/** Below the five minutes for which Prometheus takes a sample for the present, by what evaluating a group may take: alerts would flap. */
const RARELY = 4 * MINUTE;
/** The rarest first. */
const SAMPLINGS: readonly Sampling[] = [
  { name: 'hourly', every: HOUR, from: 3 * DAY },
  { name: 'sampled', every: RARELY, from: 2 * HOUR },
];

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
 * of it. Long spans are made of counters sampled every four minutes, and those of days of counters sampled every hour: a month of
 * scrapes would be read over and over otherwise. Counters, and not increases: they lose nothing while Prometheus is away.
 */
export function recordingGroups(window: string, scale: number): readonly RuleGroup[] {
  const period = periodOf(window);
  const averages = new Set([...averageWindows(period, scale), wholeOf(window, scale)]);
  const spans = [
    ...new Set([...burnsOf(period, scale).flatMap(({ short, long }) => [short, long]), wholeOf(window, scale)]),
  ]
    .toSorted((a, b) => a - b)
    .map((seconds) => {
      const sampling = SAMPLINGS.find(({ from }) => seconds >= from * scale);
      return { seconds, sampling, rules: rulesOver(seconds, window, { sampling, average: averages.has(seconds) }) };
    });
  const group = (name: string, seconds: number, rules: RuleGroup['rules']): RuleGroup => ({
    name: `plumbline-service-levels-${window}-${name}`,
    interval: promDuration(Math.max(1, Math.round(seconds * scale))),
    rules,
  });
  const long = spans.filter(({ sampling }) => sampling !== undefined).flatMap(({ rules }) => rules);
  return [
    ...spans
      .filter(({ sampling }) => sampling === undefined)
      .map(({ seconds, rules }) => group(`over-${promDuration(seconds)}`, intervalOf(seconds / scale), rules)),
    ...SAMPLINGS.filter(({ every }) => every > RARELY).map(({ name, every }) =>
      group(name, every, sampled(name, window)),
    ),
    group('over-long', RARELY, [...sampled('sampled', window), ...long]),
  ];
}

function sampleOf(of: typeof EVENTS | typeof SECONDS, sampling: string): string {
  return `plumbline:${of.replace(/^plumbline_(.*)_total$/, '$1')}:${sampling}`;
}

/** First in their group: what is made of them in the same turn sees them. */
function sampled(name: string, window: string): readonly RecordingRule[] {
  return [
    { record: sampleOf(EVENTS, name), expr: `${EVENTS}${matching({ window })}` },
    { record: sampleOf(SECONDS, name), expr: `${SECONDS}${matching({ window, objective: 'averageDuration' })}` },
  ];
}

function rulesOver(
  seconds: number,
  window: string,
  { sampling, average }: { readonly sampling: Sampling | undefined; readonly average: boolean },
): readonly RecordingRule[] {
  const { events, bad, ratio, average: mean } = recorded(seconds);
  const own = matching({ window });
  const increase = (of: typeof EVENTS | typeof SECONDS, labels: Readonly<Record<string, string>>): string => {
    const counter = sampling === undefined ? of : sampleOf(of, sampling.name);
    return `sum by (${SERIES}) (increase(${counter}${matching({ window, ...labels })}[${promDuration(seconds)}]))`;
  };
  const timed = { objective: 'averageDuration' };
  return [
    { record: bad, expr: increase(EVENTS, { result: 'bad' }) },
    // Of the good ones alone, so that no sample is read twice.
    { record: events, expr: `${increase(EVENTS, { result: 'good' })} + ${bad}${own}` },
    { record: ratio, expr: `${bad}${own} / (${events}${own} > 0)` },
    ...(average
      ? [{ record: mean, expr: `${increase(SECONDS, timed)} / (${events}${matching({ window, ...timed })} > 0)` }]
      : []),
  ];
}

/** Seconds between two looks at a span, at full scale: a tenth of it, between half a minute and four minutes. */
function intervalOf(seconds: number): number {
  return Math.min(RARELY, Math.max(30, Math.round(seconds / 10)));
}
