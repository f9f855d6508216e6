import type { StatementSync } from 'node:sqlite';
import type { Accepted, BusEvent } from './bus-event.ts';
import { DEAD, Deliveries } from './bus-deliveries.ts';
import type { DueDelivery, Settlement } from './bus-deliveries.ts';
import { Handlers } from './bus-handlers.ts';
import type { Enlisted } from './bus-handlers.ts';
import { BUS_LIMITS } from './bus-limits.ts';
import type { BusLimits } from './bus-limits.ts';
import { listDeliveries } from './bus-list.ts';
import type { DeliveryQuery, ListedDelivery } from './bus-list.ts';
import { Replay } from './bus-replay.ts';
import type { ReplayCursor, Replayed, ReplaySelection } from './bus-replay.ts';
import { Retention } from './bus-retention.ts';
import { EVENT_COLUMNS, eventOf, laneOf } from './bus-rows.ts';
import type { EventRow, StoredEvent } from './bus-rows.ts';
import type { Database, Outlives } from './database.ts';

export interface BusOptions {
  /** Applied to every error that is written down. */
  readonly redact: (text: string) => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly limits?: Partial<BusLimits>;
}

/** How full the bus is. */
export interface BusStanding {
  /** Events not routed and deliveries not finished. */
  readonly pending: number;
  readonly dead: number;
  /** Bytes of all events that are kept. */
  readonly bytes: number;
}

const LONGEST_ERROR = 500;

/**
 * The durable queue of events and of their deliveries to handlers. The order of arrival is the order of delivery within
 * one subject; nothing that is pending is ever dropped. Methods throw ReconcilerErrors of the ledger (`ledger-full`, …).
 */
export class Bus {
  readonly limits: BusLimits;
  readonly #database: Database;
  readonly #redact: (text: string) => string;
  readonly #now: () => number;
  readonly #deliveries: Deliveries;
  readonly #replay: Replay;
  readonly #retention: Retention;
  readonly #insert: StatementSync;
  readonly #grow: StatementSync;
  readonly #unrouted: StatementSync;
  readonly #routed: StatementSync;
  readonly #event: StatementSync;
  readonly #data: StatementSync;
  readonly #handlers: Handlers;
  readonly #standing: StatementSync;

