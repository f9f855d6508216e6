import { expect } from 'chai';
import { stringify } from 'yaml';
import { toOpenSlo } from '../../src/manifest/openslo.ts';
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
      // A target of OpenSLO that is just reached is met.
      objectives: { successRate: '>= 99%' },
      objects: ['orders'],
    });
    expect(await specOf(desired, 'ServiceLevel/orders-durationp95')).to.deep.include({
      objectives: { durationP95: '< 30s' },
    });
  });

  it('with several objectives becomes a service level for each, called by what people see or by its place', async () => {
    const [slo, timed] = written;
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
    const indicators = written.map((one) => (one['spec'] as Record<string, unknown>)['indicator']);
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
    ];
    for (const [change, expected] of wrong) {
      const desired = await load(files([{ ...slo, spec: { ...spec, ...change } }]));
      expect(told(desired).join('\n'), JSON.stringify(change))
        .to.match(expected)
        .and.match(/slo\.yaml:\d+:\d+: error/);
      expect([...desired.unknown.keys]).to.deep.equal(['ServiceLevel/orders-successrate']);
    }
    const other = await load(files([{ apiVersion: 'openslo/v1', kind: 'AlertPolicy', metadata: { name: 'x' } }]));
    expect(told(other).join()).to.match(/AlertPolicy of OpenSLO is not read/);
  });
});
