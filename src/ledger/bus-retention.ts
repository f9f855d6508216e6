import type { StatementSync } from 'node:sqlite';
import { DONE } from './bus-deliveries.ts';
import type { Deliveries } from './bus-deliveries.ts';
import type { BusLimits } from './bus-limits.ts';
import type { Database } from './database.ts';

/** Rows that are looked at in one transaction. */
const PAGE = 200;
/** Milliseconds after which events are looked at again that could not go because something was pending. */
const ROUND = 3_600_000;

/**
 * Keeps the file from growing for ever. Finished events go when they are old or too many, dead letters when they are old,
 * too many, or in the way; what is pending stays. Works in pages, inside transactions of the caller.
 */
export class Retention {
  readonly #deliveries: Deliveries;
  readonly #limits: BusLimits;
  readonly #totals: StatementSync;
  readonly #shrink: StatementSync;
  readonly #next: StatementSync;
  readonly #held: StatementSync;
  readonly #dropDeliveries: StatementSync;
  readonly #dropEvent: StatementSync;
  readonly #mourned: StatementSync;
  readonly #oldestDead: StatementSync;
  readonly #dropHandlers: StatementSync;
  /** The last event that was looked at. */
  #at = 0;
  #roundBegan = -Infinity;

  constructor(database: Database, deliveries: Deliveries, limits: BusLimits) {
    this.#deliveries = deliveries;
    this.#limits = limits;
    this.#totals = database.prepare('SELECT events, bytes, routed FROM bus');
    this.#shrink = database.prepare('UPDATE bus SET events = ?, bytes = ? WHERE one = 1');
    this.#next = database.prepare(
      `SELECT seq, received_at, size FROM bus_event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${PAGE}`,
    );
    this.#held = database.prepare(`SELECT 1 FROM bus_delivery WHERE event = ? AND state <> ${DONE} LIMIT 1`);
    this.#dropDeliveries = database.prepare('DELETE FROM bus_delivery WHERE event = ?');
    this.#dropEvent = database.prepare('DELETE FROM bus_event WHERE seq = ?');
    this.#mourned = database.prepare('SELECT id, dead FROM bus_handler WHERE dead > 0 ORDER BY dead DESC');
    this.#oldestDead = database.prepare(
      `SELECT event, ended_at FROM bus_delivery WHERE handler = ? AND state = 3 ORDER BY ended_at, event LIMIT ${PAGE}`,
    );
    this.#dropHandlers = database.prepare(
      `DELETE FROM bus_handler WHERE pending = 0 AND dead = 0
         AND gone_at < coalesce((SELECT received_at FROM bus_event ORDER BY seq LIMIT 1), ?)`,
    );
  }

  /** @returns whether more is to be looked at now. */
  page(now: number): boolean {
    const buried = this.#dropOldDead(now);
    if (now - this.#roundBegan >= ROUND) {
      this.#roundBegan = now;
      this.#at = 0;
      this.#dropHandlers.run(now);
    }
    const swept = this.#sweep(now);
    return buried || swept;
  }

  #dropOldDead(now: number): boolean {
    const { deadAge, deadPerHandler } = this.#limits;
    let more = false;
    for (const { id, dead } of this.#mourned.all() as unknown as { id: number; dead: number }[]) {
      let excess = dead - deadPerHandler;
      const rows = this.#oldestDead.all(id) as unknown as { event: number; ended_at: number }[];
      const dropped = rows.filter((row) => row.ended_at < now - deadAge || excess-- > 0);
      for (const { event } of dropped) this.#deliveries.forget({ event, handler: id });
      more ||= dropped.length === PAGE;
    }
    return more;
  }

  #sweep(now: number): boolean {
    const { kept, keptBytes, keptAge } = this.#limits;
    const totals = this.#totals.get() as unknown as { events: number; bytes: number; routed: number };
    let { events, bytes } = totals;
    const rows = this.#next.all(this.#at, totals.routed) as unknown as EventSize[];
    let within = false;
    for (const { seq, received_at: received, size } of rows) {
      within = events <= kept && bytes <= keptBytes && received >= now - keptAge;
      if (within) break;
      this.#at = seq;
      if (this.#held.get(seq) !== undefined) continue;
      this.#dropDeliveries.run(seq);
      this.#dropEvent.run(seq);
      events--;
      bytes -= size;
    }
    if (events !== totals.events) this.#shrink.run(events, bytes);
    if (within) return false;
    if (rows.length === PAGE) return true;
    return bytes > keptBytes && this.#giveWay();
  }

  /** Everything that is left is pending or dead, and too much: the oldest dead letters of who has most make room. */
  #giveWay(): boolean {
    const [most] = this.#mourned.all();
    if (most === undefined) return false;
    const handler = Number(most['id']);
    for (const row of this.#oldestDead.all(handler)) this.#deliveries.forget({ event: Number(row['event']), handler });
    this.#at = 0;
    return true;
  }
}

interface EventSize {
  readonly seq: number;
  readonly received_at: number;
  readonly size: number;
}
