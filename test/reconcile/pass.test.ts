import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { PassMemory } from '../../src/reconcile/memory.ts';
import { Desk, document, workflow } from './desk.ts';

const CRM = document('Integration', 'crm', {
  type: 'http',
  settings: {},
  secrets: { value: { valueFrom: { env: 'ORDERS_KEY' } } },
});

describe('A pass', () => {
  let desk: Desk;
  beforeEach(() => {
    desk = new Desk();
    desk.env['ORDERS_KEY'] = 'CANARY-4711-secret';
  });
  afterEach(() => desk.close());

  it('converges, and then finds nothing to do (law 1)', async () => {
    desk.write('a.yaml', workflow('a', 'one', { uses: ['crm'] }));
    desk.write('crm.yaml', CRM);
    expect((await desk.pass()).result).to.equal('applied');
    expect(desk.writes()).to.deep.equal(['create Integration/crm', 'create Workflow/a']);
    expect((await desk.pass()).result).to.equal('in-sync');
  });

  it('that is quiet writes nothing to platform and ledger, and asks for the listing only (law 10)', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    desk.write('crm.yaml', CRM);
    await desk.pass();
    desk.writes();
    desk.driver.looks.splice(0);
    const { probes } = desk.driver;
    const recorded: unknown[] = [];
    const journal = desk.ledger.journal.bind(desk.ledger);
    desk.ledger.journal = (scope) => {
      const real = journal(scope);
      const record = real.record.bind(real);
      real.record = (records) => {
        recorded.push(...records);
        record(records);
      };
      return real;
    };
    const before = desk.ledger.view({ sync: 'orders', platform: 'memory' });
    const report = await desk.pass();
    expect(report.result).to.equal('in-sync');
    expect(desk.writes()).to.deep.equal([]);
    expect(recorded).to.deep.equal([]);
    expect(desk.driver.looks).to.have.length(1);
    expect(desk.driver.probes).to.equal(probes);
    expect(desk.ledger.view({ sync: 'orders', platform: 'memory' })).to.deep.equal(before);
  });

  it('that only plans writes nothing at all, and leaves the next one nothing out', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    const report = await desk.pass({ mode: 'plan' });
    expect(report.result).to.equal('planned');
    expect(desk.writes()).to.deep.equal([]);
    expect(desk.ledger.ownedCount({ sync: 'orders', platform: 'memory' })).to.equal(0);
    await desk.commit();
    expect(desk.writes()).to.deep.equal(['create Workflow/a']);
  });

  it('refuses a saved plan that does not hold any more, and carries out one that does', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    const saved = (await desk.pass({ mode: 'plan' })).plan?.fingerprint ?? '';
    desk.write('b.yaml', workflow('b', 'one'));
    const report = await desk.pass({ expect: saved });
    expect(report.error).to.have.property('code', 'stale-plan');
    expect(desk.writes()).to.deep.equal([]);
    desk.delete('b.yaml');
    await desk.pass({ expect: saved });
    expect(desk.writes()).to.deep.equal(['create Workflow/a']);
  });

  it('refuses a saved plan after the platform changed', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    desk.write('a.yaml', workflow('a', 'two'));
    const saved = (await desk.pass({ mode: 'plan' })).plan?.fingerprint ?? '';
    desk.driver.edit('Workflow', 'a', { title: 'a', definition: { step: 'by hand' } });
    expect((await desk.pass({ expect: saved })).error).to.have.property('code', 'stale-plan');
  });

  it('shows no secret in its plan, report or errors (law 9)', async () => {
    desk.write('crm.yaml', CRM);
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    const leak = {
      title: 'a',
      definition: { step: 'one', code: 'send("CANARY-4711-secret")', list: ['CANARY-4711-secret'] },
    };
    desk.driver.edit('Workflow', 'a', leak);
    desk.terms = { gracePeriod: 1000 };
    const report = await desk.pass();
    expect(report.plan?.withheld).to.have.length(1);
    expect(JSON.stringify(report)).to.not.contain('CANARY');
  });

  it('leaves open whether a workflow is active where its manifest does, and sets it where it does not (law 11)', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    desk.write('b.yaml', workflow('b', 'one', { spec: { active: true } }));
    await desk.pass();
    desk.writes();
    desk.driver.edit('Workflow', 'a', { ...desk.driver.named('Workflow', 'a').value, active: true });
    desk.driver.edit('Workflow', 'b', { ...desk.driver.named('Workflow', 'b').value, active: false });
    await desk.pass();
    expect(desk.writes()).to.deep.equal(['update Workflow/b']);
  });

  it('withholds what the platform would refuse, with what needs it, before the first write (laws 12 and 13)', async () => {
    desk.write('a.yaml', workflow('a', 'one', { uses: ['crm'] }));
    desk.write('crm.yaml', CRM);
    desk.write('c.yaml', workflow('c', 'one'));
    desk.driver.refusals = [{ key: 'Integration/crm', because: 'no such type "http".', remedy: 'Install it.' }];
    const report = await desk.pass();
    expect(desk.writes()).to.deep.equal(['create Workflow/c']);
    const [refused, dependent] = report.plan?.withheld ?? [];
    expect(refused).to.include({ code: 'refused-by-platform', because: 'no such type "http".', remedy: 'Install it.' });
    expect(refused?.change.origin).to.include({ file: 'crm.yaml', line: 1 });
    expect(dependent).to.include({ code: 'dependency' });
  });

  it('archives what it overwrites and deletes, with the author of the change (law 14)', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    desk.write('b.yaml', workflow('b', 'one'));
    await desk.pass();
    const value = { title: 'a', definition: { step: 'by hand' } };
    desk.driver.put({ ...desk.driver.named('Workflow', 'a'), value, changedBy: 'eve', changedAt: 5 });
    desk.delete('b.yaml');
    const report = await desk.pass();
    expect(Object.keys(report.archived)).to.have.members(['Workflow/a', 'Workflow/b']);
    const [a] = desk.ledger.archived({ key: 'Workflow/a' });
    expect(a).to.include({ reason: 'drift', changedBy: 'eve', changedAt: 5 });
    expect(a?.value()).to.deep.equal(value);
    expect(desk.ledger.archived({ key: 'Workflow/b' })).to.have.nested.property('[0].reason', 'delete');
  });

  it('does nothing to an object whose secret is missing, says so, and deletes nothing meanwhile', async () => {
    desk.write('crm.yaml', CRM);
    desk.write('old.yaml', workflow('old', 'one'));
    await desk.pass();
    desk.writes();
    delete desk.env['ORDERS_KEY'];
    desk.delete('old.yaml');
    const report = await desk.pass();
    expect(desk.writes()).to.deep.equal([]);
    expect(report.problems).to.have.nested.property('[0].key', 'Integration/crm');
    expect(report.plan?.withheld).to.have.nested.property('[0].code', 'problems');
    desk.env['ORDERS_KEY'] = 'another value';
    await desk.pass();
    expect(desk.writes()).to.have.members(['update Integration/crm', 'delete Workflow/old']);
    expect([...desk.driver.secrets.values()]).to.deep.include({ value: 'another value' });
  });

  it('a broken file deletes nothing and changes nothing of what was in it (law 3)', async () => {
    desk.write('all.yaml', `${workflow('a', 'one')}---\n${workflow('b', 'one')}`);
    desk.write('c.yaml', workflow('c', 'one'));
    await desk.pass();
    desk.writes();
    desk.write('all.yaml', 'kind: [not, closed');
    desk.write('c.yaml', workflow('c', 'two'));
    const report = await desk.pass();
    expect(report.problems.length).to.be.greaterThan(0);
    expect(desk.writes()).to.deep.equal(['update Workflow/c']);
  });

  it('points at another instance: nothing is created, and what is owned is not forgotten (law 3)', async () => {
    for (const name of ['a', 'b']) desk.write(`${name}.yaml`, workflow(name, 'one'));
    await desk.pass();
    desk.writes();
    desk.delete('b.yaml');
    const kept = [...desk.driver.objects];
    desk.driver.objects.clear();
    desk.driver.instance = 'second';
    const report = await desk.pass();
    expect(desk.writes()).to.deep.equal([]);
    expect(report.plan?.withheld.map(({ code }) => code)).to.include('instance-changed');
    desk.driver.instance = 'first';
    for (const [id, object] of kept) desk.driver.objects.set(id, object);
    await desk.pass();
    expect(desk.writes()).to.deep.equal(['delete Workflow/b']);
  });

  it('a Sync that goes away does not ask its source any more', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    desk.writes();
    const source = {
      description: 'gone',
      read: () => Promise.reject(new ReconcilerError('gone', 'backoff')),
      watch: () => ({ [Symbol.asyncDispose]: () => Promise.resolve() }),
    };
    desk.terms = { retire: 'Delete' };
    expect((await desk.pass({ source })).result).to.equal('applied');
    expect(desk.writes()).to.deep.equal(['delete Workflow/a']);
  });

  it('two Syncs claim one key: the second is told whose it is', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    desk.writes();
    const other = { ...desk.terms, owner: 'default/billing' } as const;
    desk.terms = { ...other, adopt: 'matching' };
    const report = await desk.pass({ sync: 'billing', memory: new PassMemory() });
    expect(desk.writes()).to.deep.equal([]);
    expect(report.plan?.withheld).to.have.nested.property('[0].code', 'foreign-owner');
  });
});

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
