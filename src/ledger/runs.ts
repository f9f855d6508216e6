import { ReconcilerError } from '../errors.ts';
import type { Execution } from '../drivers/driver.ts';
import type { Database } from './database.ts';
import {
  OWNED_WORKFLOW,
  FIND,
  LIST,
  LIST_OF_WORKFLOW,
  KEYED,
  TELL,
  SEE,
  FORGET_KEY,
  FORGET_KEYS,
  FORGET_REPLIES,
  PRUNE_ASKED,
  PRUNE_SEEN,
} from './run-statements.ts';
import { RUN_LIMITS, runOf, stateOf } from './run.ts';
import type { KeyedRun, Reply, Run, RunLimits, RunRow, RunState, Wish } from './run.ts';

/** Milliseconds for which a key stands for its first run. */
export const KEY_LIFE = 24 * 3600 * 1000;
const LONGEST_ERROR = 1000;

/** Where the runs of workflows are written down: before they are asked for, and when the platform tells of them. */
export class Runs {
  readonly #database: Database;
  readonly #redact: (text: string) => string;
  readonly #now: () => number;
  readonly #limits: RunLimits;
  #unpruned = Number.POSITIVE_INFINITY;

  constructor(database: Database, redact: (text: string) => string, now: () => number, limits = RUN_LIMITS) {
    this.#database = database;
    this.#redact = redact;
    this.#now = now;
    this.#limits = limits;
  }

  /** After a start: nobody waits any more for what was asked before it, and nobody knows what came of it. @returns how many. */
  recover(): number {
    return this.#database.write('look for unfinished runs', () =>
      Number(this.#database.prepare("UPDATE run SET state = 'unknown' WHERE state = 'intended'").run().changes),
    );
  }

