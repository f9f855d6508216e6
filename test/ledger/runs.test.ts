import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Execution } from '../../src/drivers/driver.ts';
import { connect, Database } from '../../src/ledger/database.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { RUN_LIMITS } from '../../src/ledger/run.ts';
import type { RunLimits } from '../../src/ledger/run.ts';
import { KEY_LIFE, Runs } from '../../src/ledger/runs.ts';
import { SCOPE, owned, stateDirectories } from './samples.ts';

const PLATFORM = SCOPE.platform;
const WISH = { platform: PLATFORM, workflow: 'orders', remote: 'r-orders', token: 't' };
const SEEN: Execution = { id: 'e1', workflow: 'r-orders', status: 'running', startedAt: 500 };

describe('Runs in the ledger', () => {
  const stateDirectory = stateDirectories();
  const databases: Database[] = [];
  let now = 1000;
  afterEach(() => {
    for (const database of databases.splice(0)) database.close();
  });

  const open = (limits: Partial<RunLimits> = {}): Runs => {
    const file = join(stateDirectory(), 'ledger.db');
    const database = new Database(connect(file), file);
    databases.push(database);
    return new Runs(
      database,
      (text) => text.replaceAll('canary', '***'),
      () => now,
      { ...RUN_LIMITS, ...limits },
    );
  };
  const begin = (runs: Runs, more: object = {}): string => {
    const correlation = randomUUID();
    runs.begin({ ...WISH, correlation, ...more });
    return correlation;
  };

  it('link an execution to the run that was asked for, whichever is told first', () => {
    const runs = open();
    const correlation = begin(runs);
    runs.saw(PLATFORM, [{ ...SEEN, correlation }]);
    expect(runs.find(PLATFORM, correlation)).to.include({ execution: 'e1', state: 'running', startedAt: 500 });
    runs.settle(correlation, 'accepted', { execution: 'e1' });
    expect(runs.find(PLATFORM, 'e1')).to.include({ correlation, state: 'running', token: 't' });

    const later = begin(runs);
    runs.saw(PLATFORM, [{ ...SEEN, id: 'e2' }]);
    runs.settle(later, 'accepted', { execution: 'e2' });
    expect(runs.find(PLATFORM, 'e2')).to.include({ correlation: later, state: 'accepted' });
    expect(runs.list({ platform: PLATFORM, limit: 10 })).to.have.lengthOf(2);
  });

  it('link nothing to a correlation that another workflow or platform repeats', () => {
    const runs = open();
    const correlation = begin(runs);
    runs.saw(PLATFORM, [{ ...SEEN, workflow: 'r-forger', correlation }]);
    runs.saw('elsewhere', [{ ...SEEN, correlation }]);
    expect(runs.find(PLATFORM, correlation)).to.not.have.property('execution');
    expect(runs.find(PLATFORM, 'e1')).to.include({ remote: 'r-forger' }).and.not.have.property('correlation');
  });

  it('do not run again once they have ended, in whatever order they are told', () => {
    const runs = open();
    const correlation = begin(runs);
    runs.saw(PLATFORM, [{ ...SEEN, correlation, status: 'error', endedAt: 600, error: 'canary died' }]);
    runs.saw(PLATFORM, [SEEN]);
    expect(runs.find(PLATFORM, 'e1')).to.include({ state: 'failed', endedAt: 600, error: '*** died' });
    runs.settle(correlation, 'accepted', { execution: 'e1' });
    expect(runs.find(PLATFORM, 'e1')).to.include({ state: 'failed' });
  });

  it('that nobody asked for here have the name of the workflow that a Sync owns', () => {
    using ledger = Ledger.open(stateDirectory());
    ledger.journal(SCOPE).record([{ record: 'own', owned: owned('Workflow/orders', { remote: 'r-orders' }) }]);
    ledger.runs.saw(PLATFORM, [SEEN, { ...SEEN, id: 'e2', workflow: 'r-other' }]);
    expect(ledger.runs.find(PLATFORM, 'e1')).to.include({ workflow: 'orders' });
    expect(ledger.runs.find(PLATFORM, 'e2')).to.not.have.property('workflow');
    expect(ledger.owners.of(PLATFORM, 'Workflow/orders')).to.include({
      ...SCOPE,
      remote: 'r-orders',
      file: 'orders.yaml',
    });
    expect(ledger.owners.of('elsewhere', 'Workflow/orders')).to.equal(undefined);
    expect(ledger.owners.ofRemote(PLATFORM, 'Workflow', 'r-orders')).to.include({ key: 'Workflow/orders' });
    expect(ledger.owners.ofRemote(PLATFORM, 'Webhook', 'r-orders')).to.equal(undefined);
  });

  it('without an outcome are unknown after a start', () => {
    const runs = open();
    const lost = begin(runs);
    const known = begin(runs);
    runs.settle(known, 'accepted');
    expect(runs.recover()).to.equal(1);
    expect([lost, known].map((id) => runs.find(PLATFORM, id)?.state)).to.deep.equal(['unknown', 'accepted']);
  });

  it('are kept within bounds, what was seen apart from what was asked for', () => {
    const runs = open({ asked: 20, seen: 20 });
    const first = begin(runs);
    for (let count = 0; count < 100; count += 1) runs.saw(PLATFORM, [{ ...SEEN, id: `e${count}` }]);
    expect(runs.list({ platform: PLATFORM, limit: 500 }).length).to.be.within(20, 23);
    expect(runs.find(PLATFORM, first)).to.not.equal(undefined);
    for (let count = 0; count < 100; count += 1) begin(runs);
    expect(runs.find(PLATFORM, first)).to.equal(undefined);
    expect(runs.list({ platform: PLATFORM, limit: 500 }).length).to.be.within(40, 46);
  });

  it('are found by their key for a day, whatever else is pruned; what a reply tells is redacted', () => {
    const runs = open({ asked: 20, replies: 20 });
    const correlation = begin(runs, { key: 'k', digest: 'd' });
    runs.settle(correlation, 'accepted', { reply: { status: 202, body: { said: 'a canary' } } });
    expect(runs.keyed({ ...WISH, key: 'k' })).to.deep.include({
      digest: 'd',
      reply: { status: 202, body: { said: 'a ***' } },
    });
    for (let count = 0; count < 50; count += 1) {
      const other = begin(runs, { key: `k${count}`, digest: 'd' });
      runs.settle(other, 'accepted', { reply: { status: 202, body: {} } });
    }
    const kept = runs.keyed({ ...WISH, key: 'k' });
    expect(kept?.run.correlation).to.equal(correlation);
    expect(kept).to.not.have.property('reply');
    expect(runs.keyed({ ...WISH, token: 'other', key: 'k' })).to.equal(undefined);
    now += KEY_LIFE;
    expect(runs.keyed({ ...WISH, key: 'k' })).to.equal(undefined);
  });

  it('take a key anew when its day is over', () => {
    const runs = open();
    const first = begin(runs, { key: 'k', digest: 'd' });
    expect(() => begin(runs, { key: 'k', digest: 'd' })).to.throw();
    now += KEY_LIFE;
    const second = begin(runs, { key: 'k', digest: 'd' });
    expect(runs.keyed({ ...WISH, key: 'k' })?.run.correlation)
      .to.equal(second)
      .and.not.equal(first);
  });

  it('refuse more keys than are kept, and free one when nothing was run', () => {
    const runs = open({ keysPerToken: 2, keys: 3 });
    const first = begin(runs, { key: 'k1', digest: 'd' });
    begin(runs, { key: 'k2', digest: 'd' });
    expect(() => begin(runs, { key: 'k3', digest: 'd' }))
      .to.throw()
      .with.property('code', 'keys-full');
    begin(runs);
    runs.withdraw(first, 'refused with a canary');
    expect(runs.find(PLATFORM, first)).to.include({ state: 'not-started', error: 'refused with a ***' });
    begin(runs, { key: 'k1', digest: 'd' });
    begin(runs, { key: 'k1', digest: 'd', token: 'other' });
    expect(() => begin(runs, { key: 'k2', digest: 'd', token: 'other' }))
      .to.throw()
      .with.property('code', 'keys-full');
  });
});
