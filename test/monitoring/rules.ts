import { expect } from 'chai';
import { stringify } from 'yaml';
import type { ObjectiveName, SelectedKind } from '../../src/manifest/objective.ts';
import { dashboards } from '../../src/monitor/dashboards.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { level } from '../monitor/levels.ts';
import { Bench, requirePrometheus } from './prometheus.ts';
import { scraped, tell, termsOf } from './stories.ts';
import type { Firing, Given } from './stories.ts';

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

/** What happens to a series in so many minutes, and who is told of it. */
interface Course {
  readonly name: string;
  readonly good: string;
  readonly bad: string;
  /** Minutes in which Plumbline is scraped; all when absent. */
  readonly terms?: (value: string) => string;
  /** Who is told, at which minute. */
  readonly expect: readonly { readonly at: number; readonly page: number; readonly ticket?: number }[];
}

/**
 * The first minute at which a page is due where everything fails after two hours in which nothing did, by whole events: 14.4 times
 * the budget over five minutes and an hour, or six times over half an hour and six hours, of which there are but those two.
 */
function firstPage(oneOf: number): number {
  const above = (bad: number, minutes: number, factor: number): boolean =>
    Math.min(bad, minutes) / minutes > Math.min(factor / oneOf, (1 + 1 / oneOf) / 2);
  for (let minute = 1; ; minute++)
    if ((above(minute, 5, 14.4) && above(minute, 60, 14.4)) || (above(minute, 30, 6) && above(minute, 120 + minute, 6)))
      return 120 + minute;
}

