import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';

/** An objective of a service level, as it was promised, for one object: what is counted by itself. */
export interface Series {
  readonly platform: string;
  readonly level: string;
  readonly objective: string;
  /** Seconds that an event has to stay within; 0 where an event is good or bad by itself. */
  readonly bound: number;
  readonly object: string;
}

/** Counts of one series since counting began; they only grow. */
export interface Tally extends Series, Counts {
  readonly id: number;
  /** When counting began, and when the last good event was counted; milliseconds since 1970. */
  readonly since: number;
  readonly lastGood?: number;
}

export interface Counts {
  readonly good: number;
  readonly bad: number;
  /** What the events took together. */
  readonly seconds: number;
}

/** Ended runs of a workflow by result; they only grow. */
export interface RunCount {
  readonly platform: string;
  readonly workflow: string;
  readonly result: string;
  readonly count: number;
}

/** What is written at once: all of it, or nothing. */
export interface Entry {
  /** Milliseconds since 1970, by our clock: what a platform's clock says decides nothing. */
  readonly at: number;
  readonly counts: ReadonlyMap<number, Counts>;
  readonly runs?: readonly RunCount[];
  /** Where reading of what was counted goes on, and whatever else has to move with it. */
  readonly cursors?: Readonly<Record<string, string>>;
}

/** How an objective stands, and since when. */
export interface Verdict {
  readonly tally: number;
  readonly state: string;
  readonly since: number;
  /** What the source was at when it turned bad. */
  readonly revision?: string;
}

/** Seconds of a span, and the age in seconds up to which events are kept in spans of that width. */
const SPANS = [
  { width: 60, until: 3 * 3600 },
  { width: 3600, until: 3 * 86_400 },
  { width: 6 * 3600, until: 100 * 86_400 },
] as const;
const FINEST = SPANS[0].width;
const DAY = 86_400;

/**
 * What was counted for service levels. Storage is bounded: minutes for three hours, hours for three days, quarters of a day
 * for a hundred days. Counts and the cursor behind them are written in one transaction, so that nothing is counted twice or left
 * out whenever the process dies.
 */
