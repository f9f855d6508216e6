import { createHash } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { Key } from '../manifest/manifest.ts';
import type { Cause } from '../plan/cause.ts';
import type { Verb } from '../plan/types.ts';
import type { Database } from './database.ts';
import type { Scope } from './ownership.ts';

/** One change of a pass as history keeps it: field paths, never values (law 9). */
export interface PassChange {
  readonly key: Key;
  readonly verb: Verb;
  readonly cause: Cause;
  /** JSON pointers of the fields that differed. */
  readonly paths: readonly string[];
  readonly outcome: 'applied' | 'failed' | 'skipped';
  readonly error?: string;
}

/** One pass as history keeps it. Times are milliseconds since 1970. */
export interface PassRecord extends Scope {
  readonly revision?: string;
  /** Who wrote the revision. */
  readonly author?: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** How it ended, in one word (`applied`, `partly-failed`, …). */
  readonly result: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly changes: readonly PassChange[];
  /** What ended the pass before its time. */
  readonly error?: string;
}

export interface HistoryQuery {
  readonly sync?: string;
  readonly platform?: string;
  /** Only passes that changed this object, with that change alone. */
  readonly key?: Key;
  /** Default 50. */
  readonly limit?: number;
}

/** How much history is kept: the newest passes that fit all three. */
export interface HistoryLimits {
  readonly passes: number;
  /** Changes of all passes together; the newest pass stays whole. */
  readonly changes: number;
  /** Milliseconds. */
  readonly age: number;
}

export const HISTORY_LIMITS: HistoryLimits = { passes: 5000, changes: 200_000, age: 180 * 24 * 3600 * 1000 };

/** Bounds within one change, so that one object cannot fill the ledger. */
const MOST_PATHS = 50;
const LONGEST_TEXT = 1000;
/** Results of a pass after which another one with nothing to do is no news. */
const SETTLED = new Set(['in-sync', 'applied', 'planned']);

/** What passes did, for `plumbline history`. */
export class History {
  readonly #database: Database;
  readonly #limits: HistoryLimits;
  readonly #redact: (text: string) => string;
  readonly #last: StatementSync;
  readonly #insert: StatementSync;
  readonly #insertChange: StatementSync;
  readonly #changes: StatementSync;

