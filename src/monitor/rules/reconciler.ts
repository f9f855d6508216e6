import type { WithheldCode } from '../../plan/types.ts';
import type { AlertingRule, RuleGroup } from './rule.ts';

/** Stands in the expressions below where matchers may be put in, to tell one installation's series from another's. */
const SCOPE = 'SCOPE';

interface Watch {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  readonly summary: string;
  readonly description: string;
}

/** Reasons of withheld deletes: somebody has to look. */
const DELETES = (['delete-cap', 'revocation-cap', 'problems', 'vanished', 'data-loss'] satisfies WithheldCode[]).join(
  '|',
);

const WATCHES: readonly Watch[] = [
  {
    alert: 'PlumblineAbsent',
    expr: 'absent(plumbline_build_info{SCOPE})',
    for: '5m',
    severity: 'page',
    summary: 'No Plumbline is scraped.',
    description: 'Nothing is reconciled or measured, or Prometheus does not reach it. See whether the daemon runs.',
  },
  {
    alert: 'PlumblineLeaderMissing',
    expr: 'max by (shard) (plumbline_shard_held{SCOPE}) == 0',
    for: '5m',
    severity: 'page',
    summary: 'No replica that is scraped holds shard {{ $labels.shard }}.',
    description:
      'Nothing is reconciled or measured on the platforms of the shard, or its holder is not scraped. See the Leases of the namespace and the log of the replicas: they must be able to read and write Leases.',
  },
  {
    alert: 'PlumblineNotConverging',
    expr: '(time() - max by (sync, platform) (plumbline_last_success_timestamp_seconds{SCOPE}) > 3600) unless on (sync) (max by (sync) (plumbline_sync_suspended{SCOPE}) == 1)',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.sync }} has not come into order on {{ $labels.platform }} for an hour.',
    description:
      'Its last success was {{ $value | humanizeDuration }} ago. `plumbline status {{ $labels.sync }}` says why.',
  },
  {
    alert: 'PlumblineNeverConverged',
    expr: '(max by (sync, platform) (plumbline_last_pass_timestamp_seconds{SCOPE}) unless max by (sync, platform) (plumbline_last_success_timestamp_seconds{SCOPE})) unless on (sync) (max by (sync) (plumbline_sync_suspended{SCOPE}) == 1)',
    for: '1h',
    severity: 'ticket',
    summary: '{{ $labels.sync }} has never come into order on {{ $labels.platform }} since the daemon started.',
    description: '`plumbline status {{ $labels.sync }}` says why.',
  },
  {
    alert: 'PlumblineManifestProblems',
    expr: 'max by (sync, platform) (plumbline_problems{SCOPE, severity="error"}) > 0',
    for: '30m',
    severity: 'ticket',
    summary: 'The source of {{ $labels.sync }} has mistakes.',
    description:
      '{{ $value }} mistakes in its manifests; nothing is deleted until they are gone. `plumbline status {{ $labels.sync }}` names file and line.',
  },
  {
    alert: 'PlumblineDriftPersists',
    expr: 'max by (sync, platform) (plumbline_drifted_objects{SCOPE}) > 0',
    for: '1h',
    severity: 'ticket',
    summary: '{{ $value }} objects of {{ $labels.sync }} have drifted on {{ $labels.platform }} for an hour.',
    description:
      'They are only reported, held, or changed again and again. `plumbline diff {{ $labels.sync }}` shows them.',
  },
  {
    alert: 'PlumblineSourceStale',
    expr: 'max by (sync, platform) (plumbline_source_stale{SCOPE}) == 1',
    for: '15m',
    severity: 'ticket',
    summary: 'The source of {{ $labels.sync }} cannot be read or looks wrong.',
    description:
      'An old revision is served. `plumbline status {{ $labels.sync }}` says why; `plumbline accept` takes it as it is.',
  },
  {
    alert: 'PlumblinePlatformDown',
    expr: 'max by (platform) (plumbline_platform_up{SCOPE}) == 0',
    for: '5m',
    severity: 'page',
    summary: 'The platform {{ $labels.platform }} does not answer.',
    description: 'Nothing can be changed or measured there. `plumbline check {{ $labels.platform }}` asks it.',
  },
  {
    alert: 'PlumblineDeletesWithheld',
    expr: `sum by (sync, platform) (plumbline_withheld_changes{SCOPE, code=~"${DELETES}"}) > 0`,
    for: '15m',
    severity: 'ticket',
    summary: '{{ $value }} changes of {{ $labels.sync }} on {{ $labels.platform }} wait for somebody.',
    description: '`plumbline plan {{ $labels.sync }}` says which and why, and how to let them through.',
  },
  {
    alert: 'PlumblineQueueStuck',
    expr: 'max(plumbline_queue_oldest_seconds{SCOPE}) > 1800',
    for: '10m',
    severity: 'ticket',
    summary: 'Passes wait for their turn.',
    description:
      'One has waited for {{ $value | humanizeDuration }}. A platform or a git server answers slowly, or Plumbline has too little CPU.',
  },
  {
    alert: 'PlumblineDeadLetters',
    // A process whose first delivery to a handler is its last one begins to count at one, which is no increase.
    expr: 'sum by (handler) ((increase(plumbline_deliveries_total{SCOPE, result="dead"}[1h]) > 0) or (plumbline_deliveries_total{SCOPE, result="dead"} unless plumbline_deliveries_total{SCOPE, result="dead"} offset 1h)) > 0',
    for: '0s',
    severity: 'ticket',
    summary: 'Deliveries to {{ $labels.handler }} were given up.',
    description:
      'The receiver did not take them for a day. `plumbline deliveries` says why, `plumbline replay` sends them again.',
  },
  {
    alert: 'PlumblineExecutionsLost',
    expr: 'increase(plumbline_workflow_executions_lost_total{SCOPE}[1h]) > 0',
    for: '0s',
    severity: 'ticket',
    summary: '{{ $labels.platform }} has dropped runs before they were counted.',
    description: 'Service levels of its workflows miss them. Its history of runs is too short for its traffic.',
  },
  {
    alert: 'PlumblineConfigurationRefused',
    expr: 'max(plumbline_configuration_valid{SCOPE}) == 0',
    for: '5m',
    severity: 'ticket',
    summary: 'The configuration on disk is not in order; the last good one is in force.',
    description: '`plumbline validate` says what is wrong with it.',
  },
  {
    alert: 'PlumblineSeriesFolded',
    expr: 'sum by (label) (increase(plumbline_label_values_folded_total{SCOPE}[1h])) > 0',
    for: '1h',
    severity: 'ticket',
    summary: 'The label {{ $labels.label }} has more values than are kept; the rest is counted together.',
    description: 'What is counted under _other cannot be told apart.',
  },
];

/** Alerts about Plumbline itself, whichever installation the series are of. */
export function reconcilerGroup(): RuleGroup {
  return { name: 'plumbline', rules: reconcilerAlerts().map((rule) => ({ ...rule, expr: unscoped(rule.expr) })) };
}

/** The same, for one installation: matchers are to be put in for the word SCOPE. The chart carries these. */
export function reconcilerAlerts(): readonly AlertingRule[] {
  return WATCHES.map(({ severity, summary, description, ...rule }) => ({
    ...rule,
    labels: { severity },
    annotations: { summary, description },
  }));
}

function unscoped(expr: string): string {
  return expr.replaceAll(`{${SCOPE}, `, '{').replaceAll(`{${SCOPE}}`, '');
}
