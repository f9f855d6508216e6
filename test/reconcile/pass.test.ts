import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import type { Desired } from '../../src/manifest/manifest.ts';
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

  it('keeps no definition when it has ended, however it did', async () => {
    for (const more of [{}, { mode: 'plan' as const }, { expect: 'another plan' }]) {
      desk.write('a.yaml', workflow('a', JSON.stringify(more)));
      let desired: Desired | undefined;
      await desk.pass({ ...more, onDesired: (what) => (desired = what) });
      const manifest = desired?.manifests.get('Workflow/a');
      const definition = async (): Promise<unknown> =>
        (await manifest?.spec(new AbortController().signal))?.['definition'];
      const [first, second] = [await definition(), await definition()];
      expect(first).to.be.an('object');
      expect(second, 'read anew').to.not.equal(first);
      expect(second).to.deep.equal(first);
    }
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

  it('takes no access away because a password is missing', async () => {
    const scope = { platform: true };
    const password = { valueFrom: { env: 'ORDERS_KEY' } };
    desk.write('r.yaml', document('AccessRole', 'operator', { permissions: [{ on: 'workflow', verbs: ['read'] }] }));
    const grant = { role: 'operator', subjects: [{ user: 'alice', password }], scope };
    desk.write('g.yaml', document('AccessGrant', 'alice', grant));
    await desk.pass();
    expect(desk.driver.titles('AccessGrant')).to.deep.equal(['alice']);
    delete desk.env['ORDERS_KEY'];
    const report = await desk.pass();
    expect(report.problems).to.have.length(1);
    expect(desk.driver.titles('AccessGrant')).to.deep.equal(['alice']);
  });

  it('owns as created what it creates anew after it was adopted and vanished', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    const value = { title: 'a', definition: { step: 'one' } };
    desk.driver.put({ kind: 'Workflow', remote: 'r', title: 'a', value });
    desk.terms = { gracePeriod: 0, adopt: 'matching' };
    await desk.pass();
    expect(desk.driver.named('Workflow', 'a').marker).to.include({ how: 'adopted' });
    desk.driver.remove('Workflow', 'a');
    desk.terms = { gracePeriod: 0, drift: 'revert' };
    await desk.pass();
    expect(desk.driver.named('Workflow', 'a').marker).to.include({ how: 'created' });
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
      accept: () => undefined,
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
    expect(report.problems.map(({ key, severity }) => [key, severity])).to.deep.equal([['Workflow/a', 'error']]);
    expect(report.problems[0]?.message).to.include('the Sync orders').and.to.include('a.yaml');
  });

  it('a manifest that names the Sync to take over from is no second claim', async () => {
    desk.write('a.yaml', workflow('a', 'one'));
    await desk.pass();
    const annotations = { 'plumbline.dev/adopt-from': 'default/orders' };
    desk.write('a.yaml', workflow('a', 'one', { metadata: { annotations } }));
    desk.terms = { ...desk.terms, owner: 'default/billing', adopt: 'matching' };
    const report = await desk.pass({ sync: 'billing', memory: new PassMemory() });
    expect(report.problems).to.deep.equal([]);
  });
});
