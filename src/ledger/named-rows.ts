import type { StatementSync } from 'node:sqlite';
import { ReconcilerError } from '../errors.ts';
import type { Marker } from '../plan/types.ts';
import type { Database } from './database.ts';

export type Row = ReturnType<StatementSync['get']>;

/** How a register's rows are called in messages. */
export interface RowWords {
  /** As in "read an integration". */
  readonly one: string;
  /** As in "read the integrations". */
  readonly many: string;
  /** As in "There is … already". */
  readonly some: string;
  /** As in "There is no … with the id". */
  readonly none: string;
  /** As in "… was changed since it was looked at". */
  readonly called: (name: string) => string;
}

/**
 * The table of a register: what is in force on platforms, each row with an id, a name that nothing else has on its platform, and a
 * version that is another one after every write.
 */
export class NamedRows {
  readonly #database: Database;
  readonly #table: string;
  readonly #words: RowWords;
  #generation = 0;

  constructor(database: Database, table: string, words: RowWords) {
    this.#database = database;
    this.#table = table;
    this.#words = words;
  }

  /** Another number after every write. */
  get generation(): number {
    return this.#generation;
  }

  /** All, or those of a platform; by id. */
  list(platform?: string): readonly Row[] {
    return this.#database.read(`read ${this.#words.many}`, () => {
      const [where, values] = platform === undefined ? ['', []] : ['WHERE platform = ?', [platform]];
      return this.#database.prepare(`SELECT * FROM ${this.#table} ${where} ORDER BY id`).all(...values);
    });
  }

  find(id: string): Row {
    return this.#database.read(`read ${this.#words.one}`, () => this.one(id));
  }

  named(platform: string, name: string): Row {
    return this.#database.read(`read ${this.#words.one}`, () =>
      this.#database.prepare(`SELECT * FROM ${this.#table} WHERE platform = ? AND name = ?`).get(platform, name),
    );
  }

  write<T>(doing: string, work: () => T): T {
    const result = this.#database.write(doing, work);
    this.#generation += 1;
    return result;
  }

  // The methods below run inside a transaction of the caller.

  one(id: string): Row {
    return this.#database.prepare(`SELECT * FROM ${this.#table} WHERE id = ?`).get(id);
  }

  /** @throws ReconcilerError `conflict` when the id is used, or the name on that platform */
  refuseTaken(id: string, draft: { readonly platform: string; readonly name: string }): void {
    if (this.one(id) !== undefined) throw this.#taken(`with the id ${id}`);
    this.refuseNamesake(id, draft);
  }

  /** @throws ReconcilerError `conflict` when another one has the name on that platform */
  refuseNamesake(id: string, { platform, name }: { readonly platform: string; readonly name: string }): void {
    const other = this.#database
      .prepare(`SELECT id FROM ${this.#table} WHERE platform = ? AND name = ? AND id <> ?`)
      .get(platform, name, id);
    if (other !== undefined) throw this.#taken(`called ${name} on ${platform}`);
  }

  /** The row, in the version that is expected. @throws ReconcilerError `not-found`, and `stale` when it has another one */
  current(id: string, version: string): NonNullable<Row> {
    const row = this.one(id);
    if (row === undefined) throw this.absent(id);
    this.#refuseStale(row, version);
    return row;
  }

  /** Removes the row in the version that is expected, and first what `along` removes with it. @returns whether there was one. @throws ReconcilerError `stale` */
  remove(id: string, version: string, along: (row: NonNullable<Row>) => void = () => undefined): boolean {
    const row = this.one(id);
    if (row === undefined) return false;
    this.#refuseStale(row, version);
    along(row);
    return this.#database.prepare(`DELETE FROM ${this.#table} WHERE id = ?`).run(id).changes !== 0;
  }

  absent(id: string): ReconcilerError {
    const { none, many } = this.#words;
    return new ReconcilerError(`There is no ${none} with the id ${id} any more.`, 'replan', {
      code: 'not-found',
      remedy: `Look at ${many} again, and decide anew.`,
    });
  }

  #refuseStale(row: NonNullable<Row>, version: string): void {
    if (row['version'] === version) return;
    const what = this.#words.called(String(row['name']));
    throw new ReconcilerError(`${what} was changed since it was looked at.`, 'replan', {
      code: 'stale',
      remedy: 'Look at it again, and decide anew.',
    });
  }

  #taken(what: string): ReconcilerError {
    return new ReconcilerError(`There is ${this.#words.some} ${what} already.`, 'never', {
      code: 'conflict',
      remedy: 'Adopt that one, or give this one another name.',
    });
  }
}

export function markerText(marker: Marker | undefined): string | null {
  return marker === undefined ? null : JSON.stringify(marker);
}

/** What the rows of all registers tell; times in milliseconds since 1970. */
export function commonOf(row: Row) {
  const marker = row?.['marker'];
  return {
    id: String(row?.['id']),
    platform: String(row?.['platform']),
    name: String(row?.['name']),
    ...(typeof marker === 'string' ? { marker: JSON.parse(marker) as Marker } : {}),
    version: String(row?.['version']),
    createdAt: Number(row?.['created_at']),
    changedAt: Number(row?.['changed_at']),
    changedBy: String(row?.['changed_by']),
  };
}
