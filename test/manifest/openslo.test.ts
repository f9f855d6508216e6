import { expect } from 'chai';
import { stringify } from 'yaml';
import { toOpenSlo } from '../../src/manifest/openslo.ts';
import { valueAt } from '../../src/manifest/pointer.ts';
import { load, specOf, told, yaml } from './loading.ts';

const workflow = yaml('Workflow', 'orders', 'spec: {definition: {}}');
const written = toOpenSlo('orders', {
  title: 'Orders',
  selector: { kind: 'Workflow', names: ['orders'] },
  window: '28d',
  objectives: [
    { name: 'successRate', operator: '>', value: 0.99, share: 0.99 },
    { name: 'durationP95', operator: '<', value: 30, share: 0.95 },
  ],
});
const files = (documents: readonly unknown[]) => ({
  'slo.yaml': documents.map((one) => stringify(one)).join('---\n'),
  'workflow.yaml': workflow,
});

describe('OpenSLO', () => {
  it('is written as one SLO per objective, and read again as service levels that promise the same', async () => {
    expect(written.map((one) => [one['apiVersion'], one['kind']])).to.deep.equal([
      ['openslo/v1', 'SLO'],
      ['openslo/v1', 'SLO'],
    ]);
    const desired = await load(files(written));
    expect(told(desired)).to.deep.equal([]);
    expect(await specOf(desired, 'ServiceLevel/orders-successrate')).to.deep.include({
      title: 'Orders',
      selector: { kind: 'Workflow', names: ['orders'] },
      window: '28d',
      objectives: { successRate: '> 99%' },
      objects: ['orders'],
    });
    expect(await specOf(desired, 'ServiceLevel/orders-durationp95')).to.deep.include({
      objectives: { durationP95: '< 30s' },
    });
  });

  it('keeps what it has no words for: alerts, traffic, and a target that must not just be reached', async () => {
    const alerts = { page: true, ticket: false, contacts: ['a, b', 'c'], runbook: 'https://x.example/?a="b"' };
    const selector = { kind: 'Workflow', matchLabels: { team: 'orders', tier: '1' } } as const;
    const promises = { successRate: ['>', '>='], errorRate: ['<', '<='], durationP95: ['<', '<='], freshness: ['<'] };
    for (const [name, operators] of Object.entries(promises))
      for (const operator of operators) {
        const objective = { name: name as 'errorRate', operator, value: name.endsWith('Rate') ? 0.07 : 30 };
        const share = { successRate: 0.07, errorRate: 0.93, durationP95: 0.95, freshness: 0.99 }[name] ?? 0;
        const one = { title: 'Orders', selector, window: '28d', alerts, minimumTraffic: 7 };
        const desired = await load(files(toOpenSlo('orders', { ...one, objectives: [{ ...objective, share }] })));
        expect(told(desired)).to.deep.equal([]);
        expect(await specOf(desired, 'ServiceLevel/orders')).to.deep.equal({
          ...one,
          objectives: { [name]: `${operator} ${name.endsWith('Rate') ? '7%' : '30s'}` },
          objects: [],
        });
      }
  });

  it('with several objectives becomes a service level for each, called by what people see or by its place', async () => {
    // As others write it: a target that is just reached is met.
    const [slo, timed] = JSON.parse(JSON.stringify(written).replaceAll(',"operator":">"', '')) as typeof written;
    const spec = slo?.['spec'] as Record<string, unknown>;
    const tiers = [
      { displayName: 'Good enough', target: 0.99 },
      { targetPercent: 99.9 },
      { displayName: 'Sehr schön', target: 0.999_9 },
    ];
    const desired = await load(files([{ ...slo, spec: { ...spec, objectives: tiers } }]));
    expect(told(desired)).to.deep.equal([]);
    const levels = [...desired.manifests.values()].filter(({ key }) => key.startsWith('ServiceLevel/'));
    expect(levels.map(({ key }) => key)).to.have.members([
      'ServiceLevel/orders-successrate-good-enough',
      'ServiceLevel/orders-successrate-2',
      'ServiceLevel/orders-successrate-sehr-schon',
    ]);
    expect(await specOf(desired, 'ServiceLevel/orders-successrate-good-enough')).to.deep.include({
      title: 'Good enough',
      window: '28d',
      objectives: { successRate: '>= 99%' },
      objects: ['orders'],
    });
    expect(await specOf(desired, 'ServiceLevel/orders-successrate-2')).to.deep.include({
      title: 'Orders',
      objectives: { successRate: '>= 99.9%' },
    });
    // Each with an indicator of its own.
    const indicators = [slo, timed].map((one) => valueAt(one, ['spec', 'indicator']));
    const composed = await load(
      files([
        {
          ...timed,
          metadata: { ...(timed?.['metadata'] as object), name: 'both' },
          spec: {
            ...spec,
            indicator: undefined,
            objectives: [
              { displayName: 'Runs', target: 0.99, indicator: indicators[0] },
              { displayName: 'Times', op: 'lte', value: 30, target: 0.95, indicator: indicators[1] },
            ],
          },
        },
      ]),
    );
    expect(told(composed)).to.deep.equal([]);
    expect(await specOf(composed, 'ServiceLevel/both-runs')).to.deep.include({
      objectives: { successRate: '>= 99%' },
    });
    expect(await specOf(composed, 'ServiceLevel/both-times')).to.deep.include({
      objectives: { durationP95: '<= 30s' },
    });
  });

  it('with a flaw in one of several objectives leaves all of them as they are, and says which one it is', async () => {
    const [slo] = written;
    const spec = slo?.['spec'] as Record<string, unknown>;
    const objectives = [{ displayName: 'Good', target: 0.99 }, { displayName: 'Bad' }];
    const desired = await load(files([{ ...slo, spec: { ...spec, objectives } }]));
    expect(told(desired)).to.have.lengthOf(1);
    expect(told(desired)[0]).to.match(/slo\.yaml:\d+:\d+: error.*has not what its indicator needs/);
    expect([...desired.unknown.keys]).to.have.members([
      'ServiceLevel/orders-successrate-good',
      'ServiceLevel/orders-successrate-bad',
    ]);
  });

  it('is refused where it says what is not measured, at its place', async () => {
    const [slo] = written;
    const spec = slo?.['spec'] as Record<string, unknown>;
    const timed = { indicator: valueAt(written[1], ['spec', 'indicator']) };
    const wrong: readonly (readonly [Record<string, unknown>, RegExp])[] = [
      [{ indicator: { spec: { ratioMetric: {} } } }, /the indicator is not one that Plumbline measures/],
      [{ indicatorRef: 'x', indicator: undefined }, /the indicator is not one that Plumbline measures/],
      [{ budgetingMethod: 'Timeslices' }, /budgetingMethod "Timeslices" is not measured\. Write Occurrences/],
      [{ timeWindow: [{ duration: '1M', calendar: {} }] }, /the time window is not a rolling one/],
      [{ objectives: [] }, /no objective is given/],
      [
        { objectives: [{ target: 0.9, indicator: spec['indicator'] }] },
        /the SLO and its objective both have an indicator/,
      ],
      [{ alertPolicies: ['x'] }, /alert policies of OpenSLO are not read/],
      [{ objectives: [{}] }, /has not what its indicator needs/],
      [{ objectives: [{ target: 0.9, targetPercent: 90 }] }, /both target and targetPercent are given/],
      [
        {
          timeWindow: [
            { duration: '28d', isRolling: true },
            { duration: '7d', isRolling: true },
          ],
        },
        /a second time window is not measured/,
      ],
      [{ ...timed, objectives: [{ op: 'gt', value: 30 }] }, /op "gt" is not measured of a time\. Write lt or lte/],
      [{ ...timed, objectives: [{ value: 30, target: 0.95 }] }, /op null is not measured of a time/],
      [
        { ...timed, objectives: [{ op: 'lt', value: 30, target: 0.9 }] },
        /durationP95 is measured as 95 % of events, not 90 %\. Write target: 0\.95/,
      ],
    ];
    for (const [change, expected] of wrong) {
      const desired = await load(files([{ ...slo, spec: { ...spec, ...change } }]));
      expect(told(desired).join('\n'), JSON.stringify(change))
        .to.match(expected)
        .and.match(/slo\.yaml:\d+:\d+: error/);
      expect([...desired.unknown.keys]).to.deep.equal(['ServiceLevel/orders-successrate']);
    }
    const annotations = { 'plumbline.dev/alerts': 'loud' };
    const loud = await load(files([{ ...slo, metadata: { ...(slo?.['metadata'] as object), annotations } }]));
    expect(told(loud).join()).to.match(/slo\.yaml:\d+:\d+: error.*plumbline\.dev\/alerts is not JSON/);
    const other = await load(files([{ apiVersion: 'openslo/v1', kind: 'AlertPolicy', metadata: { name: 'x' } }]));
    expect(told(other).join()).to.match(/AlertPolicy of OpenSLO is not read/);
  });
});
