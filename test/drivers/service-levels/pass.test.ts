import { expect } from 'chai';
import type { Driver } from '../../../src/drivers/driver.ts';
import { withIntegrations } from '../../../src/drivers/integrations.ts';
import { withServiceLevels } from '../../../src/drivers/service-levels.ts';
import type { RegisteredServiceLevel } from '../../../src/drivers/service-level-register.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { PassReport } from '../../../src/report/pass-report.ts';
import { changes, WORKFLOW } from '../webhooks/samples.ts';
import { Office } from '../webhooks/office.ts';

const because = (report: PassReport): string => (report.plan?.withheld ?? []).map((one) => one.because).join();
const level = (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject => ({
  kind: 'ServiceLevel',
  metadata: { name: 'orders', ...metadata },
  spec: { objectives: { successRate: '> 99%' }, ...spec },
});

describe('A pass over service levels', () => {
  let office: Office;
  /** What the platform can tell. */
  let abilities: Partial<Driver>;

  beforeEach(async () => {
    office = await Office.open();
    abilities = { executions: async () => ({ executions: [], cursor: '' }) };
    office.wrap = (driver) => withServiceLevels(Object.assign(driver, abilities), office.ledger.serviceLevels, 'mint');
  });
  afterEach(() => office[Symbol.asyncDispose]());

  const only = (): RegisteredServiceLevel => {
    const [one, ...more] = office.ledger.serviceLevels.list();
    if (one === undefined || more.length > 0) throw new Error(`${more.length} others than the one`);
    return one;
  };

  it('creates, changes and deletes them beside what the platform has, and then finds nothing to do (law 1)', async () => {
    office.commit(level(), WORKFLOW);
    expect(changes(await office.pass())).to.have.members([
      'create ServiceLevel/orders (new): applied',
      'create Workflow/w (new): applied',
    ]);
    await office.quiet();
    expect(only().spec.objects).to.deep.equal(['w']);
    const { id } = only();
    office.commit(level({ title: 'Orders', objectives: { successRate: 'target > 99.5%' }, window: '28d' }), WORKFLOW);
    expect(changes(await office.pass())).to.deep.equal(['update ServiceLevel/orders (changed): applied']);
    expect(only()).to.deep.include({ id, name: 'orders' });
    expect(only().spec).to.deep.include({ window: '28d', objectives: { successRate: '> 99.5%' } });
    await office.quiet();
    office.commit(WORKFLOW);
    expect(changes(await office.pass())).to.deep.equal(['delete ServiceLevel/orders (removed): applied']);
    await office.quiet();
    expect(office.mint.store.list('workflows')).to.have.length(1);
  });

  it('shows a workflow that enters by its label as a difference of the service level', async () => {
    const labelled = (labels: JsonObject): JsonObject => ({ ...WORKFLOW, metadata: { name: 'w', labels } });
    office.commit(level({ selector: { matchLabels: { tier: '1' } } }), labelled({}));
    await office.pass();
    expect(only().spec.objects).to.deep.equal([]);
    office.commit(level({ selector: { matchLabels: { tier: '1' } } }), labelled({ tier: '1' }));
    const report = await office.pass();
    const change = report.plan?.stages.flat().find(({ kind }) => kind === 'ServiceLevel');
    expect(change && 'diff' in change && change.diff.map(({ path }) => path)).to.deep.equal(['/objects/0']);
    expect(only().spec.objects).to.deep.equal(['w']);
    await office.quiet();
  });

  it('reverts what was changed by hand, archived, and takes one over that lies there without an owner', async () => {
    office.commit(level(), WORKFLOW);
    await office.pass();
    const { id, name, platform, spec, marker, version } = only();
    const draft = { name, platform, spec: { ...spec, objectives: { successRate: '> 1%' } } };
    office.ledger.serviceLevels.update(id, { ...draft, ...(marker && { marker }) }, { by: 'mallory', version });
    const report = await office.pass();
    expect(changes(report)).to.deep.equal(['update ServiceLevel/orders (drift): applied']);
    expect(report.plan?.stages.flat()[0]).to.have.nested.property('who.by', 'mallory');
    expect(only().spec.objectives).to.deep.equal({ successRate: '> 99%' });
    expect(office.ledger.archived()[0]?.value()).to.have.nested.property('objectives.successRate', '> 1%');
    await office.quiet();
  });

  it('keeps what was counted under a new name', async () => {
    office.commit(level(), WORKFLOW);
    await office.pass();
    const { tallies } = office.ledger;
    tallies.keep([{ platform: 'mint', level: 'orders', objective: 'successRate', bound: 0, object: 'w' }], 1000);
    office.commit(level({}, { name: 'orders-new', renamedFrom: ['orders'] }), WORKFLOW);
    await office.pass();
    expect(only().name).to.equal('orders-new');
    expect(tallies.all().map((tally) => tally.level)).to.deep.equal(['orders-new']);
  });

  it('promises nothing that the platform does not tell (law 15)', async () => {
    abilities = { untimed: true, executions: async () => ({ executions: [], cursor: '' }) };
    office.commit(level({ objectives: { durationP95: '< 30s', successRate: '> 99%' } }), WORKFLOW);
    const report = await office.pass();
    expect(because(report)).to.include('mint does not tell how long runs take, so that durationP95 cannot');
    expect(office.ledger.serviceLevels.list()).to.deep.equal([]);
    office.commit(level(), WORKFLOW);
    expect((await office.pass()).result).to.equal('applied');
  });

  it('refuses workflows where the platform tells of no runs, and takes what can be measured there', async () => {
    abilities = {};
    office.commit(level(), WORKFLOW);
    expect(because(await office.pass())).to.include('the mint driver does not tell of runs');
    office.commit(level({ selector: { kind: 'Platform' }, objectives: { latencyP99: '< 500ms' } }), WORKFLOW);
    expect(changes(await office.pass())).to.deep.equal(['create ServiceLevel/orders (new): applied']);
    await office.quiet();
  });

  it('takes Integrations that run code, and none that do not: of those nothing can be measured (law 15)', async () => {
    const crm = (spec: JsonObject): JsonObject => ({
      kind: 'Integration',
      metadata: { name: 'crm' },
      spec: { type: 'http', ...spec },
    });
    const quality = level({
      selector: { kind: 'Integration', names: ['crm'] },
      objectives: { dataQuality: '> 99%', syncLatency: '< 60s' },
    });
    office.commit(quality, crm({}));
    const report = await office.pass();
    expect(report.problems.map(({ message }) => message).join()).to.include('Integration/crm has no code');
    expect(office.ledger.serviceLevels.list()).to.deep.equal([]);
    const { wrap } = office;
    office.wrap = (driver) => withIntegrations(wrap(driver), office.ledger.integrations, 'mint');
    office.commit(quality, crm({ code: { repository: 'https://git.example.com/crm-sync.git' } }));
    expect(changes(await office.pass())).to.include('create ServiceLevel/orders (new): applied');
    expect(only().spec.objects).to.deep.equal(['crm']);
    await office.quiet();
  });

  it('deletes none while a manifest of the source cannot be read (law 3), and makes them anew when the ledger is lost (law 7)', async () => {
    office.commit(level(), WORKFLOW);
    await office.pass();
    office.commit(WORKFLOW, level({ objectives: { successRate: 'much' } }, { name: 'broken' }));
    expect(changes(await office.pass())).to.deep.equal([]);
    expect(only().name).to.equal('orders');
    office.commit(level(), WORKFLOW);
    office.loseLedger();
    expect(changes(await office.pass())).to.deep.equal(['create ServiceLevel/orders (new): applied']);
    await office.quiet();
  });
});
