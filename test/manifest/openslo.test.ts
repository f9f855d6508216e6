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

  it('is refused where it says what is not measured, at its place', async () => {
    const [slo] = written;
    const spec = slo?.['spec'] as Record<string, unknown>;
    const wrong: readonly (readonly [Record<string, unknown>, RegExp])[] = [
      [{ indicator: { spec: { ratioMetric: {} } } }, /the indicator is not one that Plumbline measures/],
      [{ indicatorRef: 'x', indicator: undefined }, /the indicator is not one that Plumbline measures/],
      [{ budgetingMethod: 'Timeslices' }, /budgetingMethod "Timeslices" is not measured\. Write Occurrences/],
      [{ timeWindow: [{ duration: '1M', calendar: {} }] }, /the time window is not a rolling one/],
      [{ objectives: [{ target: 0.9 }, { target: 0.99 }] }, /not exactly one objective/],
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
