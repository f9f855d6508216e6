import type { StatementSync } from 'node:sqlite';
import type { JsonValue } from '../manifest/manifest.ts';
import type { Database } from './database.ts';
import type { Counts, Tallies } from './tallies.ts';

/** An Integration on its platform. */
export interface SyncName {
  readonly platform: string;
  readonly name: string;
}

/** How far the sync of an Integration is. Times are milliseconds since 1970. */
export interface SyncState {
  /** Where reading goes on, in the code's own terms; undefined before the first page. */
  readonly cursor?: JsonValue;
  /** A run has begun and not come to its end. */
  readonly open: boolean;
  /** Failed runs in a row. */
  readonly failures: number;
  readonly retryAt?: number;
  readonly lastRun?: number;
  readonly lastSuccess?: number;
  /** Why the last run failed. */
  readonly error?: string;
}

/** A record that was read and is to be delivered. */
export interface WaitingRecord {
  readonly seq: number;
  readonly key: string;
  /** When it changed in the source, milliseconds since 1970. */
  readonly changedAt?: number;
  readonly data: JsonValue;
  readonly attempts: number;
  /** It was a dead letter: what it says of service levels has been counted. */
  readonly again: boolean;
}

export type FreshRecord = Pick<WaitingRecord, 'key' | 'changedAt' | 'data'>;

/** A run that was asked for. */
export interface Wish {
  readonly id: number;
  readonly wish: JsonValue;
}

/** What was counted of an Integration since counting began. */
export interface SyncCount extends SyncName {
  readonly what: 'run' | 'record' | 'delivery';
  readonly result: string;
  readonly count: number;
}

/** What is counted along with a write: for metrics, and for service levels. */
export interface Counting {
  readonly at: number;
  readonly counts: readonly Omit<SyncCount, 'platform' | 'name'>[];
  readonly weighed: ReadonlyMap<number, Counts>;
}

/** What became of records that were handed over. */
export interface Settled {
  readonly gone: readonly number[];
  readonly put: readonly { readonly seq: number; readonly due: number; readonly error: string }[];
  /** Keys that were delivered and of which there are dead letters. */
  readonly passed?: readonly string[];
}

const SELECT = 'SELECT seq, key, changed_at, data, attempts, again FROM integration_record';
const MINE = 'platform = :platform AND name = :name';

/**
 * How far syncs are, and what waits. The records of a page, the cursor behind it and what was counted of it are written in one
 * transaction: whenever the process dies, nothing that was read is lost and nothing is counted twice.
 */
export class SyncStates {
  readonly #database: Database;
  readonly #tallies: Tallies;

  constructor(database: Database, tallies: Tallies) {
    this.#database = database;
    this.#tallies = tallies;
  }