  /**
   * Writes down that a workflow is about to be run; outlives a loss of power.
   * @throws ReconcilerError 'backoff' (`keys-full`) when more idempotency keys are used than are kept for a day
   */
  begin(wish: Wish): void {
    const now = this.#now();
    const { correlation, platform, workflow, remote, token, key = null, digest = null } = wish;
    this.#database.write('write down a run', () => {
      this.#prune(now);
      if (key !== null) {
        this.#database.prepare(FORGET_KEY).run(token, platform, workflow, key, now - KEY_LIFE);
        this.#refuseFull(token);
      }
      this.#database
        .prepare(
          `INSERT INTO run (platform, remote, workflow, correlation, state, at, token, idempotency_key, input_digest)
           VALUES (?, ?, ?, ?, 'intended', ?, ?, ?, ?)`,
        )
        .run(platform, remote, workflow, correlation, now, token, key, digest);
    });
  }

  /** Writes down what came of the wish; `reply` is what a second call with the same key gets. */
  settle(correlation: string, state: RunState, { execution = null, error, reply }: Settlement = {}): void {
    const text = error === undefined ? null : this.#text(error);
    this.#database.write(
      'write down what came of a run',
      () => {
        const { platform } =
          this.#database.prepare('SELECT platform FROM run WHERE correlation = ?').get(correlation) ?? {};
        if (platform !== undefined && execution !== null) this.#forgetSeen(String(platform), execution);
        // The platform may have told of its end before it answered.
        this.#database
          .prepare(
            `UPDATE run SET state = CASE WHEN state = 'intended' THEN ?1 ELSE state END, error = coalesce(?2, error),
               execution = coalesce(execution, ?3), reply = CASE WHEN idempotency_key IS NULL THEN NULL ELSE ?4 END
             WHERE correlation = ?5`,
          )
          .run(state, text, execution, reply === undefined ? null : this.#json(reply), correlation);
      },
      'process',
    );
  }

  /** Nothing was run: the key is free for another try. */
  withdraw(correlation: string, error: string): void {
    this.#database.write('write down that a run was not begun', () => {
      this.#database
        .prepare(
          `UPDATE run SET state = 'not-started', error = ?, idempotency_key = NULL, input_digest = NULL WHERE correlation = ?`,
        )
        .run(this.#text(error), correlation);
    });
  }

  /** What was run for a key within the last 24 hours. */
  keyed({ token, platform, workflow, key }: Required<Pick<Wish, 'token' | 'platform' | 'workflow' | 'key'>>) {
    return this.#database.read('look for a run', (): KeyedRun | undefined => {
      const row = this.#database.prepare(KEYED).get(token, platform, workflow, key, this.#now() - KEY_LIFE);
      if (row === undefined) return undefined;
      const { input_digest, reply } = row;
      return {
        run: runOf(row as unknown as RunRow),
        digest: String(input_digest),
        ...(reply === null ? {} : { reply: JSON.parse(String(reply)) as Reply }),
      };
    });
  }

  /**
   * What a platform tells of runs. One whose correlation was given out for that workflow of that platform is linked to it
   * (a correlation that somebody else's workflow repeats links nothing); others are kept as seen.
   */
  saw(platform: string, executions: readonly Execution[]): void {
    if (executions.length === 0) return;
    this.#database.write(
      'write down executions',
      () => {
        for (const execution of executions) if (!this.#link(platform, execution)) this.#see(platform, execution);
        this.#unpruned += executions.length;
        this.#prune(this.#now());
      },
      'process',
    );
  }

  /** By the platform's id or by our correlation. */
  find(platform: string, id: string): Run | undefined {
    return this.#database.read('look for a run', () => {
      const row = this.#database.prepare(FIND).get(platform, id);
      return row === undefined ? undefined : runOf(row as unknown as RunRow);
    });
  }

  /** Newest first; of one workflow (its name), or of all. */
  list({
    platform,
    workflow = null,
    limit,
  }: {
    platform: string;
    workflow?: string | null;
    limit: number;
  }): readonly Run[] {
    return this.#database.read('read the runs', () =>
      this.#database
        .prepare(workflow === null ? LIST : LIST_OF_WORKFLOW)
        .all(platform, limit, ...(workflow === null ? [] : [workflow]))
        .map((row) => runOf(row as unknown as RunRow)),
    );
  }

  #link(platform: string, { correlation, ...execution }: Execution): boolean {
    if (correlation !== undefined) {
      const asked = this.#database
        .prepare('SELECT id FROM run WHERE correlation = ? AND platform = ? AND remote = ?')
        .get(correlation, platform, execution.workflow);
      if (asked !== undefined) {
        this.#forgetSeen(platform, execution.id);
        this.#database
          .prepare('UPDATE OR IGNORE run SET execution = ? WHERE id = ?')
          .run(execution.id, Number(asked['id']));
      }
    }
    const { changes } = this.#database
      .prepare(TELL)
      .run(...this.#told(execution), platform, execution.id, execution.workflow);
    return changes !== 0;
  }

  #see(platform: string, execution: Execution): void {
    this.#forgetSeen(platform, execution.id);
    const { workflow } = execution;
    this.#database
      .prepare(SEE)
      .run(
        platform,
        workflow,
        this.#nameOf(platform, workflow),
        execution.id,
        execution.startedAt,
        ...this.#told(execution),
      );
  }

  #told({ status, startedAt, endedAt, error }: Execution): [string, number, number | null, string | null] {
    const ended = endedAt === undefined ? null : Math.trunc(endedAt);
    return [stateOf(status), Math.trunc(startedAt), ended, error === undefined ? null : this.#text(error)];
  }

  #nameOf(platform: string, remote: string): string | null {
    const key = this.#database.prepare(OWNED_WORKFLOW).get(platform, remote)?.['key'];
    return key === undefined ? null : String(key).slice('Workflow/'.length);
  }

  #forgetSeen(platform: string, execution: string): void {
    this.#database
      .prepare('DELETE FROM run WHERE platform = ? AND execution = ? AND correlation IS NULL')
      .run(platform, execution);
  }

  #refuseFull(token: string): void {
    const { keysPerToken, keys } = this.#limits;
    const count = 'SELECT count(*) AS n FROM run WHERE idempotency_key IS NOT NULL';
    const own = this.#database.prepare(`${count} AND token = ?`).get(token)?.['n'];
    if (Number(own) < keysPerToken && Number(this.#database.prepare(count).get()?.['n']) < keys) return;
    throw new ReconcilerError('More idempotency keys are in use than are kept for 24 hours.', 'backoff', {
      code: 'keys-full',
      remedy: 'Send fewer calls with an Idempotency-Key, or call without one.',
      retryAfter: 60_000,
    });
  }

  /** Reads many rows, so it is done now and then. */
  #prune(now: number): void {
    const { asked, seen, replies } = this.#limits;
    this.#unpruned += 1;
    if (this.#unpruned < Math.min(asked, seen, replies) / 20) return;
    this.#unpruned = 0;
    this.#database.prepare(FORGET_KEYS).run(now - KEY_LIFE);
    this.#database.prepare(FORGET_REPLIES).run(replies);
    this.#database.prepare(PRUNE_ASKED).run(asked);
    this.#database.prepare(PRUNE_SEEN).run(seen);
  }

  #json(reply: Reply): string {
    return JSON.stringify(reply, (_, value: unknown) => (typeof value === 'string' ? this.#redact(value) : value));
  }

  #text(text: string): string {
    return this.#redact(text).slice(0, LONGEST_ERROR);
  }
}

interface Settlement {
  readonly execution?: string | null;
  readonly error?: string;
  readonly reply?: Reply;
}
