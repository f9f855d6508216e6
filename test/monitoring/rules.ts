import { expect } from 'chai';
import { stringify } from 'yaml';
import type { ObjectiveName, SelectedKind } from '../../src/manifest/objective.ts';
import { dashboards } from '../../src/monitor/dashboards.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { level } from '../monitor/levels.ts';
import { Bench, requirePrometheus } from './prometheus.ts';

interface Case {
  readonly kind: SelectedKind;
  readonly objective: ObjectiveName;
  readonly target: string;
  readonly within: string;
}

/** Every objective that is a share of events, each with its budget as one bad event of so many. */
const EVENTS: readonly (Case & { readonly oneOf: number })[] = [
  { kind: 'Workflow', objective: 'successRate', target: '> 99%', within: '', oneOf: 100 },
  { kind: 'Workflow', objective: 'errorRate', target: '< 1%', within: '', oneOf: 100 },
  { kind: 'Workflow', objective: 'durationP95', target: '< 30s', within: '30', oneOf: 20 },
  { kind: 'Platform', objective: 'latencyP99', target: '< 500ms', within: '0.5', oneOf: 100 },
  { kind: 'Platform', objective: 'errorRate', target: '< 0.1%', within: '', oneOf: 1000 },
  { kind: 'Integration', objective: 'successRate', target: '> 99%', within: '', oneOf: 100 },
  { kind: 'Integration', objective: 'syncLatency', target: '< 60s', within: '60', oneOf: 100 },
  { kind: 'Integration', objective: 'dataQuality', target: '> 99.9%', within: '', oneOf: 1000 },
];

/** Counter values, one a minute. */
type Values = string;

interface Story {
  readonly name: string;
  readonly good: Values;
  readonly bad: Values;
  /** Who is told, at which minute. */
  readonly expect: readonly { readonly at: number; readonly page: number; readonly ticket?: number }[];
}

/** What must be told of what happens, whatever the objective is. A day is 1440 minutes. */
const storiesOf = (oneOf: number): readonly Story[] => [
  {
    name: 'all is well',
    good: '0+20x400',
    bad: '0x400',
    expect: [
      { at: 60, page: 0, ticket: 0 },
      { at: 400, page: 0, ticket: 0 },
    ],
  },
  {
    name: 'a background of bad events that just uses up the budget',
    good: `0+${(oneOf - 1) * 2}x400`,
    bad: '0+2x400',
    expect: [60, 120, 240, 400].map((at) => ({ at, page: 0 })),
  },
  {
    name: 'everything fails for the third hour',
    good: '0+20x120 2400x60 2400+20x240',
    bad: '0x120 0+20x60 1200x240',
    expect: [
      { at: 120, page: 0 },
      { at: 140, page: oneOf > 20 ? 1 : 0 },
      { at: 179, page: 1 },
      { at: 240, page: 0 },
      { at: 400, page: 0 },
    ],
  },
  {
    name: 'a third fails',
    good: '0+20x120 2400+14x400',
    bad: '0x120 0+7x400',
    expect: [
      { at: 118, page: 0 },
      { at: 240, page: oneOf > 20 ? 1 : 0 },
    ],
  },
  {
    name: 'nothing happens',
    good: '0x400',
    bad: '0x400',
    expect: [
      { at: 60, page: 0, ticket: 0 },
      { at: 400, page: 0, ticket: 0 },
    ],
  },
  {
    name: 'one event in twenty minutes, and one of them bad',
    good: '0x20 1x20 2x20 3x20 3x20 4x20 5x20 6x20 7x200',
    bad: '0x80 1x320',
    expect: [
      { at: 81, page: 0 },
      { at: 85, page: 0 },
      { at: 100, page: 0 },
      { at: 300, page: 0 },
    ],
  },
  {
    name: 'the counters begin anew at zero',
    good: '5000+20x120 0+20x300',
    bad: '30x120 0x300',
    expect: [
      { at: 121, page: 0, ticket: 0 },
      { at: 200, page: 0, ticket: 0 },
      { at: 400, page: 0, ticket: 0 },
    ],
  },
  {
    name: 'nobody is there to be scraped for a while, and then goes on with the same counts',
    good: '0+20x120 _x15 2700+20x300',
    bad: '0x120 _x15 0x300',
    expect: [
      { at: 125, page: 0, ticket: 0 },
      { at: 140, page: 0, ticket: 0 },
      { at: 400, page: 0, ticket: 0 },
    ],
  },
];