/** What must be told of what happens, whatever the objective is. A day is 1440 minutes. */
const coursesOf = (oneOf: number): readonly Course[] => [
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
    name: 'everything fails from the third hour on, at the minute that the windows say and not one before',
    good: '0+20x120 2400x280',
    bad: '0x119 0+20x281',
    expect: [
      { at: firstPage(oneOf) - 1, page: 0 },
      { at: firstPage(oneOf), page: 1 },
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
    name: 'four events in an hour, and all of them bad',
    good: '0x400',
    bad: '0x60 1x15 2x15 3x15 4x300',
    expect: [
      { at: 75, page: 0 },
      { at: 110, page: 0 },
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
    terms: (value) => `${value}x120 _x15 ${value}x300`,
    expect: [
      { at: 125, page: 0, ticket: 0 },
      { at: 140, page: 0, ticket: 0 },
      { at: 400, page: 0, ticket: 0 },
    ],
  },
  {
    name: 'a scrape fails while a page fires, which does not end it',
    good: '0+20x120 2400x60',
    bad: '0x120 0+20x40 stale 820+20x30',
    terms: (value) => `${value}x160 stale ${value}x30`,
    expect: [
      { at: 159, page: 1 },
      { at: 161, page: 1 },
      { at: 163, page: 1 },
      { at: 170, page: 1 },
    ],
  },
];

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
    level('odd', { objectives: { successRate: '> 50%', durationP95: '< 700ms' }, window: '11d' }),
  ];

  it('are in order, whatever is promised', async () => {
    const file = bench.write('all.yaml', stringify({ groups: rulesOf(all) }, { lineWidth: 0 }));
    expect(await bench.promtool('check', 'rules', file)).to.match(/SUCCESS: \d+ rules found/);
  });

  it('are as many for a thousand service levels as for one', () => {
    const many = Array.from({ length: 1000 }, (_, index) => level(`many-${index}`, { window: '28d' }));
    expect(rulesOf(many)).to.deep.equal(rulesOf(many.slice(0, 1)));
    expect(rulesOf(many).flatMap(({ rules }) => rules).length).to.be.lessThan(100);
  });

  const events = (labels: Readonly<Record<string, string>>, good: string, bad: string): readonly Given[] => {
    const whole = { platform: 'prod', objective: 'successRate', object: 'a', within: '', window: '30d', ...labels };
    const text = Object.entries(whole).map(([name, value]) => `${name}="${value}"`);
    return [
      { series: `plumbline_service_level_events_total{${[...text, 'result="good"'].join(',')}}`, values: good },
      { series: `plumbline_service_level_events_total{${[...text, 'result="bad"'].join(',')}}`, values: bad },
    ];
  };
  const BURN = 'PlumblineServiceLevelBudgetBurn';
  const forGood = (value: string): string => `${value}x400`;

  const promised = EVENTS.map(({ kind, objective, target }, index) =>
    level(`level-${index}`, { selector: { kind }, objectives: { [objective]: target }, objects: ['a'] }),
  );
  for (const [which, { name, terms }] of coursesOf(100).entries()) {
    it(`tell whom they have to tell, whatever the objective is, when ${name}`, async () => {
      const given: Given[] = [];
      const firing: Firing[] = [];
      for (const [index, { kind, objective, within, oneOf }] of EVENTS.entries()) {
        const { good, bad, expect: expected = [] } = coursesOf(oneOf)[which] ?? {};
        const object = kind === 'Platform' ? 'prod' : 'a';
        const labels = { service_level: `level-${index}`, objective, object, within, instance: 'i' };
        given.push(...events(labels, good ?? '', bad ?? ''));
        for (const { at, page, ticket } of expected) {
          const told = (severity: string, count: number): Firing => ({
            alert: BURN,
            at,
            count,
            labels: `severity="${severity}",service_level="level-${index}",objective="${objective}"`,
          });
          firing.push(told('page', page), ...(ticket === undefined ? [] : [told('ticket', ticket)]));
        }
      }
      given.push(...(await termsOf(promised, terms ?? forGood)), scraped(400));
      await tell(bench, promised, [{ name, given, firing }]);
    });
  }

  it('divide events, and not ratios: what an idle stretch leaves is no NaN and no wrong share', async () => {
    const own = level('orders', { objectives: { successRate: '> 99%' } });
    // Sixty runs, of which ten fail within five minutes of an otherwise idle hour.
    const ratio = 'plumbline:service_level_bad_ratio:increase1h';
    const labels = 'platform="prod",service_level="orders",objective="successRate",object="a",window="30d"';
    const none = [{ labels: '{}', value: 0 }];
    const everything = 'sum by (__name__) ({__name__=~"plumbline:.*"})';
    await tell(
      bench,
      [own],
      [
        {
          name: 'ratio',
          given: events({ service_level: 'orders' }, '0x60 0+1x50 50x120', '0x60 0x20 0+2x5 10x145'),
          asked: [
            { expr: `count(${ratio}) or vector(0)`, at: 55, samples: none },
            { expr: `round(${ratio}, 0.001)`, at: 119, samples: [{ labels: `{${labels}}`, value: 0.167 }] },
            { expr: `count(${ratio} != ${ratio}) or vector(0)`, at: 230, samples: none },
            {
              expr: `count(${everything} != on (__name__) ${everything}) or vector(0)`,
              at: 230,
              samples: none,
            },
          ],
        },
      ],
    );
  });

  it('count over days and a month what was really there, from a sample an hour, through counters that begin anew and a Prometheus that was away', async () => {
    const own = level('orders', { objectives: { successRate: '> 99%' } });
    const steady = level('steady', { objectives: { successRate: '> 99%' } });
    // Ten runs an hour. After 400 hours the ledger is lost: what was counted in that hour is in no counter. Nobody scrapes for five hours.
    const good = '0+9x400 0+9x199 _x5 1845+9x150';
    const bad = '0+1x400 0+1x199 _x5 205+1x150';
    const labels = (name: string) =>
      `{platform="prod",service_level="${name}",objective="successRate",object="a",window="30d"}`;
    const HOURS = 60;
    const over = (what: string, span: string, name: string, value: number) => ({
      expr: `round(plumbline:service_level_${what}:increase${span}{service_level="${name}"}, 0.001)`,
      at: 755 * HOURS,
      samples: [{ labels: labels(name), value }],
    });
    await tell(
      bench,
      [own, steady],
      [
        {
          name: 'a month',
          given: [
            ...events({ service_level: 'orders' }, good, bad),
            ...events({ service_level: 'steady' }, '0+9x760', '0+1x760'),
            ...(await termsOf([own, steady], (value) => `${value}x760`)),
          ],
          asked: [
            over('events', '3d', 'steady', 720),
            over('events', '30d', 'steady', 7200),
            over('bad_events', '30d', 'steady', 720),
            over('bad_ratio', '30d', 'steady', 0.1),
            over('events', '3d', 'orders', 720),
            over('events', '30d', 'orders', 7190),
            over('bad_events', '30d', 'orders', 719),
            over('bad_ratio', '30d', 'orders', 0.1),
          ],
          firing: [
            { alert: 'PlumblineServiceLevelMissed', at: 755 * HOURS, count: 2 },
            { alert: BURN, at: 755 * HOURS, count: 2, labels: 'severity="ticket"' },
          ],
        },
      ],
      '1h',
    );
  });

  it('tell each who is named for it, with its own words and its own bound', async () => {
    const contacts = ['{{ .x }}', 'b"c'];
    const runbook = 'https://x.example/{{ $y }}?"';
    const levels = [
      level('odd', {
        objectives: { successRate: '> 99%' },
        alerts: { page: true, ticket: true, contacts, runbook },
      }),
      level('plain', { objectives: { successRate: '> 50%' }, alerts: { page: true, ticket: false, contacts: ['b'] } }),
      level('quiet', { objectives: { successRate: '> 99%' }, alerts: { page: false, ticket: false, contacts: ['c'] } }),
      level('strict', { objectives: { successRate: '>= 99%' }, minimumTraffic: 1_000_000 }),
    ];
    const names = levels.map(({ name }) => name);
    const failing = names.flatMap((name) => events({ service_level: name }, '0+20x120 2400x280', '0x120 0+20x280'));
    const [summary, description] = [
      (name: string, target: string) => `a on prod spends the budget of "${name} ${target}" too fast.`,
      'of its events were bad; the budget is to last for 30d.',
    ];
    const of = { severity: 'page', platform: 'prod', objective: 'successRate', object: 'a', window: '30d' };
    await tell(bench, levels, [
      {
        name: 'all of them fail',
        given: [...failing, ...(await termsOf(levels, forGood)), scraped(400)],
        told: [
          {
            alert: BURN,
            at: 179,
            labels: { ...of, service_level: 'odd', contacts: contacts.join(',') },
            annotations: {
              summary: summary('successRate', '> 99%'),
              description: `98.31% ${description}`,
              runbook_url: runbook,
            },
          },
          {
            alert: BURN,
            at: 179,
            labels: { ...of, severity: 'ticket', service_level: 'odd', contacts: contacts.join(',') },
            annotations: {
              summary: summary('successRate', '> 99%'),
              description: `32.58% ${description}`,
              runbook_url: runbook,
            },
          },
          {
            alert: BURN,
            at: 179,
            labels: { ...of, service_level: 'plain', contacts: 'b' },
            annotations: { summary: summary('successRate', '> 50%'), description: `98.31% ${description}` },
          },
        ],
        firing: [
          { alert: BURN, at: 300, count: 1, labels: 'service_level="odd",severity="ticket"' },
          { alert: BURN, at: 300, count: 0, labels: 'service_level=~"quiet|strict"' },
          { alert: BURN, at: 300, count: 0, labels: 'service_level="plain",severity="ticket"' },
        ],
      },
    ]);
  });

  it('hold a promise that may just be reached, and one that must not, against the same share', async () => {
    const levels = [
      level('below', { objectives: { errorRate: '< 50%' } }),
      level('reached', { objectives: { errorRate: '<= 50%' } }),
    ];
    const given = levels.flatMap(({ name }) =>
      events({ service_level: name, objective: 'errorRate' }, '0+10x400', '0+10x400'),
    );
    await tell(bench, levels, [
      {
        name: 'exactly half',
        given: [...given, ...(await termsOf(levels, forGood)), scraped(400)],
        firing: [
          { alert: 'PlumblineServiceLevelMissed', at: 300, count: 1, labels: 'service_level="below"' },
          { alert: 'PlumblineServiceLevelMissed', at: 300, count: 0, labels: 'service_level="reached"' },
        ],
      },
    ]);
  });

  it('are not disturbed by terms that were just changed, by two replicas that tell the same, or by what has gone', async () => {
    const before = level('orders', { objectives: { successRate: '> 99%', durationP95: '< 30s' } });
    const after = level('orders', {
      objectives: { successRate: '> 99.9%', durationP95: '< 60s' },
      alerts: { page: true, ticket: true, contacts: ['new'] },
    });
    const other = level('other', { objectives: { successRate: '> 99%' } });
    const twice = (given: readonly Given[]): readonly Given[] =>
      ['1', '2'].flatMap((instance) =>
        given.map(({ series, values }) => ({ series: series.replace('{', `{instance="${instance}",`), values })),
      );
    const [old, fresh] = [
      await termsOf([before, other], (value) => `${value}x149 stale`),
      await termsOf([after, other], (value) => `_x150 ${value}x250`),
    ];
    const apart = (these: readonly Given[], others: readonly Given[]): readonly Given[] =>
      these.filter(({ series }) => !others.some((one) => one.series === series));
    const stay = (await termsOf([after, other], forGood)).filter(({ series }) =>
      old.some((one) => one.series === series),
    );
    const slow = (within: string, good: string, bad: string) =>
      events({ service_level: 'orders', objective: 'durationP95', within }, good, bad);
    await tell(
      bench,
      [before],
      [
        {
          name: 'everything fails while the terms are changed',
          given: [
            ...twice([...apart(old, fresh), ...apart(fresh, old), ...stay]),
            ...events({ service_level: 'orders' }, '0+20x120 2400x280', '0x120 0+20x280'),
            ...events({ service_level: 'other' }, '0+20x120 2400x280', '0x120 0+20x280'),
            ...slow('30', '0x149 stale', '0+20x149 stale'),
            ...slow('60', '_x150 0+20x250', '_x150 0x250'),
            // A workflow that was deleted when it had failed.
            ...events({ service_level: 'other', object: 'gone' }, '0x149 stale', '0+20x149 stale'),
            scraped(400),
          ],
          firing: [
            ...[145, 152, 158, 170, 300].map((at) => ({
              alert: BURN,
              at,
              count: 1,
              labels: 'severity="page",service_level="orders",objective="successRate"',
            })),
            ...[145, 152, 170, 300].map((at) => ({
              alert: BURN,
              at,
              count: 1,
              labels: 'severity="page",service_level="other",object="a"',
            })),
            { alert: BURN, at: 145, count: 1, labels: 'severity="page",objective="durationP95"' },
            { alert: BURN, at: 170, count: 0, labels: 'objective="durationP95"' },
            { alert: BURN, at: 145, count: 1, labels: 'severity="page",object="gone"' },
            { alert: BURN, at: 170, count: 0, labels: 'object="gone"' },
            { alert: 'PlumblineServiceLevelMissed', at: 300, count: 0, labels: 'object="gone"' },
            { alert: BURN, at: 300, count: 2, labels: 'contacts="new"' },
          ],
        },
      ],
    );
  });

  it('hold an average against its target as it is, and an age by its timestamp', async () => {
    const levels = [
      level('average', { objectives: { averageDuration: '< 30s' } }),
      level('fresh', { objectives: { freshness: '< 1h' } }),
    ];
    const own =
      'platform="prod",service_level="average",objective="averageDuration",object="a",within="30",window="30d"';
    const last = 'platform="prod",service_level="fresh",objective="freshness",object="a"';
    const at = (minutes: number, average: number, stale: number): readonly Firing[] => [
      { alert: 'PlumblineServiceLevelAverage', at: minutes, count: average, labels: 'severity="ticket"' },
      { alert: 'PlumblineServiceLevelStale', at: minutes, count: stale, labels: 'severity="ticket"' },
    ];
    await tell(bench, levels, [
      {
        name: 'average',
        given: [
          // One run a minute: of 10 seconds, and from the second hour on of 100.
          ...events(
            { service_level: 'average', objective: 'averageDuration', within: '30' },
            '0+1x120 120x600',
            '0x120 0+1x600',
          ),
          { series: `plumbline_service_level_seconds_total{${own}}`, values: '0+10x120 1200+100x600' },
          { series: `plumbline_service_level_last_good_timestamp_seconds{${last}}`, values: '0+60x120 7200x600' },
          ...(await termsOf(levels, (value) => `${value}x720`)),
        ],
        firing: [...at(100, 0, 0), ...at(140, 0, 0), ...at(190, 1, 1), ...at(400, 1, 1)],
        told: [
          {
            alert: 'PlumblineServiceLevelStale',
            at: 190,
            labels: {
              severity: 'ticket',
              platform: 'prod',
              service_level: 'fresh',
              objective: 'freshness',
              object: 'a',
              window: '30d',
            },
            annotations: {
              summary: 'a on prod has not succeeded within "freshness < 1h".',
              description: 'The last success was 1h 10m 0s ago.',
            },
          },
        ],
      },
    ]);
  });

  it('hold an average of the last hours against its target, too, where that of the whole window is within', async () => {
    const own = level('average', { objectives: { averageDuration: '< 30s' } });
    const labels = { service_level: 'average', objective: 'averageDuration', within: '30' };
    const seconds =
      'plumbline_service_level_seconds_total{platform="prod",service_level="average",objective="averageDuration",object="a",within="30",window="30d"}';
    await tell(
      bench,
      [own],
      [
        {
          name: 'one run a minute: of ten seconds, and for the last two hours of a hundred',
          given: [
            ...events(labels, '0+1x830', '0x830'),
            { series: seconds, values: '0+10x700 7100+100x130' },
            ...(await termsOf([own], (value) => `${value}x830`)),
          ],
          firing: [
            { alert: 'PlumblineServiceLevelAverage', at: 699, count: 0 },
            { alert: 'PlumblineServiceLevelAverage', at: 820, count: 1 },
          ],
        },
      ],
    );
  });

  it('ask for bad events in the longer span, however little traffic is asked for', async () => {
    const own = level('idle', { objectives: { successRate: '> 99%' }, minimumTraffic: 1 });
    await tell(
      bench,
      [own],
      [
        {
          name: 'four runs in an hour, and all of them fail; and then four more',
          given: [
            ...events({ service_level: 'idle' }, '0x400', '0x60 1x1 2x1 3x1 4x20 5x1 6x1 7x1 8x300'),
            ...(await termsOf([own], forGood)),
            scraped(400),
          ],
          firing: [
            { alert: BURN, at: 72, count: 0, labels: 'severity="page"' },
            { alert: BURN, at: 95, count: 1, labels: 'severity="page"' },
          ],
        },
      ],
    );
  });

  it('ask for enough events in the longer span alone, and for enough bad ones and enough of all over the whole window', async () => {
    const slow = (name: string) => level(name, { objectives: { averageDuration: '< 30s' } });
    const levels = [
      level('thin', { objectives: { successRate: '> 99%' }, minimumTraffic: 40 }),
      level('four', { objectives: { successRate: '> 99%' }, minimumTraffic: 1 }),
      level('five', { objectives: { successRate: '> 99%' }, minimumTraffic: 1 }),
      slow('nine'),
      slow('twelve'),
    ];
    const timed = (name: string, runs: number): readonly Given[] => {
      const values = `0+1x${runs} ${runs}x300`;
      const labels = { service_level: name, objective: 'averageDuration', within: '30' };
      const seconds = `plumbline_service_level_seconds_total{platform="prod",service_level="${name}",objective="averageDuration",object="a",within="30",window="30d"}`;
      return [
        ...events(labels, values, `0x${runs + 300}`),
        { series: seconds, values: `0+100x${runs} ${runs * 100}x300` },
      ];
    };
    const of = (alert: string, name: string, count: number, at = 300): Firing => ({
      alert: `PlumblineServiceLevel${alert}`,
      at,
      count,
      labels: `service_level="${name}"`,
    });
    await tell(bench, levels, [
      {
        name: 'thin traffic',
        given: [
          // One run a minute: never forty in five minutes, and sixty in an hour.
          ...events({ service_level: 'thin' }, '0+1x120 120x280', '0x120 0+1x280'),
          ...events({ service_level: 'four' }, '0+1x300 300x100', '0x100 4x300'),
          ...events({ service_level: 'five' }, '0+1x300 300x100', '0x100 5x300'),
          ...timed('nine', 9),
          ...timed('twelve', 12),
          ...(await termsOf(levels, forGood)),
          scraped(400),
        ],
        firing: [
          { ...of('BudgetBurn', 'thin', 1, 150), labels: 'service_level="thin",severity="page"' },
          of('Missed', 'four', 0),
          of('Missed', 'five', 1),
          of('Average', 'nine', 0, 100),
          of('Average', 'twelve', 1, 100),
        ],
      },
    ]);
  });

  it('go on telling of an age while a scrape fails, and hold it against the target as it is now', async () => {
    const [before, after] = ['< 1h', '< 30m'].map((freshness) => level('fresh', { objectives: { freshness } }));
    if (before === undefined || after === undefined) throw new Error('there are no levels');
    const last = 'platform="prod",service_level="fresh",objective="freshness",object="a"';
    const target = ({ series }: Given): boolean => series.startsWith('plumbline_service_level_target');
    const once = (await termsOf([before], (value) => `${value}x149 stale`)).filter(target);
    const now = (await termsOf([after], (value) => `_x150 ${value}x250`)).filter(target);
    const rest = (await termsOf([after], forGood)).filter((one) => !target(one));
    const stale = (at: number, count: number): Firing => ({ alert: 'PlumblineServiceLevelStale', at, count });
    await tell(
      bench,
      [before],
      [
        {
          name: 'no success any more',
          given: [
            { series: `plumbline_service_level_last_good_timestamp_seconds{${last}}`, values: '0x100 stale 0x299' },
            ...once,
            ...now,
            ...rest,
            scraped(400),
          ],
          firing: [
            stale(58, 0),
            stale(70, 1),
            stale(101, 1),
            stale(102, 1),
            stale(152, 1),
            stale(155, 1),
            stale(300, 1),
          ],
        },
      ],
    );
  });

  it('tell the right people, with the right words, that nothing is measured any more, and only that when all is gone', async () => {
    const alerts = {
      page: true,
      ticket: true,
      contacts: ['team-orders', 'on-call'],
      runbook: 'https://runbooks.example.com/orders',
    };
    const own = level('orders', { objectives: { successRate: '> 99%' }, alerts });
    const until = (minutes: number) => (value: string) => `${value}x${minutes} stale`;
    const measured = (minutes: number) => events({ service_level: 'orders' }, until(minutes)('0'), until(minutes)('0'));
    const counted = { series: 'plumbline_service_levels{platform="prod"}', values: '1x20 0x200' };
    const terms = (await termsOf([own], until(20))).filter(
      ({ series }) => !series.startsWith('plumbline_service_levels'),
    );
    const none = (at: number): Firing => ({ alert: 'PlumblineServiceLevelAbsent', at, count: 0 });
    await tell(
      bench,
      [own],
      [
        {
          name: 'its holder has vanished, and then everything',
          given: [
            { series: 'plumbline_build_info{version="1"}', values: '1x60 stale' },
            ...measured(20),
            ...terms,
            { ...counted, values: '1x20 stale' },
          ],
          told: [
            {
              alert: 'PlumblineServiceLevelAbsent',
              at: 45,
              labels: {
                severity: 'ticket',
                platform: 'prod',
                service_level: 'orders',
                window: '30d',
                contacts: 'team-orders,on-call',
              },
              annotations: {
                summary: 'Nothing is measured for the service level orders on prod.',
                description:
                  'Its metrics are absent, and nobody who holds the platform says that it is not in force any more: see which replica should, and whether it is scraped.',
                runbook_url: 'https://runbooks.example.com/orders',
              },
            },
          ],
          firing: [
            none(25),
            none(110),
            { alert: 'PlumblineAbsent', at: 30, count: 0 },
            { alert: 'PlumblineAbsent', at: 110, count: 1, labels: 'severity="page"' },
          ],
        },
        {
          name: 'it was taken back: its holder says that none is in force',
          given: [scraped(200), ...measured(20), ...terms, counted],
          firing: [none(45), none(100)],
        },
        {
          name: 'it was never measured',
          given: [scraped(200)],
          firing: [none(45), none(100)],
        },
      ],
    );
  });

  it('forget after a day what was measured once', async () => {
    const own = level('orders', { objectives: { successRate: '> 99%' } });
    const gone = (value: string): string => `${value}x20 stale`;
    const terms = (await termsOf([own], gone)).filter(({ series }) => !series.startsWith('plumbline_service_levels{'));
    await tell(
      bench,
      [own],
      [
        {
          name: 'a platform that was taken out of the configuration',
          given: [scraped(1600), ...events({ service_level: 'orders' }, gone('0'), gone('0')), ...terms],
          firing: [
            { alert: 'PlumblineServiceLevelAbsent', at: 1400, count: 1 },
            { alert: 'PlumblineServiceLevelAbsent', at: 1480, count: 0 },
          ],
        },
      ],
    );
  });

  it('tell of a reconciler that does not converge, of drift, a stale source, a platform that is down, withheld deletes and a shard without a holder', async () => {
    const here = 'sync="orders",platform="prod"';
    const [bad, good, off] = ['bad', 'good', 'off'].map((sync) => `sync="${sync}",platform="prod"`);
    const one = (name: string, at: number, count: number): Firing => ({ alert: `Plumbline${name}`, at, count });
    await tell(
      bench,
      [],
      [
        {
          name: 'reconciler',
          given: [
            scraped(300),
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
            // Shard 0 has a holder all the time, shard 1 none from the second hour on, and one replica is not there any more.
            ...['0', '1'].map((shard) => ({
              series: `plumbline_shard_held{shard="${shard}",instance="a"}`,
              values: shard === '0' ? '1x300' : '1x60 0x240',
            })),
            ...['0', '1'].map((shard) => ({
              series: `plumbline_shard_held{shard="${shard}",instance="b"}`,
              values: '0x60 stale',
            })),
            { series: `plumbline_problems{${here},severity="error"}`, values: '0x60 2x240' },
            { series: `plumbline_problems{${here},severity="warning"}`, values: '9x300' },
            { series: 'plumbline_queue_oldest_seconds', values: '0x60 1900x240' },
            { series: 'plumbline_deliveries_total{handler="crm",kind="webhook",result="dead"}', values: '0x195 1x105' },
            // The first that a new process has to tell.
            { series: 'plumbline_deliveries_total{handler="erp",kind="webhook",result="dead"}', values: '_x100 1x200' },
            { series: 'plumbline_deliveries_total{handler="hr",kind="webhook",result="dead"}', values: '_x100 0x200' },
          ],
          firing: [
            ...[
              'NotConverging',
              'DriftPersists',
              'SourceStale',
              'PlatformDown',
              'DeletesWithheld',
              'ConfigurationRefused',
              'LeaderMissing',
              'ManifestProblems',
              'QueueStuck',
            ].flatMap((name) => [one(name, 55, 0), one(name, 200, 1)]),
            one('NeverConverged', 55, 0),
            one('NeverConverged', 100, 1),
            one('ExecutionsLost', 190, 0),
            one('ExecutionsLost', 210, 1),
            one('DeadLetters', 99, 0),
            { alert: 'PlumblineDeadLetters', at: 130, count: 1, labels: 'handler="erp"' },
            one('DeadLetters', 130, 1),
            one('DeadLetters', 190, 0),
            { alert: 'PlumblineDeadLetters', at: 200, count: 1, labels: 'handler="crm"' },
            one('DeadLetters', 200, 1),
            { alert: 'PlumblineLeaderMissing', at: 200, count: 1, labels: 'shard="1",severity="page"' },
            one('Absent', 200, 0),
          ],
        },
      ],
    );
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
