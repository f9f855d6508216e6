import { burnsOf, periodOf, promDuration } from '../burn.ts';
import type { Burn } from '../burn.ts';
import { decimal } from '../objective.ts';
import { SERIES } from './recording.ts';
import { matching } from './rule.ts';
import type { RecordingRule } from './rule.ts';

/** What a promise is known by: the same terms hold for each of its objects. */
export const PROMISE = 'platform, service_level, objective, within, window';
const LEVEL = 'platform, service_level, window';

/**
 * How long terms hold that are not scraped any more: a scrape that fails must not end an alert that fires. Terms that were changed hold
 * beside the new ones for as long, which is why each is made unique below: two on one side of a join are an error.
 */
const BRIDGE = 600;
/** Seconds after which nothing is missed any more that was measured once. */
const REMEMBERED = 86_400;

/** Names of what the alerts join: the promises themselves, as Plumbline exports them. */
export const TERMS = {
  /** Who is told, and where it says what to do. */
  alert: 'plumbline:service_level_alert:info',
  target: 'plumbline:service_level_target:latest',
  /** Share of events that may be bad. */
  budget: 'plumbline:service_level_budget:latest',
  /** Events that a span must have; below, alerts keep silent. */
  minimum: 'plumbline:service_level_minimum_traffic:latest',
  /** Objects that are measured now: those that have gone stay in long spans. */
  live: 'plumbline:service_level:live',
  /** When it was measured last, of those that nobody has taken back. */
  seen: 'plumbline:service_level:seen',
} as const;

/** Share of bad events above which a pair of spans spends the budget too fast. */
export function thresholdName({ severity, long }: Burn): string {
  return `plumbline:service_level_${severity}_threshold:over${promDuration(long)}`;
}

/** Terms of every service level with this window, as alerts need them: each once. */
export function termRules(window: string, scale: number): readonly RecordingRule[] {
  const bridge = promDuration(Math.max(5, Math.round(BRIDGE * scale)));
  const recent = (metric: string, labels: Readonly<Record<string, string>> = {}): string =>
    `last_over_time(${metric}${matching({ window, ...labels })}[${bridge}])`;
  const only = (by: string, more: string, metric: string): string =>
    `topk by (${by}) (1, max by (${by}, ${more}) (${recent(metric)}))`;
  const own = matching({ window });
  return [
    {
      record: TERMS.alert,
      expr: only(`${LEVEL}, severity`, 'contacts, runbook', 'plumbline_service_level_alert_info'),
    },
    { record: TERMS.target, expr: only(PROMISE, 'target', 'plumbline_service_level_target') },
    { record: TERMS.budget, expr: only(PROMISE, 'target', 'plumbline_service_level_budget_ratio') },
    { record: TERMS.minimum, expr: `max by (${LEVEL}) (${recent('plumbline_service_level_minimum_traffic')})` },
    {
      record: TERMS.live,
      expr: `group by (${SERIES}) (${recent('plumbline_service_level_events_total', { result: 'bad' })})`,
    },
    ...burnsOf(periodOf(window), scale).map((burn): RecordingRule => {
      const budget = `${TERMS.budget}${own}`;
      // Where the factor asks for more than can be bad: halfway between the budget and everything, as in `thresholdOf`.
      const capped = `(1 + ${budget}) / 2`;
      return {
        record: thresholdName(burn),
        expr: `(${decimal(burn.factor)} * ${budget} < ${capped})\nor\n${capped}`,
      };
    }),
    { record: TERMS.seen, expr: seen(own, scale) },
  ];
}

/**
 * Remembers what was measured until whoever holds its platform says how many service levels are in force there, or a day has
 * passed: what was taken back is missed by nobody, what vanished with its holder is.
 */
function seen(own: string, scale: number): string {
  return [
    `(${TERMS.alert}${own.replace('}', ',severity="ticket"}')} and on (${LEVEL}) plumbline_service_level_events_total${own}) * time()`,
    'or on (platform, service_level)',
    `(${TERMS.seen}${own} > time() - ${decimal(REMEMBERED * scale)} unless on (platform) plumbline_service_levels)`,
  ].join('\n');
}
