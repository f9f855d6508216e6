import { deliveryId } from './bus-rows.ts';
import type { Database } from './database.ts';

/** Which deliveries are asked for; the newest of all when nothing is given. */
export interface DeliveryQuery {
  readonly state?: 'pending' | 'done' | 'dead';
  /** As the bus calls it: `webhook/<id>`, `plugin/<name>`. */
  readonly handler?: string;
  /** A type, or a pattern such as `order.*`. */
  readonly type?: string;
  readonly platform?: string;
  /** Default 100. */
  readonly limit?: number;
}

/** A delivery as people see it: never what the event holds. Times are milliseconds since 1970. */
export interface ListedDelivery {
  /** What `replay` takes. */
  readonly id: string;
  readonly handler: string;
  readonly state: 'pending' | 'done' | 'dead';
  readonly attempts: number;
  readonly since: number;
  /** Of a pending one that is not behind another: when it is attempted next. */
  readonly nextAt?: number;
  readonly endedAt?: number;
  /** What the last attempt failed with. */
  readonly error?: string;
  readonly event: {
    readonly id: string;
    readonly source: string;
    readonly type: string;
    readonly subject?: string;
    readonly platform: string;
  };
}

/** Newest event first. Looks through all that are in a state: for people, not for the way of an event. */
export function listDeliveries(database: Database, query: DeliveryQuery): readonly ListedDelivery[] {
  const { state, handler = null, type = '*', platform = null, limit = 100 } = query;
  const within = state === undefined ? '' : `AND ${STATES[state]}`;
  const exact = type.endsWith('*') ? null : type;
  const prefix = type.endsWith('*') ? type.slice(0, -1) : '';
  const sql = `SELECT d.event AS seq, d.handler, h.name, d.state, d.attempts, d.since, d.next_at, d.ended_at, d.error,
      e.id, e.source, e.type, e.subject, e.platform
    FROM bus_delivery d CROSS JOIN bus_handler h ON h.id = d.handler CROSS JOIN bus_event e ON e.seq = d.event
    WHERE (?1 IS NULL OR h.name = ?1) AND (?2 IS NULL OR e.type = ?2) AND substr(e.type, 1, length(?3)) = ?3
      AND (?4 IS NULL OR e.platform = ?4) ${within}
    ORDER BY d.event DESC, d.handler LIMIT ?5`;
  const rows = database.read('list deliveries', () =>
    database.prepare(sql).all(handler, exact, prefix, platform, limit),
  );
  return rows.map((row) => listed(row as unknown as Row));
}

const STATES = { pending: 'd.state < 2', done: 'd.state = 2', dead: 'd.state = 3' } as const;

interface Row {
  readonly seq: number;
  readonly handler: number;
  readonly name: string;
  readonly state: number;
  readonly attempts: number;
  readonly since: number;
  readonly next_at: number;
  readonly ended_at: number | null;
  readonly error: string | null;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  readonly platform: string;
}

function listed(row: Row): ListedDelivery {
  const { id, source, type, subject, platform } = row;
  return {
    id: deliveryId(row.seq, row.handler),
    handler: row.name,
    state: row.state < 2 ? 'pending' : row.state === 2 ? 'done' : 'dead',
    attempts: row.attempts,
    since: row.since,
    ...(row.state === 0 ? { nextAt: row.next_at } : {}),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    ...(row.error === null ? {} : { error: row.error }),
    event: { id, source, type, ...(subject === null ? {} : { subject }), platform },
  };
}
