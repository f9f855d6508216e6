import { burnsOf, periodOf, promDuration } from '../burn.ts';
import type { Burn } from '../burn.ts';
import { decimal } from '../objective.ts';
import { averageWindows, recorded, SERIES, wholeOf } from './recording.ts';
import { matching } from './rule.ts';
import type { AlertingRule, RecordingRule, RuleGroup } from './rule.ts';
import { PROMISE, TERMS, termRules, thresholdName } from './terms.ts';

/** Bad events over the whole window before a broken promise is told: fewer are bad luck. */
const FEWEST = 5;
const SEVERITIES = ['page', 'ticket'] as const;
type Severity = (typeof SEVERITIES)[number];

/** Targets that a share or a time may just reach, and those that it must not. */
const REACHED = '[<>]=.*';

/** What is told, before it is known whom: the series that are bad, with the label `target`. */
interface Finding {
  readonly alert: string;
  readonly record: string;
  readonly severity: Severity;
  readonly expr: string;
  readonly summary: string;
  readonly description: string;
  readonly for?: string;
}

const SUBJECT = '{{ $labels.object }} on {{ $labels.platform }}';
const PROMISED = '"{{ $labels.objective }} {{ $labels.target }}"';

/**
 * The alerts of all service levels with this window: what is promised, who is told and what to do are labels of metrics, so that
 * the same few rules serve any number of them.
 */
export function alertGroup(window: string, scale: number): RuleGroup {
  const findings = findingsOf(window, scale);
  return {
    name: `plumbline-service-levels-${window}`,
    interval: seconds(30 * scale),
    rules: [
      ...termRules(window, scale),
      ...findings.map(({ record, expr }): RecordingRule => ({ record, expr })),
      ...findings.flatMap((finding) => alertsOf(finding, window)),
      ...absentAlerts(window, scale),
    ],
  };
}

function findingsOf(window: string, scale: number): readonly Finding[] {
  return [
    ...SEVERITIES.map((severity): Finding => {
      const pairs = burnsOf(periodOf(window), scale).filter((burn) => burn.severity === severity);
      return {
        alert: 'PlumblineServiceLevelBudgetBurn',
        record: `plumbline:service_level_burning:${severity}`,
        severity,
        expr: pairs.map((burn) => `(${pair(burn, window)})`).join('\nor\n'),
        summary: `${SUBJECT} spends the budget of ${PROMISED} too fast.`,
        description:
          '{{ $value | humanizePercentage }} of its events were bad; the budget is to last for {{ $labels.window }}.',
      };
    }),
    {
      alert: 'PlumblineServiceLevelMissed',
      record: 'plumbline:service_level_missed:ratio',
      severity: 'ticket',
      expr: missed(window, scale),
      summary: `${SUBJECT} has missed ${PROMISED} over {{ $labels.window }}.`,
      description: '{{ $value | humanizePercentage }} of its events were bad.',
    },
    {
      alert: 'PlumblineServiceLevelAverage',
      record: 'plumbline:service_level_exceeded:seconds',
      severity: 'ticket',
      expr: slow(window, scale),
      summary: `Runs of ${SUBJECT} take longer than ${PROMISED}.`,
      description: '{{ $value | humanizeDuration }} on average.',
    },
    {
      alert: 'PlumblineServiceLevelStale',
      record: 'plumbline:service_level_stale:seconds',
      severity: 'ticket',
      expr: stale(window, scale),
      summary: `${SUBJECT} has not succeeded within ${PROMISED}.`,
      description: 'The last success was {{ $value | humanizeDuration }} ago.',
      for: seconds(60 * scale),
    },
  ];
}

/** Long, short, enough bad ones, enough of all. `increase` guesses at the ends of its span: half an event is not asked for. */
function pair(burn: Burn, window: string): string {
  const [short, long] = [recorded(burn.short), recorded(burn.long)];
  const threshold = `${thresholdName(burn)}${matching({ window })}`;
  return all(
    `${long.ratio}${matching({ window })} > on (${PROMISE}) group_left (target) ${threshold}`,
    `${short.ratio}${matching({ window })} > on (${PROMISE}) group_left () ${threshold}`,
    `${long.bad}${matching({ window })} > ${decimal(burn.fewest - 0.5)}`,
    enough(burn.long, window),
  );
}