  state({ platform, name }: SyncName): SyncState {
    const row = this.#database.read('read how far a sync is', () =>
      this.#database.prepare(`SELECT * FROM integration_sync WHERE ${MINE}`).get({ platform, name }),
    );
    if (row === undefined) return { open: false, failures: 0 };
    const time = (column: string): number | undefined => (row[column] === null ? undefined : Number(row[column]));
    const [retryAt, lastRun, lastSuccess] = [time('retry_at'), time('last_run'), time('last_success')];
    return {
      ...(typeof row['cursor'] === 'string' ? { cursor: JSON.parse(row['cursor']) as JsonValue } : {}),
      open: row['open'] === 1,
      failures: Number(row['failures']),
      ...(retryAt === undefined ? {} : { retryAt }),
      ...(lastRun === undefined ? {} : { lastRun }),
      ...(lastSuccess === undefined ? {} : { lastSuccess }),
      ...(typeof row['error'] === 'string' ? { error: row['error'] } : {}),
    };
  }

  /** A run begins. */
  begin({ platform, name }: SyncName, at: number): void {
    this.#database.write('begin a run', () => {
      this.#database
        .prepare(
          `INSERT INTO integration_sync (platform, name, open, last_run) VALUES (?, ?, 1, ?)
           ON CONFLICT DO UPDATE SET open = 1, last_run = excluded.last_run`,
        )
        .run(platform, name, Math.trunc(at));
    });
  }

  /** One page was read: its records wait from now on, and reading goes on behind it. */
  page(
    sync: SyncName,
    page: { readonly cursor?: JsonValue; readonly records: readonly FreshRecord[] },
    counting: Counting,
  ): void {
    const { platform, name } = sync;
    this.#database.write('keep a page of records', () => {
      const add = this.#database.prepare(
        'INSERT INTO integration_record (platform, name, key, changed_at, data, due, mark) VALUES (?, ?, ?, ?, ?, ?, ?)',
      );
      const mark = page.records.length === 0 ? null : this.#mark(sync);
      for (const { key, changedAt = null, data } of page.records)
        add.run(platform, name, key, changedAt, JSON.stringify(data), Math.trunc(counting.at), mark);
      if (page.cursor !== undefined)
        this.#database
          .prepare(`UPDATE integration_sync SET cursor = :cursor WHERE ${MINE}`)
          .run({ platform, name, cursor: JSON.stringify(page.cursor) });
      this.#count(sync, counting);
    });
  }

  /** Records that are due, oldest first; of those with the same key only the oldest that waits at all. */
  due({ platform, name }: SyncName, at: number, most: number): readonly WaitingRecord[] {
    const older = `SELECT 1 FROM integration_record AS older WHERE older.platform = r.platform AND older.name = r.name
      AND older.key = r.key AND older.seq < r.seq`;
    return this.#database.read('read the records that are due', () =>
      this.#database
        .prepare(
          `${SELECT} AS r WHERE ${MINE} AND due <= :at AND (key = '' OR NOT EXISTS (${older})) ORDER BY seq LIMIT :most`,
        )
        .all({ platform, name, at: Math.trunc(at), most })
        .map(recordOf),
    );
  }

  /** How many records wait, and when the first of them is due; milliseconds since 1970. */
  waiting({ platform, name }: SyncName): { readonly records: number; readonly due?: number } {
    const row = this.#database.read('count records', () =>
      this.#database
        .prepare(`SELECT count(*) AS n, min(due) AS due FROM integration_record WHERE ${MINE}`)
        .get({ platform, name }),
    );
    const due = row?.['due'];
    return { records: Number(row?.['n'] ?? 0), ...(typeof due === 'number' ? { due } : {}) };
  }

  /** Records were handed over, or were not. */
  settle(sync: SyncName, { gone, put, passed = [] }: Settled, counting: Counting): void {
    const { platform, name } = sync;
    this.#database.write('settle records', () => {
      const remove = this.#database.prepare('DELETE FROM integration_record WHERE seq = ?');
      for (const seq of gone) remove.run(seq);
      const again = this.#database.prepare(
        'UPDATE integration_record SET attempts = attempts + 1, due = ?, error = ? WHERE seq = ?',
      );
      for (const { seq, due, error } of put) again.run(Math.trunc(due), error, seq);
      const newer = this.#database.prepare('INSERT OR REPLACE INTO integration_passed VALUES (?, ?, ?, ?)');
      for (const key of passed) newer.run(platform, name, key, Math.trunc(counting.at));
      const used = 'SELECT 1 FROM integration_record WHERE mark = integration_mark.id';
      this.#database
        .prepare(`DELETE FROM integration_mark WHERE ${MINE} AND NOT EXISTS (${used})`)
        .run({ platform, name });
      this.#count(sync, counting);
    });
  }

  /** A run has come to its end; `error` when it failed. The wish behind it is done with when it did not, or is given up. */
  end(
    sync: SyncName,
    end: { readonly error?: string; readonly retryAt?: number; readonly wish?: number; readonly givenUp?: boolean },
    counting: Counting,
  ): void {
    const { platform, name } = sync;
    const { error = null, retryAt = null, wish, givenUp = false } = end;
    this.#database.write('end a run', () => {
      const [success, failed] = error === null ? [Math.trunc(counting.at), 0] : [null, 1];
      this.#database
        .prepare(
          `UPDATE integration_sync SET open = 0, error = :error, retry_at = :retryAt,
             failures = CASE WHEN :failed = 1 THEN failures + 1 ELSE 0 END,
             last_success = coalesce(:success, last_success) WHERE ${MINE}`,
        )
        .run({ platform, name, error, failed, success, retryAt: retryAt === null ? null : Math.trunc(retryAt) });
      if (wish !== undefined && (error === null || givenUp))
        this.#database.prepare('DELETE FROM integration_wish WHERE id = ?').run(wish);
      this.#count(sync, counting);
    });
  }

  /** Somebody wants a run. The same `word` is the same wish, until it is done with. */
  wish({ platform, name }: SyncName, { word, wish, at }: { word: string; wish: JsonValue; at: number }): void {
    this.#database.write('wish for a run', () => {
      this.#database
        .prepare('INSERT OR IGNORE INTO integration_wish (platform, name, word, wish, at) VALUES (?, ?, ?, ?, ?)')
        .run(platform, name, word, JSON.stringify(wish), Math.trunc(at));
    });
  }

  /** The oldest wish that is not done with. */
  nextWish({ platform, name }: SyncName): Wish | undefined {
    const row = this.#database.read('read the wishes for runs', () =>
      this.#database
        .prepare(`SELECT id, wish FROM integration_wish WHERE ${MINE} ORDER BY id LIMIT 1`)
        .get({ platform, name }),
    );
    return row === undefined
      ? undefined
      : { id: Number(row['id']), wish: JSON.parse(String(row['wish'])) as JsonValue };
  }

  counts(): readonly SyncCount[] {
    return this.#database.read('read the counts of integrations', () =>
      this.#database
        .prepare('SELECT * FROM integration_count')
        .all()
        .map((row) => ({
          platform: String(row['platform']),
          name: String(row['name']),
          what: String(row['what']) as SyncCount['what'],
          result: String(row['result']),
          count: Number(row['count']),
        })),
    );
  }

  /** Remembers where reading was before a page. */
  #mark({ platform, name }: SyncName): number | bigint {
    const before = `SELECT cursor FROM integration_sync WHERE ${MINE}`;
    return this.#database
      .prepare(`INSERT INTO integration_mark (platform, name, cursor) VALUES (:platform, :name, (${before}))`)
      .run({ platform, name }).lastInsertRowid;
  }

  #count({ platform, name }: SyncName, { at, counts, weighed }: Counting): void {
    const add = this.#database.prepare(
      'INSERT INTO integration_count VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
    );
    for (const { what, result, count } of counts) if (count > 0) add.run(platform, name, what, result, count);
    this.#tallies.countWithin(weighed, at);
  }
}

function recordOf(row: NonNullable<ReturnType<StatementSync['get']>>): WaitingRecord {
  return {
    seq: Number(row['seq']),
    key: String(row['key']),
    ...(row['changed_at'] === null ? {} : { changedAt: Number(row['changed_at']) }),
    data: JSON.parse(String(row['data'])) as JsonValue,
    attempts: Number(row['attempts']),
    again: row['again'] === 1,
  };
}