export class Tallies {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Begins to count what is new, at zero, and forgets what is no longer wanted. Writes nothing when all is as before. */
  keep(wanted: readonly Series[], at: number): void {
    const word = ({ platform, level, objective, bound, object }: Series): string =>
      JSON.stringify([platform, level, objective, bound, object]);
    const known = new Map(this.all().map((tally) => [word(tally), tally]));
    const missing = wanted.filter((series) => !known.has(word(series)));
    const kept = new Set(wanted.map(word));
    const gone = [...known].filter(([series]) => !kept.has(series));
    if (missing.length + gone.length === 0) return;
    this.#database.write('begin to count', () => {
      const insert = this.#database.prepare(
        'INSERT OR IGNORE INTO tally (platform, level, objective, bound, object, since) VALUES (?, ?, ?, ?, ?, ?)',
      );
      for (const { platform, level, objective, bound, object } of missing)
        insert.run(platform, level, objective, bound, object, Math.trunc(at));
      const remove = this.#database.prepare('DELETE FROM tally WHERE id = ?');
      for (const [, { id }] of gone) remove.run(id);
    });
  }

  all(): readonly Tally[] {
    return this.#database.read('read the counts', () =>
      this.#database
        .prepare('SELECT * FROM tally ORDER BY id')
        .all()
        .map((row) => ({
          id: Number(row['id']),
          platform: String(row['platform']),
          level: String(row['level']),
          objective: String(row['objective']),
          bound: Number(row['bound']),
          object: String(row['object']),
          ...countsOf(row),
          since: Number(row['since']),
          ...(row['last_good'] === null ? {} : { lastGood: Number(row['last_good']) }),
        })),
    );
  }

  runs(): readonly RunCount[] {
    return this.#database.read('read the counts of runs', () =>
      this.#database
        .prepare('SELECT * FROM run_count')
        .all()
        .map((row) => ({
          platform: String(row['platform']),
          workflow: String(row['workflow']),
          result: String(row['result']),
          count: Number(row['count']),
        })),
    );
  }

  /** Forgets the counts of these workflows, whatever their result. */
  forgetRuns(gone: readonly Pick<RunCount, 'platform' | 'workflow'>[]): void {
    this.#database.write(
      'forget counts of runs',
      () => {
        const remove = this.#database.prepare('DELETE FROM run_count WHERE platform = ? AND workflow = ?');
        for (const { platform, workflow } of gone) remove.run(platform, workflow);
      },
      'process',
    );
  }

  /** @throws ReconcilerError when the ledger cannot take it: then nothing of it was counted. */
  add({ at, counts, runs = [], cursors = {} }: Entry): void {
    this.#database.write(
      'count',
      () => {
        this.countWithin(counts, at);
        const run = this.#database.prepare(
          'INSERT INTO run_count VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
        );
        for (const { platform, workflow, result, count } of runs) run.run(platform, workflow, result, count);
        const move = this.#database.prepare(
          'INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
        );
        for (const [name, value] of Object.entries(cursors)) move.run(name, value);
      },
      'process',
    );
  }

  /**
   * Events that were counted at `from` or later, by series; those without any are left out. A span counts as a whole, so that
   * the far end of a long window is blurred by at most six hours. What a clock that was wrong put into the future counts.
   */
  since(from: number): ReadonlyMap<number, Counts> {
    return this.#database.read('read the counts', () => {
      const rows = this.#database
        .prepare(
          `SELECT tally, sum(good) AS good, sum(bad) AS bad, sum(seconds) AS seconds FROM tally_span
           WHERE start + width > ? GROUP BY tally`,
        )
        .all(Math.trunc(from / 1000));
      return new Map(rows.map((row) => [Number(row['tally']), countsOf(row)]));
    });
  }

  /** Puts old spans together, and forgets what is older than any window. Now and then is enough. */
  fold(now: number): void {
    this.#database.write(
      'put counts together',
      () => {
        const seconds = Math.trunc(now / 1000);
        for (const [index, { width, until }] of SPANS.entries()) {
          const limit = seconds - until;
          // Bound as a bigint, an integer to SQLite: a number is REAL there, and to divide by it rounds nothing.
          const next = SPANS[index + 1];
          const wider = next === undefined ? undefined : BigInt(next.width);
          if (wider !== undefined)
            this.#database
              .prepare(
                `INSERT INTO tally_span
                   SELECT tally, ?1, start / ?1 * ?1, sum(good), sum(bad), sum(seconds) FROM tally_span
                   WHERE width = ?2 AND start / ?1 * ?1 + ?1 <= ?3 GROUP BY 1, 3
                 ON CONFLICT DO UPDATE SET
                   good = good + excluded.good, bad = bad + excluded.bad, seconds = seconds + excluded.seconds`,
              )
              .run(wider, width, limit);
          // Only whole wider spans are put together: their parts go all at once. A clock that has jumped ages nothing
          // away before something was counted under it.
          if (wider !== undefined || this.#newest() > seconds - DAY)
            this.#database
              .prepare('DELETE FROM tally_span WHERE width = ?1 AND start / ?2 * ?2 + ?2 <= ?3')
              .run(width, wider ?? BigInt(width), limit);
        }
      },
      'process',
    );
  }

  verdicts(): ReadonlyMap<number, Verdict> {
    return this.#database.read('read the verdicts', () => {
      const rows = this.#database.prepare('SELECT * FROM verdict').all();
      return new Map(
        rows.map((row) => [
          Number(row['tally']),
          {
            tally: Number(row['tally']),
            state: String(row['state']),
            since: Number(row['since']),
            ...(row['revision'] === null ? {} : { revision: String(row['revision']) }),
          },
        ]),
      );
    });
  }

  /** Writes down how objectives stand from now on. */
  judge(verdicts: readonly Verdict[]): void {
    if (verdicts.length === 0) return;
    this.#database.write(
      'write down how objectives stand',
      () => {
        const write = this.#database.prepare('INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?)');
        for (const { tally, state, since, revision = null } of verdicts)
          write.run(tally, state, Math.trunc(since), revision);
      },
      'process',
    );
  }

  #newest(): number {
    return Number(this.#database.prepare('SELECT max(start) AS start FROM tally_span').get()?.['start'] ?? 0);
  }

  /** Counts inside a transaction of the caller's, so that what was counted and what was done about it stand or fall together. */
  countWithin(counts: ReadonlyMap<number, Counts>, at: number): void {
    const start = Math.floor(at / 1000 / FINEST) * FINEST;
    const total = this.#database.prepare(
      `UPDATE tally SET good = good + ?1, bad = bad + ?2, seconds = seconds + ?3,
         last_good = CASE WHEN ?1 > 0 THEN ?4 ELSE last_good END WHERE id = ?5`,
    );
    const span = this.#database.prepare(
      `INSERT INTO tally_span VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         good = good + excluded.good, bad = bad + excluded.bad, seconds = seconds + excluded.seconds`,
    );
    for (const [id, { good, bad, seconds }] of counts) {
      // A series that has gone meanwhile is nobody's any more.
      if (total.run(good, bad, seconds, Math.trunc(at), id).changes === 0) continue;
      span.run(id, FINEST, start, good, bad, seconds);
    }
  }
}

function countsOf(row: NonNullable<ReturnType<StatementSync['get']>>): Counts {
  return { good: Number(row['good']), bad: Number(row['bad']), seconds: Number(row['seconds']) };
}
