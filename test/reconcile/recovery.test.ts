import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { Desk, document, workflow } from './desk.ts';

describe('A pass after something went wrong', () => {
  let desk: Desk;
  beforeEach(() => {
    desk = new Desk();
  });
  afterEach(() => desk.close());

  it('a failed change leaves the others alone, and is tried again by the next commit pass (law 8)', async () => {
    for (const name of ['a', 'b', 'c']) desk.write(`${name}.yaml`, workflow(name, 'one'));
    desk.driver.beforeWrite = ({ change }) => {
      if (change.key === 'Workflow/b') throw new ReconcilerError('no', 'backoff');
    };
    expect((await desk.pass()).result).to.equal('partly-failed');
    expect(desk.driver.titles('Workflow')).to.have.members(['a', 'c']);
    desk.driver.beforeWrite = () => undefined;
    desk.writes();
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['create Workflow/b']);
  });

  it('a create whose outcome is unknown is looked for before it is tried again (law 6)', async () => {
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {} }));
    desk.write('a.yaml', workflow('a', 'one'));
    desk.driver.beforeWrite = ({ change }) => {
      const { key, kind, title } = change;
      // It lands, and the answer is lost.
      const value =
        kind === 'Integration' ? { title, type: 'http', settings: {} } : { title, definition: { step: 'one' } };
      const marker = { owner: 'default/orders', key, how: 'created' } as const;
      desk.driver.put({ kind, remote: `lost-${title}`, title, value, ...(kind === 'Workflow' ? { marker } : {}) });
      throw new ReconcilerError('connection reset', 'backoff', { code: 'outcome-unknown' });
    };
    await desk.pass();
    desk.restart();
    desk.driver.beforeWrite = () => undefined;
    desk.writes();
    await desk.pass();
    expect(desk.writes()).to.deep.equal([]);
    const view = desk.ledger.view({ sync: 'orders', platform: 'memory' });
    expect([...view.owned.values()].map(({ remote }) => remote)).to.have.members(['lost-crm', 'lost-a']);
    expect(view.intents).to.deep.equal([]);
  });

  it('an abort at any write leaves nothing twice and nothing lost (law 6)', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (let at = 0; at < names.length; at += 1) {
      const one = new Desk();
      try {
        for (const name of names) one.write(`${name}.yaml`, workflow(name, 'one'));
        const controller = new AbortController();
        let count = 0;
        one.driver.beforeWrite = () => {
          if (count === at) controller.abort(new Error('stopping'));
          count += 1;
        };
        const report = await one.pass({}, controller.signal);
        expect(report.outcomes).to.have.length(names.length);
        one.driver.beforeWrite = () => undefined;
        await one.pass();
        expect(one.driver.titles('Workflow').toSorted()).to.deep.equal(names);
      } finally {
        one.close();
      }
    }
  });

  it('a rename that fails keeps the object owned, and the next pass renames it', async () => {
    desk.write('a.yaml', workflow('old', 'one'));
    await desk.pass();
    desk.write('a.yaml', workflow('new', 'one', { metadata: { renamedFrom: ['old'] } }));
    desk.driver.beforeWrite = () => {
      throw new ReconcilerError('no', 'backoff');
    };
    await desk.pass();
    expect(desk.ledger.ownedCount({ sync: 'orders', platform: 'memory' })).to.equal(1);
    desk.driver.beforeWrite = () => undefined;
    await desk.commit();
    expect(desk.driver.objects.size).to.equal(1);
    expect(desk.driver.named('Workflow', 'new').marker).to.include({ key: 'Workflow/new' });
    const { owned } = desk.ledger.view({ sync: 'orders', platform: 'memory' });
    expect([...owned.keys()]).to.deep.equal(['Workflow/new']);
  });

  it('the loss of the ledger writes nothing but secrets, and those once (law 7)', async () => {
    desk.env['ORDERS_KEY'] = 'value';
    const secrets = { value: { valueFrom: { env: 'ORDERS_KEY' } } };
    desk.write('crm.yaml', document('Integration', 'crm', { type: 'http', settings: {}, secrets }));
    desk.write('a.yaml', workflow('a', 'one', { uses: ['crm'] }));
    desk.write('r.yaml', document('AccessRole', 'operator', { permissions: [{ on: 'workflow', verbs: ['read'] }] }));
    await desk.pass();
    desk.writes();
    desk.loseLedger();
    desk.driver.put({ ...desk.driver.named('Workflow', 'a'), remote: 'copy', createdAt: 99 });
    desk.driver.put({ ...desk.driver.named('Workflow', 'a'), createdAt: 1 });
    await desk.pass();
    expect(desk.writes()).to.deep.equal(['update Integration/crm']);
    expect((await desk.pass()).result).to.equal('in-sync');
  });

  it('the grace period of drift goes on over a restart', async () => {
    desk.terms = { gracePeriod: 600_000 };
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    desk.driver.edit('Workflow', 'a', { title: 'a', definition: { step: 'by hand' } });
    expect((await desk.pass()).plan?.withheld).to.have.nested.property('[0].code', 'grace-period');
    desk.restart();
    desk.now += 599_999;
    await desk.pass();
    desk.writes();
    desk.restart();
    desk.now += 1;
    await desk.pass();
    expect(desk.writes()).to.deep.equal(['update Workflow/a']);
  });

  it('when the archive fails, nothing is overwritten or deleted, and the rest goes on (law 14)', async () => {
    for (const name of ['a', 'b']) desk.write(`${name}.yaml`, workflow(name, 'one'));
    await desk.pass();
    desk.driver.edit('Workflow', 'a', { title: 'a', definition: { step: 'by hand' } });
    desk.delete('b.yaml');
    desk.write('c.yaml', workflow('c', 'one'));
    const journal = desk.ledger.journal.bind(desk.ledger);
    desk.ledger.journal = (scope) => {
      const real = journal(scope);
      real.archive = () => {
        throw new ReconcilerError('disk full', 'backoff', { remedy: 'Make room.' });
      };
      return real;
    };
    desk.writes();
    const report = await desk.pass();
    expect(desk.writes()).to.deep.equal(['create Workflow/c']);
    const failed = report.outcomes.filter((outcome) => outcome.status === 'failed');
    expect(failed.map(({ error }) => error.code)).to.deep.equal(['archive-failed', 'archive-failed']);
    expect(failed[0]?.error.remedy).to.equal('Make room.');
  });
});
