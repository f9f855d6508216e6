import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';

/** States of a delivery as the table has them, see schema-bus.ts. Conditions of partial indexes repeat them as literals. */
export const DONE = 2;
export const DEAD = 3;

/** A delivery by the numbers of its event and its handler. */
export interface DeliveryRef {
  readonly event: number;
  readonly handler: number;
}

/** One that may be attempted now. Times are milliseconds since 1970. */
export interface DueDelivery extends DeliveryRef {
  /** Attempts so far. */
  readonly attempts: number;
  /** When it was first to be delivered: what its patience is counted from. */
  readonly since: number;
}

/** What came of an attempt. */
export type Settlement = DeliveryRef &
  (
    | { readonly outcome: 'done' }
    | { readonly outcome: 'failed'; readonly error: string; readonly nextAt: number }
    | { readonly outcome: 'dead'; readonly error: string }
  );

/** What a transaction changed about a handler, written once at its end. */
interface Change {
  pending: number;
  dead: number;
  /** Whether it took an event (`up`), or refused or missed one (`down`). */
  health?: 'up' | 'down';
}

/**
 * The deliveries and the counts of each handler. Every method belongs inside a transaction of the caller, which ends
 * with `writeCounts`.
 */
export class Deliveries {
  readonly #insert: StatementSync;
  readonly #again: StatementSync;
  readonly #hurry: StatementSync;
  readonly #state: StatementSync;
  readonly #finish: StatementSync;
  readonly #fail: StatementSync;
  readonly #promote: StatementSync;
  readonly #due: StatementSync;
  readonly #nextDue: StatementSync;
  readonly #open: StatementSync;
  readonly #forget: StatementSync;
  readonly #count: StatementSync;
  #changes = new Map<number, Change>();