/** The promise is broken over the whole window: also where traffic is too thin for any pair of spans. */
function missed(window: string, scale: number): string {
  const whole = recorded(wholeOf(window, scale));
  return all(
    beyond(`${whole.ratio}${matching({ window })}`, TERMS.budget, window),
    `${whole.bad}${matching({ window })} > ${decimal(FEWEST - 0.5)}`,
    enough(wholeOf(window, scale), window),
  );
}

/** An average is no share of events: it is held against the target as it is, over an hour and six, or over the whole window. */
function slow(window: string, scale: number): string {
  const lately = averageWindows(periodOf(window), scale);
  const over = (span: number): string =>
    beyond(`${recorded(span).average}${matching({ window })}`, TERMS.target, window);
  const recent = [...lately.map(over), ...lately.slice(-1).map((span) => enough(span, window))];
  const whole = wholeOf(window, scale);
  return `(${all(...recent)})\nor\n(${all(over(whole), enough(whole, window))})`;
}

/** Made of a time that is exported, so that it grows while nothing happens at all. */
function stale(window: string, scale: number): string {
  const bridge = promDuration(Math.max(5, Math.round(600 * scale)));
  const by = 'platform, service_level, objective';
  const age = `time() - max by (${by}, object) (last_over_time(plumbline_service_level_last_good_timestamp_seconds{objective="freshness"}[${bridge}]))`;
  const target = `topk by (${by}) (1, ${TERMS.target}${matching({ window, objective: 'freshness' })})`;
  return `${age}\n> on (${by}) group_left (target, window) ${target}`;
}

/** More than is promised, where the target may just be reached and where it must not. */
function beyond(what: string, term: string, window: string): string {
  const side = (comparison: string, match: '=~' | '!~'): string =>
    `${what} ${comparison} on (${PROMISE}) group_left (target) ${term}{window="${window}",target${match}"${REACHED}"}`;
  return `(${side('>', '=~')} or ${side('>=', '!~')})`;
}

function enough(span: number, window: string): string {
  return `${recorded(span).events}${matching({ window })} > on (platform, service_level, window) group_left () (${TERMS.minimum}${matching({ window })} - 0.5)`;
}

/** All of these hold for an object that is measured now; the value is the first one's. */
function all(...conditions: readonly string[]): string {
  return [...conditions.map((one) => `(${one})`), TERMS.live].join(`\nand on (${SERIES})\n`);
}

/** Tells those whom the service level names. Only what says where to read on carries a `runbook_url`. */
function alertsOf(
  { alert, record, severity, summary, description, ...finding }: Finding,
  window: string,
): AlertingRule[] {
  return ['!=', '='].map((comparison) => ({
    alert,
    expr: `${record}${matching({ window })} * on (platform, service_level, window) group_left (contacts, runbook) ${TERMS.alert}{window="${window}",severity="${severity}",runbook${comparison}""}`,
    ...(finding.for === undefined ? {} : { for: finding.for }),
    // Emptied is removed: the text of a target is no part of what an alert is.
    labels: { severity, target: '', ...(comparison === '!=' ? { runbook: '' } : {}) },
    annotations: {
      summary,
      description,
      ...(comparison === '!=' ? { runbook_url: '{{ $labels.runbook }}' } : {}),
    },
  }));
}

/** Its numbers are gone although something is scraped. When nothing is, that is told once, by PlumblineAbsent. */
function absentAlerts(window: string, scale: number): AlertingRule[] {
  const gone = (comparison: string): string =>
    [
      `${TERMS.seen}{window="${window}",runbook${comparison}""}`,
      'unless on (platform, service_level) plumbline_service_level_events_total',
      'unless on () absent(plumbline_build_info)',
    ].join('\n');
  return ['!=', '='].map((comparison) => ({
    alert: 'PlumblineServiceLevelAbsent',
    expr: gone(comparison),
    for: seconds(600 * scale),
    labels: { severity: 'ticket', ...(comparison === '!=' ? { runbook: '' } : {}) },
    annotations: {
      summary: 'Nothing is measured for the service level {{ $labels.service_level }} on {{ $labels.platform }}.',
      description:
        'Its metrics are absent, and nobody who holds the platform says that it is not in force any more: see which replica should, and whether it is scraped.',
      ...(comparison === '!=' ? { runbook_url: '{{ $labels.runbook }}' } : {}),
    },
  }));
}

function seconds(amount: number): string {
  return promDuration(Math.max(1, Math.round(amount)));
}
