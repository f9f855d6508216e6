import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { ledgerError } from '../../src/ledger/faults.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { migrate, MIGRATIONS, versionOf } from '../../src/ledger/migrations.ts';
import type { Recovery } from '../../src/ledger/recovery.ts';
import { intent, owned, SCOPE, stateDirectories } from './samples.ts';

function failureOf(work: () => unknown): ReconcilerError {
  try {
    work();
  } catch (error) {
    if (error instanceof ReconcilerError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Overwrites part of a file with noise. */
function damage(file: string, from: number, length: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(length, 0xa5), 0, length, from);
  closeSync(descriptor);
}

describe('Opening the ledger', () => {
  const stateDirectory = stateDirectories();
  const filled = (): string => {
    const directory = stateDirectory();
    using ledger = Ledger.open(directory);
    ledger.suspend('orders', 'alice', 'maintenance');
    const all = Array.from({ length: 500 }, (_, n) => owned(`Workflow/w${n}`));
    ledger.journal(SCOPE).record(all.map((owned) => ({ record: 'own', owned })));
    return directory;
  };

  it('moves a damaged file aside, says so loudly, and begins a new one', () => {
    const damages: ((file: string) => void)[] = [
      (file) => writeFileSync(file, 'no database at all, but long enough to be looked at '.repeat(40)),
      (file) => damage(file, 0, 100),
      (file) => damage(file, Math.floor(statSync(file).size / 2), statSync(file).size / 4),
      (file) => damage(file, statSync(file).size - 8192, 8192),
    ];
    for (const [index, spoil] of damages.entries()) {
      const directory = filled();
      const file = join(directory, 'ledger.db');
      spoil(file);
      const spoiled = readFileSync(file);
      const told: Recovery[] = [];
      const ledger = Ledger.open(directory, { onRecovery: (recovery) => told.push(recovery), now: () => 0 });
      expect(told, `damage ${index} is told`).to.deep.equal([ledger.recovery]);
      expect(told[0]?.movedTo).to.equal(`${file}.corrupt-19700101T000000Z`);
      expect(told[0]?.message)
        .to.include(file)
        .and.include('history, archive')
        .and.include('webhooks that no manifest describes');
      expect(readFileSync(told[0]?.movedTo ?? '').equals(spoiled), 'the old file is kept as it is').to.equal(true);
      expect(ledger.events().map(({ type }) => type)).to.deep.equal(['ledger-recovered']);
      expect(ledger.ownedCount(SCOPE)).to.equal(0);
      ledger.journal(SCOPE).intend([intent('i1')]);
      ledger.close();
      using again = Ledger.open(directory);
      expect([again.recovery, again.view(SCOPE).intents.length]).to.deep.equal([undefined, 1]);
    }
  });

  it('keeps suspensions that a damaged file still tells, and never overwrites an older damaged file', () => {
    const directory = filled();
    const file = join(directory, 'ledger.db');
    for (let round = 0; round < 2; round++) {
      const sqlite = new DatabaseSync(file);
      sqlite.exec('PRAGMA application_id = 1');
      sqlite.close();
      using ledger = Ledger.open(directory, { onRecovery: () => undefined, now: () => 0 });
      expect(ledger.suspensions().map(({ sync, by }) => [sync, by])).to.deep.equal([['orders', 'alice']]);
    }
    const kept = readdirSync(directory).filter((name) => /corrupt-\w+(-\d)?$/.test(name));
    expect(kept).to.deep.equal(['ledger.db.corrupt-19700101T000000Z', 'ledger.db.corrupt-19700101T000000Z-2']);
  });

  it('does not replay the log of a damaged file into the new one', () => {
    const directory = filled();
    const file = join(directory, 'ledger.db');
    const ledger = Ledger.open(directory);
    ledger.journal(SCOPE).record([{ record: 'own', owned: owned('Workflow/a') }]);
    copyFileSync(`${file}-wal`, join(directory, 'kept-wal'));
    ledger.close();
    copyFileSync(join(directory, 'kept-wal'), `${file}-wal`);
    writeFileSync(file, 'not a database '.repeat(500));
    using anew = Ledger.open(directory, { onRecovery: () => undefined });
    expect(anew.ownedCount(SCOPE)).to.equal(0);
    expect(existsSync(`${anew.recovery?.movedTo}-wal`), 'the log lies beside its file').to.equal(true);
  });

  it('warns by itself when nobody asked to be told of a recovery', async () => {
    const directory = stateDirectory();
    writeFileSync(join(directory, 'ledger.db'), 'not a database '.repeat(500));
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    Ledger.open(directory).close();
    expect((await warned).message).to.include('corrupt-');
  });

  it('refuses a ledger of a newer version, says what to do, and leaves it untouched', () => {
    const directory = filled();
    const file = join(directory, 'ledger.db');
    const sqlite = new DatabaseSync(file);
    sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    sqlite.close();
    const before = readFileSync(file);
    for (const open of [() => Ledger.open(directory), () => Ledger.read(directory)]) {
      const failure = failureOf(open);
      expect([failure.code, failure.retry]).to.deep.equal(['ledger-newer', 'never']);
      expect(failure.message)
        .to.include(file)
        .and.include(`version ${MIGRATIONS.length + 1}`);
      expect(failure.remedy).to.include('newer').and.include('move the file away');
    }
    expect(readFileSync(file).equals(before)).to.equal(true);
    expect(failureOf(() => Ledger.open(directory)).code, 'the refusal holds no lock').to.equal('ledger-newer');
  });

  it('migrates step by step, each whole or not at all', () => {
    const sqlite = new DatabaseSync(':memory:');
    const steps = [
      { name: 'one', sql: 'CREATE TABLE one (a)' },
      { name: 'two', sql: 'CREATE TABLE two (a); CREATE TABLE one (a)' },
    ];
    expect(() => migrate(sqlite, 'test', steps)).to.throw('already exists');
    const tables = (): unknown =>
      sqlite
        .prepare('SELECT name FROM sqlite_schema')
        .all()
        .map((row) => row['name']);
    expect([versionOf(sqlite), tables(), sqlite.isTransaction]).to.deep.equal([1, ['one'], false]);
    migrate(sqlite, 'test', [steps[0] ?? { name: '', sql: '' }, { name: 'two', sql: 'CREATE TABLE two (a)' }]);
    expect([versionOf(sqlite), tables()]).to.deep.equal([2, ['one', 'two']]);
  });

  it('explains what is wrong with the place and with the disk', () => {
    const directory = stateDirectory();
    writeFileSync(join(directory, 'file'), '');
    const nowhere = failureOf(() => Ledger.open(join(directory, 'file')));
    expect(nowhere.message).to.include(join(directory, 'file'));
    expect(nowhere.remedy).to.include('is a directory');
    mkdirSync(join(directory, 'ledger.db'));
    expect(failureOf(() => Ledger.open(directory)).code).to.equal('ledger-unopenable');
    const sqlite = new DatabaseSync(':memory:');
    sqlite.exec('CREATE TABLE t (a); PRAGMA max_page_count = 3');
    const full = failureOf(() => {
      try {
        sqlite.exec('INSERT INTO t VALUES (zeroblob(100000))');
      } catch (error) {
        throw ledgerError(error, 'write down intents', 'x/ledger.db');
      }
    });
    expect([full.code, full.retry, full.message]).to.deep.equal([
      'ledger-full',
      'backoff',
      'Cannot write down intents in the ledger x/ledger.db: the disk is full.',
    ]);
    expect(full.remedy).to.include('Free space');
    expect(full.cause).to.be.instanceOf(Error);
  });
});