const firing = (alert: string, labels: string): string =>
  `count(ALERTS{alertname="${alert}",alertstate="firing",${labels}}) or vector(0)`;

describe('the rules, in promtool', function () {
  this.timeout(300_000);
  const bench = new Bench();
  before(() => requirePrometheus());
  after(() => bench[Symbol.dispose]());

  const all = [
    ...EVENTS.map((one, index) =>
      level(`level-${index}`, {
        selector: { kind: one.kind },
        objectives: { [one.objective]: one.target },
        objects: ['a'],
      }),
    ),
    level('average', { objectives: { averageDuration: '< 30s' }, window: '28d' }),
    level('fresh', { objectives: { freshness: '< 1h' }, window: '7d' }),
    level('quiet', { objectives: { successRate: '>= 99.95%' }, alerts: { page: false, ticket: false, contacts: [] } }),
    level('odd', {
      objectives: { successRate: '> 50%', durationP95: '< 700ms' },
      alerts: { page: true, ticket: true, contacts: ['{{ .x }}', 'b"c'], runbook: 'https://x.example/{{ $y }}?"' },
    }),
  ];

  it('are in order, whatever is promised', async () => {
    const file = bench.write('all.yaml', stringify({ groups: rulesOf(all) }, { lineWidth: 0 }));
    expect(await bench.promtool('check', 'rules', file)).to.match(/SUCCESS: \d+ rules found/);
  });

  const test = async (name: string, rules: string, tests: readonly unknown[]): Promise<void> => {
    const file = bench.write(
      `${name}.yaml`,
      stringify({ rule_files: [rules], evaluation_interval: '1m', tests }, { lineWidth: 0 }),
    );
    await bench.promtool('test', 'rules', file);
  };

  for (const { kind, objective, target, within, oneOf } of EVENTS) {
    it(`tell whom they have to tell of "${objective} ${target}" of a ${kind}, and nobody else`, async () => {
      const own = level('orders', { selector: { kind }, objectives: { [objective]: target }, objects: ['a'] });
      const rules = bench.write('one.rules', stringify({ groups: rulesOf([own]) }, { lineWidth: 0 }));
      const object = kind === 'Platform' ? 'prod' : 'a';
      const series = (result: string): string =>
        `plumbline_service_level_events_total{platform="prod",service_level="orders",objective="${objective}",object="${object}",within="${within}",window="30d",result="${result}",instance="i"}`;
      await test(
        'one',
        rules,
        storiesOf(oneOf).map((story) => ({
          name: story.name,
          interval: '1m',
          input_series: [
            { series: series('good'), values: story.good },
            { series: series('bad'), values: story.bad },
            { series: 'plumbline_build_info{version="1"}', values: '1x400' },
          ],
          promql_expr_test: story.expect.flatMap(({ at, page, ticket }) =>
            [['page', page] as const, ...(ticket === undefined ? [] : [['ticket', ticket] as const])].map(
              ([severity, count]) => ({
                expr: firing('PlumblineServiceLevelBudgetBurn', `severity="${severity}"`),
                eval_time: `${at}m`,
                exp_samples: [{ labels: '{}', value: count }],
              }),
            ),
          ),
        })),
      );
    });
  }

  it('divide events, and not ratios: what an idle stretch leaves is no NaN and no wrong share', async () => {
    const own = level('orders', { objectives: { successRate: '> 99%' } });
    const rules = bench.write('ratio.rules', stringify({ groups: rulesOf([own]) }, { lineWidth: 0 }));
    const labels = (result: string): string =>
      `plumbline_service_level_events_total{platform="prod",service_level="orders",objective="successRate",object="a",within="",window="30d",result="${result}"}`;
    // Sixty runs, of which ten fail within five minutes of an otherwise idle hour.
    const ratio = 'plumbline:service_level_bad_ratio:increase1h';
    await test('ratio', rules, [
      {
        interval: '1m',
        input_series: [
          { series: labels('good'), values: '0x60 0+1x50 50x120' },
          { series: labels('bad'), values: '0x60 0x20 0+2x5 10x145' },
        ],
        promql_expr_test: [
          { expr: `count(${ratio}) or vector(0)`, eval_time: '55m', exp_samples: [{ labels: '{}', value: 0 }] },
          {
            expr: `round(${ratio}, 0.001)`,
            eval_time: '119m',
            exp_samples: [
              {
                labels: '{platform="prod",service_level="orders",objective="successRate",object="a",window="30d"}',
                value: 0.167,
              },
            ],
          },
          {
            expr: `count(${ratio} != ${ratio}) or vector(0)`,
            eval_time: '230m',
            exp_samples: [{ labels: '{}', value: 0 }],
          },
        ],
      },
    ]);
  });

  it('hold an average against its target as it is, and an age by its timestamp', async () => {
    const levels = [
      level('average', { objectives: { averageDuration: '< 30s' } }),
      level('fresh', { objectives: { freshness: '< 1h' } }),
    ];
    const rules = bench.write('average.rules', stringify({ groups: rulesOf(levels) }, { lineWidth: 0 }));
    const own =
      'platform="prod",service_level="average",objective="averageDuration",object="a",within="30",window="30d"';
    const last = 'platform="prod",service_level="fresh",objective="freshness",object="a"';
    const expectAt = (minutes: number, average: number, stale: number) => [
      {
        expr: firing('PlumblineServiceLevelAverage', 'severity="ticket"'),
        eval_time: `${minutes}m`,
        exp_samples: [{ labels: '{}', value: average }],
      },
      {
        expr: firing('PlumblineServiceLevelStale', 'severity="ticket"'),
        eval_time: `${minutes}m`,
        exp_samples: [{ labels: '{}', value: stale }],
      },
    ];
    await test('average', rules, [
      {
        interval: '1m',
        input_series: [
          // One run a minute: of 10 seconds, and from the second hour on of 100.
          { series: `plumbline_service_level_events_total{${own},result="good"}`, values: '0+1x120 120x600' },
          { series: `plumbline_service_level_events_total{${own},result="bad"}`, values: '0x120 0+1x600' },
          { series: `plumbline_service_level_seconds_total{${own}}`, values: '0+10x120 1200+100x600' },
          { series: `plumbline_service_level_last_good_timestamp_seconds{${last}}`, values: '0+60x120 7200x600' },
        ],
        promql_expr_test: [
          ...expectAt(100, 0, 0),
          ...expectAt(140, 0, 0),
          ...expectAt(190, 1, 1),
          ...expectAt(400, 1, 1),
        ],
      },
    ]);
  });

  it('tell the right people, with the right words, that nothing is measured, and only that when all is gone', async () => {
    const own = level('orders', {
      objectives: { successRate: '> 99%' },
      alerts: {
        page: true,
        ticket: true,
        contacts: ['team-orders', 'on-call'],
        runbook: 'https://runbooks.example.com/orders',
      },
    });
    const rules = bench.write('absent.rules', stringify({ groups: rulesOf([own]) }, { lineWidth: 0 }));
    await test('absent', rules, [
      {
        interval: '1m',
        input_series: [{ series: 'plumbline_build_info{version="1"}', values: '1x60 _x60' }],
        alert_rule_test: [
          {
            eval_time: '30m',
            alertname: 'PlumblineServiceLevelAbsent',
            exp_alerts: [
              {
                exp_labels: {
                  severity: 'ticket',
                  platform: 'prod',
                  service_level: 'orders',
                  contacts: 'team-orders,on-call',
                },
                exp_annotations: {
                  summary: 'Nothing is measured for the service level orders on prod.',
                  description:
                    'Its metrics are absent: it may not be in force any more, or what is scraped does not own it. Generate the rules anew.',
                  runbook_url: 'https://runbooks.example.com/orders',
                },
              },
            ],
          },
          { eval_time: '110m', alertname: 'PlumblineServiceLevelAbsent', exp_alerts: [] },
        ],
        promql_expr_test: [
          {
            expr: firing('PlumblineAbsent', 'severity="page"'),
            eval_time: '30m',
            exp_samples: [{ labels: '{}', value: 0 }],
          },
          {
            expr: firing('PlumblineAbsent', 'severity="page"'),
            eval_time: '110m',
            exp_samples: [{ labels: '{}', value: 1 }],
          },
        ],
      },
    ]);
  });

  it('tell of a reconciler that does not converge, of drift, a stale source, a platform that is down, and withheld deletes', async () => {
    const rules = bench.write('reconciler.rules', stringify({ groups: rulesOf([]) }, { lineWidth: 0 }));
    const here = 'sync="orders",platform="prod"';
    const [bad, good, off] = ['bad', 'good', 'off'].map((sync) => `sync="${sync}",platform="prod"`);
    const one = (alert: string, minutes: number, count: number) => ({
      expr: firing(alert, ''),
      eval_time: `${minutes}m`,
      exp_samples: [{ labels: '{}', value: count }],
    });
    await test('reconciler', rules, [
      {
        interval: '1m',
        input_series: [
          { series: 'plumbline_build_info{version="1"}', values: '1x300' },
          { series: `plumbline_last_success_timestamp_seconds{${bad}}`, values: '0+60x60 3600x240' },
          { series: `plumbline_last_success_timestamp_seconds{${good}}`, values: '0+60x300' },
          { series: `plumbline_last_success_timestamp_seconds{${off}}`, values: '0x300' },
          { series: 'plumbline_sync_suspended{sync="off"}', values: '1x300' },
          { series: `plumbline_last_pass_timestamp_seconds{${here}}`, values: '0+60x300' },
          { series: `plumbline_drifted_objects{${here}}`, values: '0x60 2x240' },
          { series: `plumbline_source_stale{${here}}`, values: '0x60 1x240' },
          { series: 'plumbline_platform_up{platform="prod"}', values: '1x60 0x240' },
          { series: `plumbline_withheld_changes{${here},code="delete-cap"}`, values: '0x60 3x240' },
          { series: `plumbline_withheld_changes{${here},code="window"}`, values: '3x300' },
          { series: 'plumbline_workflow_executions_lost_total{platform="prod"}', values: '0x200 7x100' },
          { series: 'plumbline_configuration_valid', values: '1x60 0x240' },
        ],
        promql_expr_test: [
          ...[
            'NotConverging',
            'DriftPersists',
            'SourceStale',
            'PlatformDown',
            'DeletesWithheld',
            'ConfigurationRefused',
          ].flatMap((name) => [one(`Plumbline${name}`, 55, 0), one(`Plumbline${name}`, 200, 1)]),
          one('PlumblineNeverConverged', 55, 0),
          one('PlumblineNeverConverged', 100, 1),
          one('PlumblineExecutionsLost', 190, 0),
          one('PlumblineExecutionsLost', 210, 1),
          one('PlumblineAbsent', 200, 0),
        ],
      },
    ]);
  });
});

describe('the dashboards', () => {
  it('ask in PromQL that promtool reads', async () => {
    using bench = new Bench();
    const queries = [...dashboards().values()].flatMap((dashboard) =>
      [...JSON.stringify(dashboard).matchAll(/"expr":("(?:[^"\\]|\\.)*")/g)].map(([, expr = '""']) =>
        String(JSON.parse(expr)),
      ),
    );
    const rules = queries.map((expr, index) => ({
      record: `query:${index}`,
      expr: expr.replaceAll('$platform', '.*'),
    }));
    const file = bench.write('dashboards.yaml', stringify({ groups: [{ name: 'all', rules }] }, { lineWidth: 0 }));
    expect(await bench.promtool('check', 'rules', file)).to.include(`SUCCESS: ${queries.length} rules found`);
  });
});