  constructor(database: Database, { redact, now, limits }: BusOptions) {
    this.limits = { ...BUS_LIMITS, ...limits };
    this.#database = database;
    this.#redact = redact;
    this.#now = () => Math.trunc(now());
    this.#deliveries = new Deliveries(database);
    this.#replay = new Replay(database, this.#deliveries);
    this.#retention = new Retention(database, this.#deliveries, this.limits);
    this.#insert = database.prepare(
      `INSERT INTO bus_event (id, source, type, subject, platform, time, received_at, size, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.#grow = database.prepare(
      'UPDATE bus SET unrouted = unrouted + ?1, events = events + ?1, bytes = bytes + ?2 WHERE one = 1',
    );
    this.#unrouted = database.prepare(
      `SELECT ${EVENT_COLUMNS} FROM bus_event WHERE seq > (SELECT routed FROM bus) ORDER BY seq LIMIT ?`,
    );
    this.#routed = database.prepare('UPDATE bus SET routed = ?, unrouted = unrouted - ? WHERE one = 1');
    this.#event = database.prepare(`SELECT ${EVENT_COLUMNS} FROM bus_event WHERE seq = ?`);
    this.#data = database.prepare('SELECT data FROM bus_event WHERE seq = ?');
    this.#handlers = new Handlers(database);
    this.#standing = database.prepare(
      `SELECT unrouted + (SELECT total(pending) FROM bus_handler) AS pending,
         (SELECT total(dead) FROM bus_handler) AS dead, bytes FROM bus`,
    );
  }

  /**
   * Keeps events in one transaction that outlives a loss of power. Whether there is room is the caller's to ask
   * (`standing`). @returns what became of each.
   */
  append(events: readonly BusEvent[]): readonly Accepted[] {
    return this.#write(
      'keep events',
      () => {
        const now = this.#now();
        let [stored, bytes] = [0, 0];
        const results = events.map((event): Accepted => {
          const { id, source, type, subject = null, platform, time } = event;
          const data = JSON.stringify(event.data);
          const size = Buffer.byteLength(data) + id.length + source.length + type.length + (subject?.length ?? 0);
          const { changes } = this.#insert.run(id, source, type, subject, platform, Math.trunc(time), now, size, data);
          if (changes === 0) return 'duplicate';
          stored++;
          bytes += size;
          return 'stored';
        });
        if (stored > 0) this.#grow.run(stored, bytes);
        return results;
      },
      'power',
    );
  }

  /** Enters the handlers that there are; those that the bus knew and that are not among them are gone. */
  enlist(names: readonly string[]): Enlisted {
    return this.#write('enter the handlers of events', () => this.#handlers.enlist(names, this.#now()));
  }

  /** Turns the next events into deliveries, at most `most` of them, in order of arrival. @returns how many events. */
  route(most: number, targetsOf: (event: StoredEvent) => readonly number[]): number {
    return this.#write('route events', () => {
      const rows = this.#unrouted.all(most) as unknown as EventRow[];
      const last = rows.at(-1);
      if (last === undefined) return 0;
      const now = this.#now();
      const lost = this.#handlers.lost(now, this.limits);
      for (const event of rows.map((row) => eventOf(row, this.#dataOf))) {
        for (const handler of targetsOf(event)) {
          const added = this.#deliveries.add({ event: event.seq, handler }, laneOf(event), now);
          const error = lost.get(handler);
          if (!added || error === undefined) continue;
          this.#deliveries.end({ event: event.seq, handler }, { state: DEAD, attempts: 0, error, now });
        }
      }
      this.#routed.run(last.seq, rows.length);
      return rows.length;
    });
  }

  /** Deliveries of a handler that may be attempted now: of each subject the oldest. They stay due until they are settled. */
  due(handler: number, most: number): readonly DueDelivery[] {
    return this.#database.read('look for deliveries', () => this.#deliveries.due(handler, this.#now(), most));
  }

  /** When the next delivery of a handler falls due, if one waits for its time. Milliseconds since 1970. */
  nextDue(handler: number): number | undefined {
    return this.#database.read('look for deliveries', () => this.#deliveries.nextDue(handler, this.#now()));
  }

  /** Undefined when retention has dropped it. */
  event(seq: number): StoredEvent | undefined {
    const row = this.#database.read('read an event', () => this.#event.get(seq)) as EventRow | undefined;
    return row === undefined ? undefined : eventOf(row, this.#dataOf);
  }

  /** Writes down what came of attempts. A loss of power may undo it: the attempts are then made again. */
  settle(settlements: readonly Settlement[]): void {
    this.#write('write down deliveries', () => {
      for (const one of settlements) {
        const clean = one.outcome === 'done' ? one : { ...one, error: this.#clean(one.error) };
        this.#deliveries.settle(clean, this.#now());
      }
    });
  }

  /** Makes dead letters of what waits for a handler, at most `most`. @returns whether more is left. */
  bury(handler: number, error: string, most: number): boolean {
    return this.#write('give up deliveries', () => {
      let left = most;
      for (;;) {
        const heads = this.#deliveries.heads(handler, left);
        const now = this.#now();
        for (const event of heads) {
          this.#deliveries.end({ event, handler }, { state: DEAD, attempts: 0, error: this.#clean(error), now });
        }
        left -= heads.length;
        if (heads.length === 0) return false;
        if (left <= 0) return true;
      }
    });
  }

  /**
   * Makes deliveries pending again whatever came of them, a page at a time. With `targetsOf`, an event or everything since
   * a time goes to handlers too that did not get it; without, only to those that did.
   */
  replay(
    selection: ReplaySelection,
    after?: ReplayCursor,
    targetsOf: (event: StoredEvent) => readonly number[] = () => [],
  ): Replayed {
    const page = { selection, after, now: this.#now(), dataOf: this.#dataOf, targetsOf };
    return this.#write('replay events', () => this.#replay.page(page));
  }

  /** Drops what need not be kept any longer, a page at a time. @returns whether more is to be looked at. */
  prune(): boolean {
    return this.#write('drop old events', () => this.#retention.page(this.#now()));
  }

  /** Deliveries, those of the newest events first. */
  list(query: DeliveryQuery = {}): readonly ListedDelivery[] {
    return listDeliveries(this.#database, query);
  }

  standing(): BusStanding {
    return this.#database.read('count events', () => ({ ...this.#standing.get() })) as unknown as BusStanding;
  }

  /** How the bus stands; `oldest` in milliseconds since the oldest event arrived that is not handled. */
  numbers(): { readonly pending: number; readonly dead: number; readonly oldest: number } {
    const { pending, dead } = this.standing();
    const row = this.#database.read('look for the oldest event', () => this.#database.prepare(OLDEST).get());
    const since = row?.['since'] ?? null;
    return { pending, dead, oldest: since === null ? 0 : Math.max(0, this.#now() - Number(since)) };
  }

  readonly #dataOf = (seq: number): string => String(this.#data.get(seq)?.['data'] ?? 'null');

  /** Redaction comes first: a cut through a secret would leave a part that nothing recognises. */
  #clean(error: string): string {
    return this.#redact(error).slice(0, LONGEST_ERROR);
  }

  #write<T>(doing: string, work: () => T, outlives: Outlives = 'process'): T {
    try {
      return this.#database.write(
        doing,
        () => {
          const result = work();
          this.#deliveries.writeCounts(this.#now());
          return result;
        },
        outlives,
      );
    } finally {
      this.#deliveries.dropCounts();
    }
  }
}

const OLDEST = `SELECT min(since) AS since FROM (
  SELECT received_at AS since FROM bus_event WHERE seq = (SELECT min(event) FROM bus_delivery WHERE state < 2)
  UNION ALL SELECT received_at FROM bus_event WHERE seq = (SELECT min(seq) FROM bus_event WHERE seq > (SELECT routed FROM bus)))`;
