import { burnsOf, periodOf, promDuration, thresholdOf } from '../burn.ts';
import type { Burn } from '../burn.ts';
import type { Level } from '../levels.ts';
import { decimal } from '../objective.ts';
import type { Objective } from '../objective.ts';
import { averageWindows, recorded } from './recording.ts';
import { matching } from './rule.ts';
import type { AlertingRule, RuleGroup } from './rule.ts';

/** Bad events over the whole window before a broken promise is told: fewer are bad luck. */
const FEWEST = 5;

/** The alerts of one service level, or nothing when it wants none. */
export function alertGroups(level: Level, scale: number): readonly RuleGroup[] {
  const { alerts } = level.spec;
  if (!alerts.page && !alerts.ticket) return [];
  const rules = level.parsed.flatMap((objective): AlertingRule[] => {
    if (objective.measure === 'average') return averageAlerts(level, objective, scale);
    if (objective.measure === 'age') return ageAlerts(level, objective, scale);
    return [...burnAlerts(level, objective, scale), ...missedAlerts(level, objective, scale)];
  });
  return [
    {
      name: `plumbline-${level.platform}-${level.name}`,
      interval: seconds(30 * scale),
      rules: [...rules, ...absentAlerts(level, scale)],
    },
  ];
}

/** Pages and tickets: both windows of a pair spend the budget faster than its factor. */
function burnAlerts(level: Level, objective: Objective, scale: number): AlertingRule[] {
  const { alerts, window } = level.spec;
  const burns = burnsOf(periodOf(window), scale);
  return (['page', 'ticket'] as const).flatMap((severity): AlertingRule[] => {
    const own = burns.filter((burn) => burn.severity === severity);
    if (!alerts[severity] || own.length === 0) return [];
    return [
      {
        alert: 'PlumblineServiceLevelBudgetBurn',
        expr: own.map((burn) => `(${pair(level, objective, burn)})`).join('\nor\n'),
        labels: labelsOf(level, objective, severity),
        annotations: annotationsOf(
          level,
          `{{ $labels.object }} on {{ $labels.platform }} spends the budget of "${objective.name} ${objective.text}" too fast.`,
          `{{ $value | humanizePercentage }} of its events were bad; ${percent(objective.budget)} may be, over ${window}.`,
        ),
      },
    ];
  });
}

/** Short, long, enough bad ones, enough of all. `increase` guesses at the ends of its window: half an event is not asked for. */
function pair({ spec, ...level }: Level, objective: Objective, burn: Burn): string {
  const own = selector(level, objective);
  const [short, long] = [recorded(burn.short), recorded(burn.long)];
  const threshold = decimal(thresholdOf(burn, objective.budget ?? 0));
  return [
    `${long.ratio}${own} > ${threshold}`,
    `${short.ratio}${own} > ${threshold}`,
    `${long.bad}${own} > ${decimal(burn.fewest - 0.5)}`,
    `${long.events}${own} > ${decimal(spec.minimumTraffic - 0.5)}`,
  ].join('\nand\n');
}

/** The promise is broken over the whole window: also where traffic is too thin for any pair of windows. */
function missedAlerts(level: Level, objective: Objective, scale: number): AlertingRule[] {
  const { alerts, minimumTraffic, window } = level.spec;
  if (!alerts.ticket) return [];
  const own = selector(level, objective);
  const whole = recorded(wholeOf(level, scale));
  const comparison = objective.target.operator.endsWith('=') ? '>' : '>=';
  return [
    {
      alert: 'PlumblineServiceLevelMissed',
      expr: [
        `${whole.ratio}${own} ${comparison} ${decimal(objective.budget ?? 0)}`,
        `${whole.bad}${own} > ${decimal(FEWEST - 0.5)}`,
        `${whole.events}${own} > ${decimal(minimumTraffic - 0.5)}`,
      ].join('\nand\n'),
      labels: labelsOf(level, objective, 'ticket'),
      annotations: annotationsOf(
        level,
        `{{ $labels.object }} on {{ $labels.platform }} has missed "${objective.name} ${objective.text}" over ${window}.`,
        `{{ $value | humanizePercentage }} of its events were bad; ${percent(objective.budget)} may be.`,
      ),
    },
  ];
}

