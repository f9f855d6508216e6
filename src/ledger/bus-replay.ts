import type { StatementSync } from 'node:sqlite';
import { ReconcilerError } from '../errors.ts';
import type { Deliveries } from './bus-deliveries.ts';
import { deliveryOf, EVENT_COLUMNS, eventOf, laneOf } from './bus-rows.ts';
import type { EventRow, StoredEvent } from './bus-rows.ts';
import type { Database } from './database.ts';

/** What is to be delivered again. */
export type ReplaySelection =
  | { readonly deliveries: readonly string[] }
  /** Ids that the senders gave, of whatever source. */
  | { readonly events: readonly string[] }
  /** The dead letters of a handler. */
  | { readonly dead: string }
  /** Everything that arrived since then, milliseconds since 1970. */
  | { readonly since: number };

/** Where a replay goes on. */
export interface ReplayCursor {
  readonly at: number;
  readonly until: number;
}

/** What a page of a replay came to. */
export interface Replayed {
  /** Deliveries that are pending now. */
  readonly replayed: number;
  /** Those that were asked for and are not kept any more, or whose handler is gone. */
  readonly skipped: number;
  /** Absent when that was all. */
  readonly next?: ReplayCursor;
}

export interface ReplayPage {
  readonly selection: ReplaySelection;
  readonly after: ReplayCursor | undefined;
  readonly now: number;
  readonly dataOf: (seq: number) => string;
  readonly targetsOf: (event: StoredEvent) => readonly number[];
}

/** Events or deliveries that are looked at in one transaction. */
const PAGE = 500;

/** Makes deliveries pending again, a page at a time, inside transactions of the caller. */
export class Replay {
  readonly #deliveries: Deliveries;
  readonly #present: StatementSync;
  readonly #handlersOf: StatementSync;
  readonly #eventBySeq: StatementSync;
  readonly #eventsById: StatementSync;
  readonly #eventsAfter: StatementSync;
  readonly #arrival: StatementSync;
  readonly #routed: StatementSync;
  readonly #handler: StatementSync;
  readonly #dead: StatementSync;

  constructor(database: Database, deliveries: Deliveries) {
    this.#deliveries = deliveries;
    const events = `SELECT ${EVENT_COLUMNS} FROM bus_event`;
    this.#present = database.prepare('SELECT 1 FROM bus_handler WHERE id = ? AND gone_at IS NULL');
    this.#handlersOf = database.prepare('SELECT handler FROM bus_delivery WHERE event = ?');
    this.#eventBySeq = database.prepare(`${events} WHERE seq = ?`);
    // What is not routed yet goes to everybody anyway.
    this.#eventsById = database.prepare(`${events} WHERE id = ? AND seq <= (SELECT routed FROM bus)`);
    this.#eventsAfter = database.prepare(`${events} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${PAGE}`);
    this.#arrival = database.prepare('SELECT seq, received_at FROM bus_event WHERE seq >= ? ORDER BY seq LIMIT 1');
    this.#routed = database.prepare('SELECT routed FROM bus');
    this.#handler = database.prepare('SELECT id, gone_at FROM bus_handler WHERE name = ?');
    this.#dead = database.prepare(
      `SELECT event FROM bus_delivery WHERE handler = ? AND state = 3 AND ended_at <= ? ORDER BY ended_at, event LIMIT ${PAGE}`,
    );
  }

  /** @throws ReconcilerError 'never' (`no-handler`) when the dead letters of nobody are asked for. */
  page(page: ReplayPage): Replayed {
    const { selection } = page;
    if ('deliveries' in selection) return this.#listed(selection.deliveries, page, (id) => this.#delivery(id, page));
    if ('events' in selection) return this.#listed(selection.events, page, (id) => this.#eventsOf(id, page));
    return 'dead' in selection ? this.#deadOf(selection.dead, page) : this.#since(selection.since, page);
  }

  #listed(ids: readonly string[], { after }: ReplayPage, replay: (id: string) => number): Replayed {
    const at = after?.at ?? 0;
    const counts = ids.slice(at, at + PAGE).map(replay);
    const next = at + PAGE < ids.length ? { next: { at: at + PAGE, until: ids.length } } : {};
    return { replayed: sum(counts), skipped: counts.filter((count) => count === 0).length, ...next };
  }

  #delivery(id: string, { now }: ReplayPage): number {
    const ref = deliveryOf(id);
    return ref !== undefined && this.#again(ref.event, ref.handler, now) ? 1 : 0;
  }

  #eventsOf(id: string, page: ReplayPage): number {
    return sum((this.#eventsById.all(id) as unknown as EventRow[]).map((row) => this.#whole(row, page)));
  }

  #deadOf(name: string, { after, now }: ReplayPage): Replayed {
    const handler = this.#handler.get(name);
    if (handler === undefined || handler['gone_at'] !== null) {
      throw new ReconcilerError(`There is no handler ${name} that its dead letters could be delivered to.`, 'never', {
        code: 'no-handler',
        remedy: 'Name one as the list of deliveries does; one that was taken away has to be put back first.',
      });
    }
    // Those that die while the replay goes on are not taken in again.
    const until = after?.until ?? now;
    const events = this.#dead.all(Number(handler['id']), until).map((row) => Number(row['event']));
    const replayed = events.filter((event) => this.#again(event, Number(handler['id']), now)).length;
    return { replayed, skipped: 0, ...(events.length < PAGE ? {} : { next: { at: 0, until } }) };
  }

  #since(since: number, page: ReplayPage): Replayed {
    const until = page.after?.until ?? Number(this.#routed.get()?.['routed'] ?? 0);
    const at = page.after?.at ?? this.#before(since, until);
    const rows = this.#eventsAfter.all(at, until) as unknown as EventRow[];
    const replayed = sum(rows.map((row) => this.#whole(row, page)));
    const last = rows.at(-1);
    return { replayed, skipped: 0, ...(last === undefined ? {} : { next: { at: last.seq, until } }) };
  }

  /** The number of the last event before a time: arrival is in order, so halving finds it. */
  #before(since: number, until: number): number {
    let [low, high] = [0, until];
    while (low < high) {
      const middle = Math.floor((low + high) / 2) + 1;
      const row = this.#arrival.get(middle);
      if (row === undefined || Number(row['received_at']) >= since || Number(row['seq']) > high) high = middle - 1;
      else low = Number(row['seq']);
    }
    return low;
  }

  /** To every handler that got an event, and to those that want it now. @returns deliveries. */
  #whole(row: EventRow, { now, targetsOf, dataOf }: ReplayPage): number {
    const event = eventOf(row, dataOf);
    const before = this.#handlersOf.all(row.seq).map(({ handler }) => Number(handler));
    const again = before.filter((handler) => this.#again(row.seq, handler, now)).length;
    const added = targetsOf(event).filter((handler) =>
      this.#deliveries.add({ event: row.seq, handler }, laneOf(event), now),
    ).length;
    return again + added;
  }

  #again(event: number, handler: number, now: number): boolean {
    if (this.#present.get(handler) === undefined) return false;
    const row = this.#eventBySeq.get(event) as EventRow | undefined;
    if (row === undefined) return false;
    return this.#deliveries.again({ event, handler }, laneOf(eventOf(row, () => 'null')), now);
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, one) => total + one, 0);
}
