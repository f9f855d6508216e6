import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { ReconcilerError } from '../errors.ts';
import { ledgerError } from './faults.ts';
import { APPLICATION_ID, migrate, refuseNewer, versionOf } from './migrations.ts';

/** Milliseconds to wait for another program's lock before giving up; a reader holds one for far less. */
const BUSY_TIMEOUT = 5000;

/**
 * What a write outlives when it returns: the death of the process, or a loss of power too. Losing the tail of what
 * is `process`-safe is harmless where an intent written before it is found again.
 */
export type Outlives = 'process' | 'power';

/** The one connection to the ledger's file: transactions, and errors that say what to do. */
export class Database {
  readonly file: string;
  readonly #sqlite: DatabaseSync;
  #outlives: Outlives = 'power';

  constructor(sqlite: DatabaseSync, file: string) {
    this.#sqlite = sqlite;
    this.file = file;
  }

  prepare(sql: string): StatementSync {
    return this.#sqlite.prepare(sql);
  }

  /** As `prepare`, for statements whose rows come as arrays: several times faster for thousands of rows. */
  prepareRows(sql: string): StatementSync {
    const statement = this.#sqlite.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }

  /**
   * Runs `work` in one transaction; `doing` completes "Cannot … in the ledger". A transaction that changes no row
   * writes no byte.
   * @throws ReconcilerError with what failed and the remedy; then nothing of `work` has happened.
   */
  write<T>(doing: string, work: () => T, outlives: Outlives = 'power'): T {
    try {
      this.#setOutlives(outlives);
      this.#sqlite.exec('BEGIN IMMEDIATE');
      const result = work();
      this.#sqlite.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw ledgerError(error, doing, this.file);
    }
  }

  /** Runs `work` on one consistent state. @throws ReconcilerError as `write`. */
  read<T>(doing: string, work: () => T): T {
    try {
      this.#sqlite.exec('BEGIN');
      const result = work();
      this.#sqlite.exec('COMMIT');
      return result;
    } catch (error) {
      this.#rollBack();
      throw ledgerError(error, doing, this.file);
    }
  }

  /** Brings the write-ahead log into the file and closes it; a second call does nothing. */
  close(): void {
    if (!this.#sqlite.isOpen) return;
    try {
      this.#sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The log stays beside the file and is replayed at the next opening: nothing is lost.
    }
    this.#sqlite.close();
  }

  #setOutlives(outlives: Outlives): void {
    if (outlives === this.#outlives) return;
    this.#sqlite.exec(`PRAGMA synchronous = ${outlives === 'power' ? 'FULL' : 'NORMAL'}`);
    this.#outlives = outlives;
  }

  #rollBack(): void {
    try {
      if (this.#sqlite.isOpen && this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, which it does for full disks and I/O errors; the first error is the one to tell.
    }
  }
}

/**
 * Connects to an existing or new file for writing, checks its pages, and brings its schema up to date.
 * @throws SQLite's error, or ReconcilerError (`ledger-corrupt`, `ledger-newer`); then the connection is closed.
 */
export function connect(file: string): DatabaseSync {
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: true });
  try {
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000');
    check(sqlite, file);
    migrate(sqlite, file);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Connects for reading beside a running writer. @throws as `connect`, and when the file needs a migration first. */
export function connectForReading(file: string): DatabaseSync {
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT, readOnly: true });
  try {
    check(sqlite, file);
    const version = versionOf(sqlite);
    refuseNewer(version, file);
    if (version === 0) throw corrupt(file, 'it holds no ledger');
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** An empty ledger in memory: what a reader sees before the first pass. */
export function emptyDatabase(): DatabaseSync {
  const sqlite = new DatabaseSync(':memory:');
  migrate(sqlite, ':memory:');
  sqlite.exec('PRAGMA query_only = ON');
  return sqlite;
}

function check(sqlite: DatabaseSync, file: string): void {
  const id = Number(sqlite.prepare('PRAGMA application_id').get()?.['application_id'] ?? 0);
  const tables = Number(sqlite.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'] ?? 0);
  if (tables > 0 && id !== APPLICATION_ID) throw corrupt(file, 'it is a database, but not a ledger');
  const finding = sqlite.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (finding !== 'ok') throw corrupt(file, String(finding));
}

function corrupt(file: string, because: string): ReconcilerError {
  return new ReconcilerError(`The ledger ${file} is damaged: ${because}.`, 'never', {
    code: 'ledger-corrupt',
    remedy: 'Start the daemon: it moves the damaged file aside and begins a new one.',
  });
}
