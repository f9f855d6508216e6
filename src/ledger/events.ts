import type { StatementSync } from 'node:sqlite';
import type { Key } from '../manifest/manifest.ts';
import type { Database } from './database.ts';

/** Something the daemon tells people about, in order of its happening. Field paths, never values (law 9). */
export interface LedgerEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A stable word (`drift-found`, `pass-failed`, …). */
  readonly type: string;
  readonly sync?: string;
  readonly platform?: string;
  readonly key?: Key;
  readonly message: string;
  readonly paths?: readonly string[];
}

export interface EventQuery {
  readonly sync?: string;
  /** Only events after the one with this id: to follow what happens. */
  readonly after?: number;
  /** Default 100. */
  readonly limit?: number;
}

/** Events that are kept; older ones go. */
export const EVENTS_KEPT = 5000;
const LONGEST_MESSAGE = 2000;
const MOST_PATHS = 50;

/** A bounded list of events, for `plumbline events`. */
export class Events {
  readonly #database: Database;
  readonly #kept: number;
  readonly #redact: (text: string) => string;
  readonly #insert: StatementSync;
  readonly #prune: StatementSync;

  constructor(database: Database, kept: number, redact: (text: string) => string) {
    this.#database = database;
    this.#kept = kept;
    this.#redact = redact;
    this.#insert = database.prepare(
      'INSERT INTO event (at, type, sync, platform, key, message, paths) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#prune = database.prepare('DELETE FROM event WHERE id <= ?');
  }

  /** @returns the event's id. */
  add(event: LedgerEvent): number {
    const { type, sync = null, platform = null, key = null } = event;
    const message = this.#redact(event.message).slice(0, LONGEST_MESSAGE);
    const paths = event.paths === undefined ? null : JSON.stringify(event.paths.slice(0, MOST_PATHS));
    return this.#database.write(
      'write down an event',
      () => {
        const { lastInsertRowid } = this.#insert.run(Math.trunc(event.at), type, sync, platform, key, message, paths);
        const id = Number(lastInsertRowid);
        this.#prune.run(id - this.#kept);
        return id;
      },
      'process',
    );
  }

  /** Oldest first: the ones after `after`, else the newest `limit`. */
  list(query: EventQuery): readonly (LedgerEvent & { readonly id: number })[] {
    const { sync = null, after, limit = 100 } = query;
    const sql = `SELECT id, at, type, sync, platform, key, message, paths FROM event
      WHERE id > ?1 AND (?2 IS NULL OR sync = ?2) ORDER BY id ${after === undefined ? 'DESC' : 'ASC'} LIMIT ?3`;
    const rows = this.#database.read('read the events', () => this.#database.prepare(sql).all(after ?? 0, sync, limit));
    const events = rows.map((row) => eventOf(row as unknown as EventRow));
    return after === undefined ? events.reverse() : events;
  }
}

interface EventRow {
  readonly id: number;
  readonly at: number;
  readonly type: string;
  readonly sync: string | null;
  readonly platform: string | null;
  readonly key: Key | null;
  readonly message: string;
  readonly paths: string | null;
}

function eventOf({
  id,
  at,
  type,
  sync,
  platform,
  key,
  message,
  paths,
}: EventRow): LedgerEvent & { readonly id: number } {
  return {
    id,
    at,
    type,
    ...(sync === null ? {} : { sync }),
    ...(platform === null ? {} : { platform }),
    ...(key === null ? {} : { key }),
    message,
    ...(paths === null ? {} : { paths: JSON.parse(paths) as readonly string[] }),
  };
}
