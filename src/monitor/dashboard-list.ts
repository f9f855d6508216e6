/** One query of a panel: PromQL, and what its series are called. */
type Query = readonly [expr: string, legend: string];

export interface Panel {
  readonly title: string;
  readonly type: 'stat' | 'timeseries' | 'table';
  readonly unit: 'short' | 's' | 'percentunit' | 'reqps' | 'dateTimeFromNow';
  readonly queries: readonly Query[];
}

export interface Dashboard {
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

const LEVEL = 'platform=~"$platform"';

/** What each dashboard shows. */
export const DASHBOARDS: readonly Dashboard[] = [
  {
    name: 'controller',
    title: 'Plumbline: controller',
    panels: [
      {
        title: 'Last success',
        type: 'table',
        unit: 'dateTimeFromNow',
        queries: [
          ['max by (sync, platform) (plumbline_last_success_timestamp_seconds) * 1000', '{{sync}} on {{platform}}'],
        ],
      },
      {
        title: 'Passes by result',
        type: 'timeseries',
        unit: 'reqps',
        queries: [['sum by (result) (rate(plumbline_passes_total[5m]))', '{{result}}']],
      },
      {
        title: 'Duration of passes, 95 %',
        type: 'timeseries',
        unit: 's',
        queries: [
          [
            'histogram_quantile(0.95, sum by (le, sync) (rate(plumbline_pass_duration_seconds_bucket[15m])))',
            '{{sync}}',
          ],
        ],
      },
      {
        title: 'Changes',
        type: 'timeseries',
        unit: 'short',
        queries: [['sum by (verb, result) (increase(plumbline_changes_total[5m]))', '{{verb}} {{result}}']],
      },
      {
        title: 'Drifted and withheld',
        type: 'timeseries',
        unit: 'short',
        queries: [
          ['sum by (sync) (plumbline_drifted_objects)', '{{sync}} drifted'],
          ['sum by (sync, code) (plumbline_withheld_changes)', '{{sync}} withheld: {{code}}'],
        ],
      },
      {
        title: 'Problems of the sources',
        type: 'timeseries',
        unit: 'short',
        queries: [
          ['sum by (sync, severity) (plumbline_problems)', '{{sync}} {{severity}}'],
          ['max by (sync) (plumbline_source_stale)', '{{sync}} stale'],
        ],
      },
      {
        title: 'Queue',
        type: 'timeseries',
        unit: 'short',
        queries: [['sum by (state) (plumbline_queue_passes)', '{{state}}']],
      },
      {
        title: 'Events waiting, and dead',
        type: 'timeseries',
        unit: 'short',
        queries: [['sum by (state) (plumbline_events_queued)', '{{state}}']],
      },
    ],
  },
  {
    name: 'platforms',
    title: 'Plumbline: platforms',
    panels: [
      {
        title: 'Up',
        type: 'stat',
        unit: 'short',
        queries: [[`min by (platform) (plumbline_platform_up{${LEVEL}})`, '{{platform}}']],
      },
      {
        title: 'Requests',
        type: 'timeseries',
        unit: 'reqps',
        queries: [
          [`sum by (platform, code) (rate(plumbline_platform_requests_total{${LEVEL}}[5m]))`, '{{platform}} {{code}}'],
        ],
      },
      {
        title: 'Requests within half a second',
        type: 'timeseries',
        unit: 'percentunit',
        queries: [
          [
            `sum by (platform) (rate(plumbline_platform_request_duration_seconds_bucket{${LEVEL},le=~"0[.]5"}[5m])) / (sum by (platform) (rate(plumbline_platform_request_duration_seconds_count{${LEVEL}}[5m])) > 0)`,
            '{{platform}}',
          ],
        ],
      },
      {
        title: 'Duration of requests, 99 %',
        type: 'timeseries',
        unit: 's',
        queries: [
          [
            `histogram_quantile(0.99, sum by (le, platform) (rate(plumbline_platform_request_duration_seconds_bucket{${LEVEL}}[5m])))`,
            '{{platform}}',
          ],
        ],
      },
      {
        title: 'Runs of workflows',
        type: 'timeseries',
        unit: 'reqps',
        queries: [
          [
            `sum by (platform, result) (rate(plumbline_workflow_executions_total{${LEVEL}}[5m]))`,
            '{{platform}} {{result}}',
          ],
        ],
      },
      {
        title: 'Runs within thirty seconds',
        type: 'timeseries',
        unit: 'percentunit',
        queries: [
          [
            `sum by (platform) (rate(plumbline_workflow_execution_duration_seconds_bucket{${LEVEL},le=~"30([.]0)?"}[1h])) / (sum by (platform) (rate(plumbline_workflow_execution_duration_seconds_count{${LEVEL}}[1h])) > 0)`,
            '{{platform}}',
          ],
        ],
      },
      {
        title: 'Workflows that fail most',
        type: 'table',
        unit: 'short',
        queries: [
          [
            `topk(20, sum by (platform, workflow) (increase(plumbline_workflow_executions_total{${LEVEL},result="error"}[1d])) > 0)`,
            '{{workflow}} on {{platform}}',
          ],
        ],
      },
      {
        title: 'Runs lost or left out',
        type: 'timeseries',
        unit: 'short',
        queries: [
          [`sum by (platform) (increase(plumbline_workflow_executions_lost_total{${LEVEL}}[1h]))`, '{{platform}} lost'],
          [
            `sum by (platform) (increase(plumbline_workflow_executions_gaps_total{${LEVEL}}[1h]))`,
            '{{platform}} started anew',
          ],
          [`sum by (platform) (plumbline_workflow_executions_skipped_total{${LEVEL}})`, '{{platform}} left out'],
        ],
      },
    ],
  },
  {
    name: 'service-levels',
    title: 'Plumbline: service levels',
    panels: [
      {
        title: 'Budget left',
        type: 'table',
        unit: 'percentunit',
        queries: [
          [
            `sort(min by (platform, service_level, objective, object) (plumbline_service_level_budget_left_ratio{${LEVEL}}))`,
            '{{service_level}} {{objective}}: {{object}}',
          ],
        ],
      },
      {
        title: 'Least budget left, over time',
        type: 'timeseries',
        unit: 'percentunit',
        queries: [
          [
            `bottomk(10, min by (service_level, objective, object) (plumbline_service_level_budget_left_ratio{${LEVEL}}))`,
            '{{service_level}} {{objective}}: {{object}}',
          ],
        ],
      },
      {
        title: 'Share of bad events, one hour',
        type: 'timeseries',
        unit: 'percentunit',
        queries: [
          [
            `topk(10, plumbline:service_level_bad_ratio:increase1h{${LEVEL}})`,
            '{{service_level}} {{objective}}: {{object}}',
          ],
        ],
      },
      {
        title: 'Share of bad events, three days',
        type: 'timeseries',
        unit: 'percentunit',
        queries: [
          [
            `topk(10, plumbline:service_level_bad_ratio:increase3d{${LEVEL}})`,
            '{{service_level}} {{objective}}: {{object}}',
          ],
        ],
      },
      {
        title: 'Events',
        type: 'timeseries',
        unit: 'reqps',
        queries: [
          [
            `sum by (service_level, objective, result) (rate(plumbline_service_level_events_total{${LEVEL}}[5m]))`,
            '{{service_level}} {{objective}} {{result}}',
          ],
        ],
      },
      {
        title: 'Average duration, one hour',
        type: 'timeseries',
        unit: 's',
        queries: [
          [`plumbline:service_level_average_seconds:increase1h{${LEVEL}}`, '{{service_level}}: {{object}}'],
          [
            `max by (service_level) (plumbline_service_level_target{${LEVEL},objective="averageDuration"})`,
            '{{service_level}} target',
          ],
        ],
      },
      {
        title: 'Since the last success',
        type: 'timeseries',
        unit: 's',
        queries: [
          [
            `time() - max by (service_level, object) (plumbline_service_level_last_good_timestamp_seconds{${LEVEL},objective="freshness"})`,
            '{{service_level}}: {{object}}',
          ],
        ],
      },
      {
        title: 'Alerts',
        type: 'table',
        unit: 'short',
        queries: [
          [
            'ALERTS{alertname=~"PlumblineServiceLevel.*",alertstate="firing"}',
            '{{severity}} {{service_level}} {{objective}}: {{object}}',
          ],
        ],
      },
    ],
  },
];