/** An average is no share of events: it is held against the target as it is, over an hour and six, or over the whole window. */
function averageAlerts(level: Level, objective: Objective, scale: number): AlertingRule[] {
  const { alerts, minimumTraffic, window } = level.spec;
  if (!alerts.ticket) return [];
  const own = selector(level, objective);
  const comparison = `${objective.target.operator.endsWith('=') ? '>' : '>='} ${decimal(objective.target.value)}`;
  const windows = averageWindows(periodOf(window), scale);
  const enough = (of: number): string => `${recorded(of).events}${own} > ${decimal(minimumTraffic - 0.5)}`;
  const lately = windows.map((one) => `${recorded(one).average}${own} ${comparison}`);
  const whole = wholeOf(level, scale);
  const recent = [...lately, ...windows.slice(-1).map(enough)].join('\nand\n');
  return [
    {
      alert: 'PlumblineServiceLevelAverage',
      expr: `(${recent})\nor\n(${recorded(whole).average}${own} ${comparison}\nand\n${enough(whole)})`,
      labels: labelsOf(level, objective, 'ticket'),
      annotations: annotationsOf(
        level,
        `Runs of {{ $labels.object }} on {{ $labels.platform }} take longer than "${objective.name} ${objective.text}".`,
        '{{ $value | humanizeDuration }} on average.',
      ),
    },
  ];
}

/** Made of a time that is exported, so that it grows while nothing happens at all. */
function ageAlerts(level: Level, objective: Objective, scale: number): AlertingRule[] {
  const { platform, name, spec } = level;
  if (!spec.alerts.ticket) return [];
  const own = matching({ platform, service_level: name, objective: objective.name });
  const last = `max by (platform, service_level, objective, object) (plumbline_service_level_last_good_timestamp_seconds${own})`;
  return [
    {
      alert: 'PlumblineServiceLevelStale',
      expr: `time() - ${last} > ${decimal(objective.target.value)}`,
      for: seconds(60 * scale),
      labels: labelsOf(level, objective, 'ticket'),
      annotations: annotationsOf(
        level,
        `{{ $labels.object }} on {{ $labels.platform }} has not succeeded within "${objective.name} ${objective.text}".`,
        'The last success was {{ $value | humanizeDuration }} ago.',
      ),
    },
  ];
}

/** Its numbers are gone although something is scraped. When nothing is, that is told once, by PlumblineAbsent. */
function absentAlerts(level: Level, scale: number): AlertingRule[] {
  if (level.measured.length === 0) return [];
  const own = matching({ platform: level.platform, service_level: level.name });
  return [
    {
      alert: 'PlumblineServiceLevelAbsent',
      expr: `absent(plumbline_service_level_events_total${own}) unless on () absent(plumbline_build_info)`,
      for: seconds(600 * scale),
      labels: { severity: 'ticket', platform: level.platform, service_level: level.name, ...contactsOf(level) },
      annotations: annotationsOf(
        level,
        `Nothing is measured for the service level ${level.name} on ${level.platform}.`,
        'Its metrics are absent: it may not be in force any more, or what is scraped does not own it. Generate the rules anew.',
      ),
    },
  ];
}

function wholeOf({ spec }: Level, scale: number): number {
  return Math.max(2, Math.round(periodOf(spec.window) * scale));
}

function selector({ platform, name }: Pick<Level, 'platform' | 'name'>, { name: objective, bound }: Objective): string {
  return matching({ platform, service_level: name, objective, within: bound === 0 ? '' : String(bound) });
}

function labelsOf(level: Level, objective: Objective, severity: 'page' | 'ticket'): Record<string, string> {
  return {
    severity,
    platform: level.platform,
    service_level: level.name,
    objective: objective.name,
    ...contactsOf(level),
  };
}

function contactsOf({ spec }: Level): Record<string, string> {
  return spec.alerts.contacts.length === 0 ? {} : { contacts: spec.alerts.contacts.map(plain).join(',') };
}

function annotationsOf({ spec }: Level, summary: string, description: string): Record<string, string> {
  const { runbook } = spec.alerts;
  return { summary, description, ...(runbook === undefined ? {} : { runbook_url: plain(runbook) }) };
}

/** Labels and annotations are templates: what somebody wrote into git is not to be executed as one. */
function plain(text: string): string {
  return text.includes('{{') ? `{{ ${JSON.stringify(text)} }}` : text;
}

function percent(share = 0): string {
  return `${decimal(share * 100)} %`;
}

function seconds(amount: number): string {
  return promDuration(Math.max(1, Math.round(amount)));
}
