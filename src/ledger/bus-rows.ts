import type { JsonValue } from '../manifest/manifest.ts';
import type { BusEvent } from './bus-event.ts';

/** An event that is kept. */
export interface StoredEvent extends BusEvent {
  /** Its place in the order of arrival, counted from 1. */
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

/** Columns of an event without its data. */
export const EVENT_COLUMNS = 'seq, id, source, type, subject, platform, time, received_at';

export interface EventRow {
  readonly seq: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  readonly platform: string;
  readonly time: number;
  readonly received_at: number;
}

/** The event of a row; its data is read when somebody looks at it, because most events are judged by their type. */
export function eventOf(row: EventRow, data: (seq: number) => string): StoredEvent {
  let parsed: { readonly value: JsonValue } | undefined;
  return {
    seq: row.seq,
    id: row.id,
    source: row.source,
    type: row.type,
    ...(row.subject === null ? {} : { subject: row.subject }),
    time: row.time,
    platform: row.platform,
    receivedAt: row.received_at,
    get data() {
      parsed ??= { value: JSON.parse(data(row.seq)) as JsonValue };
      return parsed.value;
    },
  };
}

/** What keeps its order: events about one object of one platform. Null when an event is about nothing in particular. */
export function laneOf(event: BusEvent): string | null {
  return event.subject === undefined ? null : `${event.platform}\n${event.subject}`;
}

/** What people type for a delivery (`12-3`: event 12 for handler 3). */
export function deliveryId(event: number, handler: number): string {
  return `${event}-${handler}`;
}

/** The numbers behind what `deliveryId` wrote; undefined for anything else. */
export function deliveryOf(id: string): { readonly event: number; readonly handler: number } | undefined {
  const [, event, handler] = /^(\d{1,15})-(\d{1,15})$/.exec(id) ?? [];
  return event === undefined || handler === undefined ? undefined : { event: Number(event), handler: Number(handler) };
}