  constructor(database: Database) {
    const behind = `EXISTS (SELECT 1 FROM bus_delivery WHERE handler = ?2 AND lane = ?3 AND state < 2)`;
    this.#insert = database.prepare(
      `INSERT INTO bus_delivery (event, handler, lane, state, attempts, since, next_at)
       VALUES (?1, ?2, ?3, ${behind}, 0, ?4, ?4) ON CONFLICT DO NOTHING`,
    );
    this.#again = database.prepare(
      `UPDATE bus_delivery SET state = ${behind}, attempts = 0, since = ?4, next_at = ?4, ended_at = NULL, error = NULL
       WHERE event = ?1 AND handler = ?2 AND state >= 2`,
    );
    this.#hurry = database.prepare(
      'UPDATE bus_delivery SET since = ?3, next_at = ?3 WHERE event = ?1 AND handler = ?2 AND state < 2',
    );
    this.#state = database.prepare('SELECT state FROM bus_delivery WHERE event = ? AND handler = ?');
    this.#finish = database.prepare(
      `UPDATE bus_delivery SET state = ?3, attempts = attempts + ?4, ended_at = ?5, error = ?6
       WHERE event = ?1 AND handler = ?2 AND state < 2 RETURNING lane`,
    );
    this.#fail = database.prepare(
      `UPDATE bus_delivery SET attempts = attempts + 1, next_at = ?3, error = ?4
       WHERE event = ?1 AND handler = ?2 AND state < 2`,
    );
    this.#promote = database.prepare(
      `UPDATE bus_delivery SET state = 0, next_at = ?3 WHERE handler = ?1 AND state = 1 AND event = (
         SELECT event FROM bus_delivery WHERE handler = ?1 AND lane = ?2 AND state < 2 ORDER BY event LIMIT 1)`,
    );
    this.#due = database.prepare(
      `SELECT event, handler, attempts, since FROM bus_delivery
       WHERE handler = ?1 AND state = 0 AND next_at <= ?2 ORDER BY next_at, event LIMIT ?3`,
    );
    this.#nextDue = database.prepare(
      `SELECT next_at FROM bus_delivery WHERE handler = ?1 AND state = 0 AND next_at > ?2 ORDER BY next_at LIMIT 1`,
    );
    this.#open = database.prepare(
      `SELECT event FROM bus_delivery WHERE handler = ?1 AND state = 0 ORDER BY next_at, event LIMIT ?2`,
    );
    this.#forget = database.prepare('DELETE FROM bus_delivery WHERE event = ?1 AND handler = ?2 AND state = 3');
    this.#count = database.prepare(
      `UPDATE bus_handler SET pending = pending + ?2, dead = dead + ?3,
         failing_since = CASE ?4 WHEN 'up' THEN NULL WHEN 'down' THEN coalesce(failing_since, ?5) ELSE failing_since END
       WHERE id = ?1`,
    );
  }

  /** Up to `limit` of a handler's, those that wait longest first. */
  due(handler: number, now: number, limit: number): readonly DueDelivery[] {
    return this.#due.all(handler, now, limit) as unknown as readonly DueDelivery[];
  }

  /** When the next one falls due after `now`; undefined when none does. */
  nextDue(handler: number, now: number): number | undefined {
    const row = this.#nextDue.get(handler, now);
    return row === undefined ? undefined : Number(row['next_at']);
  }

  /** Adds one; nothing when the event is on its way to this handler already, or was. @returns whether it was added. */
  add(ref: DeliveryRef, lane: string | null, now: number): boolean {
    const added = this.#insert.run(ref.event, ref.handler, lane, now).changes === 1;
    if (added) this.#changeOf(ref.handler).pending++;
    return added;
  }

  /** Makes one pending again that is done or dead, and one due that waits for its time. @returns whether there is such a one. */
  again(ref: DeliveryRef, lane: string | null, now: number): boolean {
    const dead = this.#state.get(ref.event, ref.handler)?.['state'] === DEAD;
    if (this.#again.run(ref.event, ref.handler, lane, now).changes === 0) {
      return this.#hurry.run(ref.event, ref.handler, now).changes === 1;
    }
    const change = this.#changeOf(ref.handler);
    change.pending++;
    if (dead) change.dead--;
    return true;
  }

  settle(settlement: Settlement, now: number): void {
    const change = this.#changeOf(settlement.handler);
    if (settlement.outcome === 'failed') {
      this.#fail.run(settlement.event, settlement.handler, Math.ceil(settlement.nextAt), settlement.error);
      change.health ??= 'down';
      return;
    }
    if (settlement.outcome === 'done') change.health = 'up';
    else change.health ??= 'down';
    const error = settlement.outcome === 'dead' ? settlement.error : null;
    this.end(settlement, { state: settlement.outcome === 'dead' ? DEAD : DONE, attempts: 1, error, now });
  }

  /** Ends one that is pending, and lets the one behind it in its lane come next. */
  end(ref: DeliveryRef, how: { state: number; attempts: number; error: string | null; now: number }): void {
    const row = this.#finish.get(ref.event, ref.handler, how.state, how.attempts, how.now, how.error);
    if (row === undefined) return;
    const change = this.#changeOf(ref.handler);
    change.pending--;
    if (how.state === DEAD) change.dead++;
    if (row['lane'] !== null) this.#promote.run(ref.handler, row['lane'] ?? null, how.now);
  }

  /** Some of a handler's pending ones, of every lane the oldest. */
  heads(handler: number, limit: number): readonly number[] {
    return this.#open.all(handler, limit).map((row) => Number(row['event']));
  }

  /** Drops a dead one for good. */
  forget(ref: DeliveryRef): void {
    if (this.#forget.run(ref.event, ref.handler).changes === 1) this.#changeOf(ref.handler).dead--;
  }

  /** Brings the counts up to what the transaction did. */
  writeCounts(now: number): void {
    const changes = this.#changes;
    this.#changes = new Map();
    for (const [handler, { pending, dead, health = null }] of changes) {
      if (pending !== 0 || dead !== 0 || health !== null) this.#count.run(handler, pending, dead, health, now);
    }
  }

  /** Forgets what a transaction counted that came to nothing. */
  dropCounts(): void {
    this.#changes = new Map();
  }

  #changeOf(handler: number): Change {
    const known = this.#changes.get(handler);
    if (known !== undefined) return known;
    const change: Change = { pending: 0, dead: 0 };
    this.#changes.set(handler, change);
    return change;
  }
}
