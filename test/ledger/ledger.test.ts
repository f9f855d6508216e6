import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import type { PassRecord } from '../../src/ledger/history.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { StateLock } from '../../src/ledger/lock.ts';
import { intent, owned, SCOPE, stateDirectories } from './samples.ts';

const QUIET: PassRecord = {
  ...SCOPE,
  revision: 'r2',
  startedAt: 1,
  endedAt: 2,
  result: 'in-sync',
  counts: {},
  changes: [],
};

describe('The ledger', () => {
  const stateDirectory = stateDirectories();

  /** Everything that lies in the directory, byte by byte. */
  const bytesIn = (directory: string): ReadonlyMap<string, string> =>
    new Map(readdirSync(directory).map((file) => [file, readFileSync(join(directory, file)).toString('base64')]));

  it('is one file for its owner alone, which a clean end leaves without a log beside it', () => {
    const directory = stateDirectory();
    const ledger = Ledger.open(directory);
    ledger.journal(SCOPE).intend([intent('i1')]);
    for (const file of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) {
      expect(statSync(join(directory, file)).mode & 0o777, file).to.equal(0o600);
    }
    ledger.close();
    ledger.close();
    expect(readdirSync(directory)).to.deep.equal(['ledger.db', 'lock.db']);
    const again = Ledger.open(directory);
    expect(again.view(SCOPE).intents).to.deep.equal([intent('i1')]);
    again.suspend('orders', 'alice', 'maintenance');
    using reader = Ledger.read(directory);
    again.close();
    expect(statSync(join(directory, 'ledger.db-wal')).size, 'the log is in the file, although a reader stays').to.equal(
      0,
    );
    expect(reader.suspensions()).to.have.length(1);
  });

  it('writes nothing for a quiet pass (law 10)', () => {
    const directory = stateDirectory();
    using ledger = Ledger.open(directory);
    const journal = ledger.journal(SCOPE);
    const row = owned('Workflow/orders', {
      driftSince: 5,
      secretHashes: { value: 'h' },
    });
    const suspend = (): void => ledger.suspend('orders', 'alice', 'maintenance');
    const quietPass = (): void => {
      ledger.view(SCOPE);
      ledger.rememberPlatform('automation', {
        instance: 'n1',
        rights: ['flows.read'],
      });
      ledger.setCursor('executions', '17');
      journal.intend([]);
      journal.settleAll([]);
      journal.record([{ record: 'own', owned: row }]);
      journal.record([]);
      ledger.recordPass(QUIET);
      ledger.renameSync('former', 'orders');
    };
    suspend();
    quietPass();
    // The log is brought into the file, so that only what is written from now on can change a byte of either.
    const other = new DatabaseSync(join(directory, 'ledger.db'));
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const version = (): unknown => other.prepare('PRAGMA data_version').get()?.['data_version'];
    const before = { version: version(), bytes: bytesIn(directory) };
    for (let pass = 0; pass < 3; pass++) quietPass();
    suspend();
    const after = { version: version(), bytes: bytesIn(directory) };
    other.close();
    before.bytes.forEach((bytes, file) => {
      if (!file.endsWith('-shm')) expect(after.bytes.get(file) === bytes, `${file} is unchanged`).to.equal(true);
    });
    expect(after.version).to.equal(before.version);
  });

  it('takes ten thousand outcomes and gives them back as one view', () => {
    using ledger = Ledger.open(stateDirectory());
    const journal = ledger.journal(SCOPE);
    const all = Array.from({ length: 10_000 }, (_, n) => owned(`Workflow/w${n}`));
    journal.intend(all.map(({ key }) => intent(key, { key })));
    for (const one of all.slice(0, 5000)) journal.settle(one.key, { owned: one });
    journal.settleAll(all.slice(5000).map((one) => ({ intent: one.key, result: { owned: one } })));
    const view = ledger.view(SCOPE);
    expect([view.owned.size, view.intents.length, ledger.ownedCount(SCOPE)]).to.deep.equal([10_000, 0, 10_000]);
    expect(view.owned.get('Workflow/w9999')).to.deep.equal(owned('Workflow/w9999'));
    expect([...ledger.view(SCOPE, ['Workflow/w3', 'Workflow/none']).owned.keys()]).to.deep.equal(['Workflow/w3']);
  });

  it('settles a batch whole or not at all', () => {
    using ledger = Ledger.open(stateDirectory());
    const journal = ledger.journal(SCOPE);
    journal.intend([intent('i1'), intent('i2')]);
    const broken = { ...owned('Workflow/b'), how: 'stolen' as 'created' };
    const batch = [
      { intent: 'i1', result: { owned: owned('Workflow/a') } },
      { intent: 'i2', result: { owned: broken } },
    ];
    expect(() => journal.settleAll(batch))
      .to.throw('Cannot write down outcomes')
      .with.property('remedy');
    expect(ledger.view(SCOPE).intents).to.have.length(2);
    expect(ledger.ownedCount(SCOPE)).to.equal(0);
    journal.settle('i1', { owned: owned('Workflow/a') });
    expect(ledger.ownedCount(SCOPE), 'it goes on after a failure').to.equal(1);
  });

  it('knows an object by one key only: after a rename the former key is not owned any more', () => {
    using ledger = Ledger.open(stateDirectory());
    const journal = ledger.journal(SCOPE);
    journal.record([
      { record: 'own', owned: owned('Workflow/old', { remote: '7' }) },
      {
        record: 'own',
        owned: owned('Integration/other-kind', { remote: '7' }),
      },
    ]);
    journal.settle('i1', { owned: owned('Workflow/new', { remote: '7' }) });
    expect([...ledger.view(SCOPE).owned.keys()].sort()).to.deep.equal(['Integration/other-kind', 'Workflow/new']);
  });

  it('tells what other Syncs own on the same platform, and on no other', () => {
    using ledger = Ledger.open(stateDirectory());
    const crm = { sync: 'crm', platform: 'automation' };
    const far = { sync: 'crm', platform: 'far' };
    const others = (): unknown => Object.fromEntries(ledger.view(SCOPE).ownedByOthers);
    expect(others()).to.deep.equal({});
    ledger.journal(crm).record([{ record: 'own', owned: owned('Workflow/a', { remote: '1' }) }]);
    ledger.journal(far).record([{ record: 'own', owned: owned('Workflow/b', { remote: '2' }) }]);
    ledger.journal(SCOPE).record([{ record: 'own', owned: owned('Workflow/c', { remote: '3' }) }]);
    expect(others()).to.deep.equal({ 'Workflow:1': 'crm' });
    ledger.journal(crm).record([{ record: 'forget', key: 'Workflow/a' }]);
    expect(others()).to.deep.equal({});
    expect(ledger.scopes()).to.deep.equal([
      { ...far, owned: 1 },
      { ...SCOPE, owned: 1 },
    ]);
  });

  it('hands everything of a Sync to its new name', () => {
    using ledger = Ledger.open(stateDirectory());
    const former = { ...SCOPE, sync: 'former' };
    ledger.journal(former).intend([intent('i1')]);
    ledger.journal(former).record([{ record: 'own', owned: owned('Workflow/a') }]);
    ledger.suspend('former', 'alice', 'maintenance');
    expect(ledger.view(SCOPE).ownedByOthers.size).to.equal(1);
    ledger.renameSync('former', 'orders');
    const view = ledger.view(SCOPE);
    expect([[...view.owned.keys()], view.intents.length, view.ownedByOthers.size]).to.deep.equal([
      ['Workflow/a'],
      1,
      0,
    ]);
    expect(ledger.suspensions().map(({ sync }) => sync)).to.deep.equal(['orders']);
  });

  it('remembers suspensions, platform facts and cursors until they change', () => {
    const directory = stateDirectory();
    using lock = StateLock.acquire(directory, {
      pid: process.pid,
      startedAt: 0,
    });
    let now = 1000;
    const open = (): Ledger => Ledger.open(directory, { lock, now: () => now });
    const first = open();
    first.suspend('orders', 'alice', 'maintenance');
    now = 2000;
    first.suspend('orders', 'bob', 'still broken');
    first.rememberPlatform('automation', {
      instance: 'n1',
      rights: ['a', 'b'],
    });
    first.rememberPlatform('automation', { rights: ['a'] });
    first.setCursor('executions', '1');
    first.setCursor('executions', '2');
    first.close();
    using ledger = open();
    expect(ledger.suspensions()).to.deep.equal([{ sync: 'orders', by: 'bob', reason: 'still broken', since: 1000 }]);
    expect(ledger.view(SCOPE))
      .to.deep.include({ rights: ['a'] })
      .and.not.have.property('instance');
    expect([ledger.cursor('executions'), ledger.cursor('none')]).to.deep.equal(['2', undefined]);
    expect([ledger.resume('orders'), ledger.resume('orders'), ledger.suspensions()]).to.deep.equal([true, false, []]);
  });

  it('keeps a bounded list of events, without secrets, that can be followed', () => {
    using ledger = Ledger.open(stateDirectory(), {
      redact: (text) => text.replaceAll('hunter2', '[secret]'),
      limits: { events: 10 },
    });
    const ids = Array.from({ length: 25 }, (_, n) =>
      ledger.addEvent({
        at: n,
        type: 'drift-found',
        sync: n % 2 ? 'crm' : 'orders',
        message: `hunter2 ${n}`,
        paths: ['/a'],
      }),
    );
    expect(ledger.events().map(({ at }) => at)).to.deep.equal([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    expect(ledger.events({ sync: 'crm', limit: 2 }).map(({ at }) => at)).to.deep.equal([21, 23]);
    expect(ledger.events({ after: ids[20] ?? 0, limit: 2 })).to.deep.equal([
      {
        id: ids[21],
        at: 21,
        type: 'drift-found',
        sync: 'crm',
        message: '[secret] 21',
        paths: ['/a'],
      },
      {
        id: ids[22],
        at: 22,
        type: 'drift-found',
        sync: 'orders',
        message: '[secret] 22',
        paths: ['/a'],
      },
    ]);
  });

  it('can be read beside its writer, and before there is one, without a trace', () => {
    const directory = stateDirectory();
    const early = Ledger.read(join(directory, 'none'));
    expect([early.history(), early.events(), early.ownedCount(SCOPE)]).to.deep.equal([[], [], 0]);
    early.close();
    expect(existsSync(join(directory, 'none'))).to.equal(false);
    using ledger = Ledger.open(directory);
    ledger.suspend('orders', 'alice', 'maintenance');
    using reader = Ledger.read(directory);
    expect(reader.suspensions()).to.have.length(1);
    ledger.resume('orders');
    expect(reader.suspensions()).to.have.length(0);
    expect(() => reader.resume('orders'))
      .to.throw('it cannot be written')
      .with.property('code', 'ledger-readonly');
  });
});
