import type { WithheldCode } from '../../plan/types.ts';
import type { AlertingRule, RuleGroup } from './rule.ts';

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
    expr: 'absent(plumbline_build_info)',
    for: '5m',
    severity: 'page',
    summary: 'No Plumbline is scraped.',
    description: 'Nothing is reconciled or measured, or Prometheus does not reach it. See whether the daemon runs.',
  },
  {
    alert: 'PlumblineNotConverging',
    expr: '(time() - max by (sync, platform) (plumbline_last_success_timestamp_seconds) > 3600) unless on (sync) (max by (sync) (plumbline_sync_suspended) == 1)',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.sync }} has not come into order on {{ $labels.platform }} for an hour.',
    description:
      'Its last success was {{ $value | humanizeDuration }} ago. `plumbline status {{ $labels.sync }}` says why.',
  },
  {
    alert: 'PlumblineNeverConverged',
    expr: '(max by (sync, platform) (plumbline_last_pass_timestamp_seconds) unless max by (sync, platform) (plumbline_last_success_timestamp_seconds)) unless on (sync) (max by (sync) (plumbline_sync_suspended) == 1)',
    for: '1h',
    severity: 'ticket',
    summary: '{{ $labels.sync }} has never come into order on {{ $labels.platform }} since the daemon started.',
    description: '`plumbline status {{ $labels.sync }}` says why.',
  },
  {
    alert: 'PlumblineDriftPersists',
    expr: 'max by (sync, platform) (plumbline_drifted_objects) > 0',
    for: '1h',
    severity: 'ticket',
    summary: '{{ $value }} objects of {{ $labels.sync }} have drifted on {{ $labels.platform }} for an hour.',
    description:
      'They are only reported, held, or changed again and again. `plumbline diff {{ $labels.sync }}` shows them.',
  },
  {
    alert: 'PlumblineSourceStale',
    expr: 'max by (sync, platform) (plumbline_source_stale) == 1',
    for: '15m',
    severity: 'ticket',
    summary: 'The source of {{ $labels.sync }} cannot be read or looks wrong.',
    description:
      'An old revision is served. `plumbline status {{ $labels.sync }}` says why; `plumbline accept` takes it as it is.',
  },
  {
    alert: 'PlumblinePlatformDown',
    expr: 'max by (platform) (plumbline_platform_up) == 0',
    for: '5m',
    severity: 'page',
    summary: 'The platform {{ $labels.platform }} does not answer.',
    description: 'Nothing can be changed or measured there. `plumbline check {{ $labels.platform }}` asks it.',
  },
  {
    alert: 'PlumblineDeletesWithheld',
    expr: `sum by (sync, platform) (plumbline_withheld_changes{code=~"${DELETES}"}) > 0`,
    for: '15m',
    severity: 'ticket',
    summary: '{{ $value }} changes of {{ $labels.sync }} on {{ $labels.platform }} wait for somebody.',
    description: '`plumbline plan {{ $labels.sync }}` says which and why, and how to let them through.',
  },
  {
    alert: 'PlumblineExecutionsLost',
    expr: 'increase(plumbline_workflow_executions_lost_total[1h]) > 0',
    for: '0s',
    severity: 'ticket',
    summary: '{{ $labels.platform }} has dropped runs before they were counted.',
    description: 'Service levels of its workflows miss them. Its history of runs is too short for its traffic.',
  },
  {
    alert: 'PlumblineConfigurationRefused',
    expr: 'max(plumbline_configuration_valid) == 0',
    for: '5m',
    severity: 'ticket',
    summary: 'The configuration on disk is not in order; the last good one is in force.',
    description: '`plumbline validate` says what is wrong with it.',
  },
  {
    alert: 'PlumblineSeriesFolded',
    expr: 'sum by (label) (increase(plumbline_label_values_folded_total[1h])) > 0',
    for: '1h',
    severity: 'ticket',
    summary: 'The label {{ $labels.label }} has more values than are kept; the rest is counted together.',
    description: 'What is counted under _other cannot be told apart.',
  },
];

/** Alerts about Plumbline itself. */
export function reconcilerGroup(): RuleGroup {
  return {
    name: 'plumbline',
    rules: WATCHES.map(({ severity, summary, description, ...rule }): AlertingRule => ({
      ...rule,
      labels: { severity },
      annotations: { summary, description },
    })),
  };
}
