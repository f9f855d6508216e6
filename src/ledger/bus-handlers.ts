import type { StatementSync } from 'node:sqlite';
import type { BusLimits } from './bus-limits.ts';
import type { Database } from './database.ts';

/** Handlers by what the bus calls them. */
export interface Enlisted {
  readonly ids: ReadonlyMap<string, number>;
  /** Handlers that are no more, and for which deliveries wait. */
  readonly gone: readonly number[];
}

interface HandlerRow {
  readonly id: number;
  readonly name: string;
  readonly pending: number;
  readonly failing_since: number | null;
}

/** Who gets events: webhooks and plugins by name, also those that are gone. Inside transactions of the caller. */
export class Handlers {
  readonly #all: StatementSync;
  readonly #enter: StatementSync;
  readonly #leave: StatementSync;

  constructor(database: Database) {
    this.#all = database.prepare('SELECT id, name, pending, failing_since FROM bus_handler');
    this.#enter = database.prepare(
      `INSERT INTO bus_handler (name, pending, dead) VALUES (?, 0, 0)
       ON CONFLICT DO UPDATE SET gone_at = NULL WHERE gone_at IS NOT NULL`,
    );
    this.#leave = database.prepare('UPDATE bus_handler SET gone_at = ? WHERE id = ? AND gone_at IS NULL');
  }

  enlist(names: readonly string[], now: number): Enlisted {
    for (const name of names) this.#enter.run(name);
    const wanted = new Set(names);
    const ids = new Map<string, number>();
    const gone: number[] = [];
    for (const { id, name, pending } of this.#rows()) {
      if (wanted.has(name)) ids.set(name, id);
      else {
        this.#leave.run(now, id);
        if (pending > 0) gone.push(id);
      }
    }
    return { ids, gone };
  }

  /** Those that get nothing more for now, and why. */
  lost(now: number, { lostPending, lostAge }: BusLimits): ReadonlyMap<number, string> {
    const lost = this.#rows().filter(
      ({ pending, failing_since: since }) => pending >= lostPending && since !== null && since <= now - lostAge,
    );
    return new Map(lost.map(({ id, pending }) => [id, `It has failed for long, and ${pending} events wait for it.`]));
  }

  #rows(): readonly HandlerRow[] {
    return this.#all.all() as unknown as readonly HandlerRow[];
  }
}
