import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { Desk, document, workflow } from './desk.ts';

const NAMES = Array.from({ length: 20 }, (_, index) => `w${index}`);
const ROLE = { permissions: [{ on: 'workflow', verbs: ['read'] }] };

describe('The look of a commit', () => {
  let desk: Desk;
  beforeEach(async () => {
    desk = new Desk();
    for (const name of NAMES) desk.write(`${name}.yaml`, workflow(name, 'one'));
    await desk.pass();
    desk.writes();
    desk.driver.looks.splice(0);
    desk.driver.listedObjects = 0;
  });
  afterEach(() => desk.close());

  it('is at the objects that the commit touches, and no others (law 10)', async () => {
    desk.write('w3.yaml', workflow('w3', 'two'));
    desk.driver.edit('Workflow', 'w4', { title: 'w4', definition: { step: 'by hand' } });
    const report = await desk.commit();
    expect(report.look).to.equal('commit');
    expect(desk.writes()).to.deep.equal(['update Workflow/w3']);
    expect(desk.driver.listedObjects).to.equal(1);
  });

  it('sees removals, renames and new objects', async () => {
    desk.delete('w1.yaml');
    desk.write('w2.yaml', workflow('second', 'one', { metadata: { renamedFrom: ['w2'] } }));
    desk.write('x.yaml', workflow('x', 'one'));
    const report = await desk.commit();
    expect(report.look).to.equal('commit');
    expect(desk.writes()).to.have.members(['create Workflow/x', 'update Workflow/second', 'delete Workflow/w1']);
    expect(desk.driver.titles('Workflow')).to.have.length(20);
  });

  it('does not overlook a change that is not one of content', async () => {
    const disable = { annotations: { 'plumbline.dev/reconcile': 'disabled' } };
    desk.write('w5.yaml', workflow('w5', 'one', { metadata: disable }));
    await desk.commit();
    desk.driver.edit('Workflow', 'w5', { title: 'w5', definition: { step: 'by hand' } });
    await desk.pass();
    expect(desk.writes()).to.deep.equal([]);
    desk.write('w5.yaml', workflow('w5', 'one'));
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['update Workflow/w5']);
  });

  it('does not overlook that data may be lost now', async () => {
    desk.driver.put({ ...desk.driver.named('Workflow', 'w5'), holds: '3 executions' });
    const annotations = { 'plumbline.dev/allow-data-loss': 'true' };
    desk.write('w5.yaml', workflow('w5', 'one', { metadata: { annotations } }));
    await desk.commit();
    desk.delete('w5.yaml');
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['delete Workflow/w5']);
  });

  it('does not overlook that other fields are ignored now', async () => {
    desk.driver.edit('Workflow', 'w5', { title: 'w5', definition: { step: 'one', zone: 'UTC' } });
    desk.terms = { gracePeriod: 1000 };
    await desk.pass();
    desk.write('w5.yaml', workflow('w5', 'one', { spec: { ignoreFields: ['/zone'] } }));
    const report = await desk.commit();
    expect(report.plan?.withheld).to.deep.equal([]);
    expect(desk.writes()).to.deep.equal([]);
  });

  it('comes back to what was withheld or failed before, whatever the commit touches', async () => {
    desk.driver.beforeWrite = ({ change }) => {
      if (change.key === 'Workflow/w6') throw new ReconcilerError('no', 'backoff');
    };
    desk.write('w6.yaml', workflow('w6', 'two'));
    await desk.commit();
    desk.driver.beforeWrite = () => undefined;
    desk.writes();
    desk.write('w7.yaml', workflow('w7', 'two'));
    await desk.commit();
    expect(desk.writes()).to.have.members(['update Workflow/w6', 'update Workflow/w7']);
  });

  it('after a pass that ended in an error everything is looked at', async () => {
    desk.write('w6.yaml', workflow('w6', 'two'));
    const observe = desk.driver.observe.bind(desk.driver);
    desk.driver.observe = () => {
      throw new ReconcilerError('unreachable', 'backoff');
    };
    expect((await desk.commit()).result).to.equal('failed');
    desk.driver.observe = observe;
    const report = await desk.commit();
    expect(report.look).to.equal('full');
    expect(desk.writes()).to.deep.equal(['update Workflow/w6']);
  });

  it('that could not see everything is followed by one at everything', async () => {
    desk.delete('w1.yaml');
    desk.driver.broken = ['Workflow'];
    await desk.commit();
    expect(desk.writes()).to.deep.equal([]);
    desk.driver.broken = [];
    expect((await desk.commit()).look).to.equal('full');
    expect(desk.writes()).to.deep.equal(['delete Workflow/w1']);
  });

  it('does not take an object of ours that it does not look at for an unowned one', async () => {
    desk.write('crm.yaml', document('Integration', 'crm', { title: 'CRM', type: 'http', settings: {} }));
    await desk.commit();
    desk.driver.put({ ...desk.driver.named('Integration', 'CRM'), title: 'Other' });
    desk.writes();
    desk.terms = { ...desk.terms, adopt: 'matching', approvals: {}, drift: 'report' };
    desk.write('other.yaml', document('Integration', 'other', { title: 'Other', type: 'http', settings: {} }));
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['create Integration/other']);
  });

  it('does not delete what an object refers to that was left alone by an earlier commit', async () => {
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    desk.write('w5.yaml', workflow('w5', 'one', { uses: ['crm'] }));
    await desk.commit();
    const annotations = { 'plumbline.dev/reconcile': 'disabled' };
    desk.write('w5.yaml', workflow('w5', 'two', { metadata: { annotations } }));
    await desk.commit();
    desk.delete('crm.yaml');
    desk.writes();
    const report = await desk.commit();
    expect(report.look).to.equal('commit');
    expect(desk.writes()).to.deep.equal([]);
    expect(report.plan?.withheld).to.have.nested.property('[0].code', 'dependency');
  });

  it('sees who has a role before it deletes the role', async () => {
    desk.write('r.yaml', document('AccessRole', 'operator', ROLE));
    await desk.pass();
    desk.driver.put({ kind: 'AccessGrant', remote: 'g', title: 'bob', value: { role: 'operator' } });
    desk.delete('r.yaml');
    desk.writes();
    const report = await desk.commit();
    expect(desk.writes()).to.deep.equal([]);
    expect(report.plan?.withheld).to.have.nested.property('[0].code', 'unmanaged-members');
  });

  it('is none where a person approves or releases something, or asks for a few objects', async () => {
    desk.write('w6.yaml', workflow('w6', 'two'));
    desk.terms = { gracePeriod: 0, approvals: { adopt: true } };
    expect((await desk.commit({ only: ['Workflow/w6'] })).look).to.equal('full');
    expect(desk.writes()).to.deep.equal(['update Workflow/w6']);
    desk.terms = { gracePeriod: 0 };
    expect((await desk.commit()).look).to.equal('full');
  });

  it('what "only" left out is not forgotten by the next one', async () => {
    desk.write('w6.yaml', workflow('w6', 'two'));
    desk.write('w7.yaml', workflow('w7', 'two'));
    await desk.commit({ only: ['Workflow/w6'] });
    desk.writes();
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['update Workflow/w7']);
  });
});