  constructor(database: Database, limits: HistoryLimits, redact: (text: string) => string) {
    this.#database = database;
    this.#limits = limits;
    this.#redact = redact;
    this.#last = database.prepare(
      'SELECT result, signature FROM pass WHERE sync = ? AND platform = ? ORDER BY id DESC LIMIT 1',
    );
    this.#insert = database.prepare(
      `INSERT INTO pass (sync, platform, revision, author, started_at, ended_at, result, counts, error, changes, signature)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertChange = database.prepare('INSERT INTO pass_change VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#changes = database.prepare(
      `SELECT key, verb, cause, paths, outcome, error FROM pass_change
       WHERE pass = ?1 AND (?2 IS NULL OR key = ?2) ORDER BY position`,
    );
  }

  /**
   * Keeps a pass in which something happened: a change, or a result unlike the last one. A pass that applied nothing and
   * equals the one before it (the same failure again) is no news either.
   * @returns the id, or undefined when nothing was written.
   */
  record(pass: PassRecord): number | undefined {
    const signature = signatureOf(pass);
    if (!this.#isNews(pass, signature)) return undefined;
    return this.#database.write('write down the pass', () => {
      const { lastInsertRowid } = this.#insert.run(
        pass.sync,
        pass.platform,
        pass.revision ?? null,
        pass.author ?? null,
        Math.trunc(pass.startedAt),
        Math.trunc(pass.endedAt),
        pass.result,
        JSON.stringify(pass.counts),
        this.#text(pass.error),
        pass.changes.length,
        signature,
      );
      const id = Number(lastInsertRowid);
      for (const [position, change] of pass.changes.entries()) this.#recordChange(id, position, change);
      this.#prune(id, pass.endedAt);
      return id;
    });
  }

  /** Newest first. */
  passes(query: HistoryQuery): readonly (PassRecord & { readonly id: number })[] {
    const { sync = null, platform = null, key = null, limit = 50 } = query;
    return this.#database.read('read the history', () =>
      this.#database
        .prepare(PASSES)
        .all(sync, platform, key, limit)
        .map((row) => {
          const pass = row as unknown as PassRow;
          return passOf(pass, this.#changes.all(pass.id, key) as unknown as readonly ChangeRow[]);
        }),
    );
  }

  #isNews(pass: PassRecord, signature: string): boolean {
    if (pass.changes.some((change) => change.outcome === 'applied')) return true;
    const last = this.#database.read('read the history', () => this.#last.get(pass.sync, pass.platform));
    if (pass.changes.length === 0 && pass.result === 'in-sync') {
      return last !== undefined && !SETTLED.has(String(last['result']));
    }
    return last === undefined || last['signature'] !== signature;
  }

  #recordChange(pass: number, position: number, change: PassChange): void {
    const { key, verb, cause, outcome } = change;
    const paths = JSON.stringify(change.paths.slice(0, MOST_PATHS).map((path) => path.slice(0, LONGEST_TEXT)));
    this.#insertChange.run(pass, position, key, verb, cause, paths, outcome, this.#text(change.error));
  }

  #prune(newest: number, now: number): void {
    const { passes, changes, age } = this.#limits;
    this.#database.prepare(PRUNE).run(newest, Math.trunc(now - age), passes, changes);
  }

  #text(text: string | undefined): string | null {
    return text === undefined ? null : this.#redact(text).slice(0, LONGEST_TEXT);
  }
}

interface PassRow {
  readonly id: number;
  readonly sync: string;
  readonly platform: string;
  readonly revision: string | null;
  readonly author: string | null;
  readonly started_at: number;
  readonly ended_at: number;
  readonly result: string;
  readonly counts: string;
  readonly error: string | null;
}
interface ChangeRow {
  readonly key: Key;
  readonly verb: Verb;
  readonly cause: Cause;
  readonly paths: string;
  readonly outcome: PassChange['outcome'];
  readonly error: string | null;
}

const PASSES = `
  SELECT id, sync, platform, revision, author, started_at, ended_at, result, counts, error FROM pass
  WHERE (?1 IS NULL OR sync = ?1) AND (?2 IS NULL OR platform = ?2)
    AND (?3 IS NULL OR id IN (SELECT pass FROM pass_change WHERE key = ?3))
  ORDER BY id DESC LIMIT ?4`;

/** Passes go oldest first, so everything up to the newest one that breaks a limit. */
const PRUNE = `
  DELETE FROM pass WHERE id < ?1 AND (
    ended_at < ?2
    OR id <= (SELECT id FROM pass ORDER BY id DESC LIMIT 1 OFFSET ?3)
    OR id <= (SELECT max(id) FROM (SELECT id, sum(changes) OVER (ORDER BY id DESC) AS upTo FROM pass) WHERE upTo > ?4))`;

function passOf(row: PassRow, changes: readonly ChangeRow[]): PassRecord & { readonly id: number } {
  return {
    id: row.id,
    sync: row.sync,
    platform: row.platform,
    ...(row.revision === null ? {} : { revision: row.revision }),
    ...(row.author === null ? {} : { author: row.author }),
    startedAt: row.started_at,
    endedAt: row.ended_at,
    result: row.result,
    counts: JSON.parse(row.counts) as PassRecord['counts'],
    changes: changes.map(({ error, paths, ...change }) => ({
      ...change,
      paths: JSON.parse(paths) as readonly string[],
      ...(error === null ? {} : { error }),
    })),
    ...(row.error === null ? {} : { error: row.error }),
  };
}

/** Equal for passes that tell the same: everything but the times and what merely counts. */
function signatureOf({ revision, result, changes, error }: PassRecord): string {
  return createHash('sha256')
    .update(JSON.stringify([revision, result, changes, error]))
    .digest('base64url');
}
