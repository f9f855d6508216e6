import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ReconcilerError } from '../errors.ts';
import { ledgerError } from './faults.ts';

/** Who holds a state directory. */
export interface Holder {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Where it listens (`127.0.0.1:8480`), once it does. */
  readonly listen?: string;
}

/** Locks held by this process. A connection that nobody refers to is collected as garbage, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * One writer per state directory. The lock is an exclusive transaction on `lock.db`, so the kernel releases it when the
 * process dies, however it dies: no stale lock, no guessing from process ids. Who holds it stands beside it in
 * `lock.json`, which is only read to word the refusal.
 */
export class StateLock implements Disposable {
  readonly #sqlite: DatabaseSync;
  readonly #directory: string;
  #holder: Holder;

  private constructor(sqlite: DatabaseSync, directory: string, holder: Holder) {
    this.#sqlite = sqlite;
    this.#directory = directory;
    this.#holder = holder;
  }

  /**
   * Takes the lock, creating the directory (0700) when it is missing.
   * @throws ReconcilerError 'never' (`state-locked`) that names the holder when another process has it, or this one already.
   */
  static acquire(directory: string, holder: Holder): StateLock {
    const file = join(directory, 'lock.db');
    let sqlite: DatabaseSync | undefined;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      createPrivate(file);
      sqlite = new DatabaseSync(file, { timeout: 0 });
      sqlite.exec('BEGIN EXCLUSIVE');
      held.add(sqlite);
      const lock = new StateLock(sqlite, directory, holder);
      lock.#tell();
      return lock;
    } catch (error) {
      if (sqlite !== undefined) held.delete(sqlite);
      sqlite?.close();
      const explained = ledgerError(error, 'take the lock', file);
      throw explained.code === 'ledger-busy' ? refusal(directory, error) : explained;
    }
  }

  /** Completes what others are told of this process, such as the address once the listener is bound. */
  announce(details: { readonly listen: string }): void {
    this.#holder = { ...this.#holder, ...details };
    this.#tell();
  }

  release(): void {
    if (!this.#sqlite.isOpen) return;
    rmSync(join(this.#directory, 'lock.json'), { force: true });
    held.delete(this.#sqlite);
    this.#sqlite.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #tell(): void {
    const file = join(this.#directory, 'lock.json');
    const draft = `${file}.new`;
    const descriptor = openSync(draft, 'w', 0o600);
    try {
      writeSync(descriptor, `${JSON.stringify(this.#holder)}\n`);
    } finally {
      closeSync(descriptor);
    }
    renameSync(draft, file);
  }
}

/**
 * Creates an empty file with mode 0600 unless it exists. An existing file is not opened: closing a second descriptor
 * of a file would drop the locks that SQLite holds on it in this process (POSIX advisory locks).
 */
export function createPrivate(file: string): void {
  try {
    const descriptor = openSync(file, 'wx', 0o600);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Who holds the directory, as far as it told; possibly of the past, because only the lock itself is the truth. */
export function holderOf(directory: string): Holder | undefined {
  try {
    const told: unknown = JSON.parse(readFileSync(join(directory, 'lock.json'), 'utf8'));
    if (typeof told !== 'object' || told === null || !('pid' in told) || !('startedAt' in told)) return undefined;
    if (typeof told.pid !== 'number' || typeof told.startedAt !== 'number') return undefined;
    const listen = 'listen' in told && typeof told.listen === 'string' ? { listen: told.listen } : {};
    return { pid: told.pid, startedAt: told.startedAt, ...listen };
  } catch {
    return undefined;
  }
}

function refusal(directory: string, cause: unknown): ReconcilerError {
  const holder = holderOf(directory);
  const who =
    holder === undefined
      ? 'another plumbline'
      : `the plumbline with process id ${holder.pid}, started ${new Date(holder.startedAt).toISOString()}${holder.listen === undefined ? '' : `, listening on ${holder.listen}`}`;
  return new ReconcilerError(`The state directory ${directory} is in use by ${who}: only one may write it.`, 'never', {
    cause,
    code: 'state-locked',
    remedy:
      holder?.listen === undefined
        ? 'Stop that process, or name another directory with --state-dir.'
        : `Let the running one do it (it listens on ${holder.listen}), stop it, or name another directory with --state-dir.`,
  });
}
