import type { Database } from './database.ts';
import type { Ownership, Scope } from './ownership.ts';

type Value = string | number | null;
type Row = readonly Value[];

/**
 * Rows of the ledger that whoever takes over has to know, by table. With a Sync: what it owns on the Platform, its open intents, and
 * what is to become of it once it is gone. Without one (''): what is known of the Platform, and the registers that Plumbline keeps
 * in its place.
 */
export type SharedRows = Readonly<Record<string, readonly Row[]>>;

interface Table {
  readonly columns: readonly string[];
  readonly where: string;
  /** Where the rows are kept; under the table's own name when absent. */
  readonly of?: string;
  /** How a row is taken over; inserted, or put in the place of the one there is, when absent. */
  readonly add?: string;
  /** Column by which rows are spread: the manifest's key, or a name. */
  readonly key?: number;
}

const SCOPE = 'sync = :sync AND platform = :platform';
const OF_SYNC: Readonly<Record<string, Table>> = {
  owned: {
    columns: [
      'sync',
      'platform',
      'key',
      'remote',
      'title',
      'fingerprint',
      'secret_hashes',
      'how',
      'depends_on',
      'file',
      'revision',
      'allow_data_loss',
      'drift_since',
      'held_fingerprint',
    ],
    where: SCOPE,
    key: 2,
  },
  // Apart from `owned`: an older plumbline takes over rows of its own columns only.
  output: {
    columns: ['sync', 'platform', 'key', 'outputs'],
    where: `${SCOPE} AND outputs IS NOT NULL`,
    of: 'owned',
    add: 'UPDATE owned SET outputs = ?4 WHERE sync = ?1 AND platform = ?2 AND key = ?3',
    key: 2,
  },
  intent: {
    columns: ['sync', 'platform', 'id', 'verb', 'key', 'title', 'remote', 'fingerprint', 'since'],
    where: SCOPE,
    key: 4,
  },
  cursor: {
    columns: ['name', 'value'],
    where: `name IN ('deletion-policy/' || :sync, 'retirement/' || :sync) AND :platform <> ''`,
  },
};
/** Name of a cursor that says that a pass of a Sync has succeeded on a Platform. */
export const SUCCEEDED = /^succeeded\/[^/]+\/(.+)$/;

export function succeededCursor({ sync, platform }: Scope): string {
  return `succeeded/${platform}/${sync}`;
}

const OF_PLATFORM: Readonly<Record<string, Table>> = {
  cursor: {
    columns: ['name', 'value'],
    where: `:sync = '' AND substr(name, 1, length(:platform) + 11) = 'succeeded/' || :platform || '/'`,
  },
  platform: { columns: ['name', 'instance', 'rights'], where: `name = :platform AND :sync = ''` },
  webhook: {
    columns: [
      'id',
      'platform',
      'title',
      'event',
      'url',
      'active',
      'secret',
      'marker',
      'version',
      'created_at',
      'changed_at',
      'changed_by',
    ],
    where: `platform = :platform AND :sync = ''`,
  },
  service_level: {
    columns: ['id', 'platform', 'name', 'spec', 'marker', 'version', 'created_at', 'changed_at', 'changed_by'],
    where: `platform = :platform AND :sync = ''`,
  },
  integration: {
    columns: [
      'id',
      'platform',
      'name',
      'title',
      'connection',
      'runs',
      'marker',
      'wanted',
      'version',
      'created_at',
      'changed_at',
      'changed_by',
    ],
    where: `platform = :platform AND :sync = ''`,
  },
  // Rows can be large: they are spread by their name.
  integration_cursor: {
    columns: ['platform', 'name', 'cursor', 'version'],
    where: `platform = :platform AND :sync = ''`,
    key: 1,
  },
};
const TABLES: Readonly<Record<string, Table>> = { ...OF_SYNC, ...OF_PLATFORM };

/** Reads and replaces the rows that replicas share. */
export class SharedLedger {
  readonly #database: Database;
  readonly #ownership: Ownership;

  constructor(database: Database, ownership: Ownership) {
    this.#database = database;
    this.#ownership = ownership;
  }

  /** In an order of their own, so that equal rows make equal texts. */
  rows(scope: Scope): SharedRows {
    const tables = scope.sync === '' ? OF_PLATFORM : OF_SYNC;
    return this.#database.read('read what replicas share', () => {
      const found = Object.entries(tables).map(([name, { columns, where, of = name }]) => {
        const sql = `SELECT ${columns.join(', ')} FROM ${of} WHERE ${where} ORDER BY ${columns.join(', ')}`;
        const rows = this.#database.prepareRows(sql).all(parameters(scope)) as unknown as readonly Row[];
        return [name, rows] as const;
      });
      return Object.fromEntries(found.filter(([, rows]) => rows.length > 0));
    });
  }

  /** Adds rows; those that are there already are replaced. What is not a table here is left out: a newer plumbline wrote it. */
  add(rows: SharedRows): void {
    this.#database.write('take over rows', () => {
      // What is said of rows comes after them.
      for (const name of Object.keys(TABLES)) {
        const table = TABLES[name];
        const list = rows[name];
        if (table === undefined || list === undefined) continue;
        const places = table.columns.map(() => '?').join(', ');
        const insert = `INSERT OR REPLACE INTO ${name} (${table.columns.join(', ')}) VALUES (${places})`;
        const statement = this.#database.prepare(table.add ?? insert);
        for (const row of list) if (row.length === table.columns.length) statement.run(...row);
      }
      this.#ownership.refresh();
    });
  }

  /** Forgets everything of a Platform: what stands here is from a time when another replica did not write yet. */
  forgetPlatform(platform: string): void {
    this.#database.write('forget a platform', () => {
      for (const [table, column] of FORGOTTEN)
        this.#database.prepare(`DELETE FROM ${table} WHERE ${column} = ?`).run(platform);
      this.#ownership.refresh();
    });
  }

  /** Syncs that have rows of a Platform. */
  syncsOn(platform: string): readonly string[] {
    const sql = `SELECT DISTINCT sync FROM (SELECT sync FROM owned WHERE platform = :platform UNION SELECT sync FROM intent
      WHERE platform = :platform) ORDER BY sync`;
    return this.#database.read('list Syncs', () =>
      this.#database
        .prepare(sql)
        .all({ platform })
        .map((row) => String(row['sync'])),
    );
  }
}

/** What a row is spread by: the key of the manifest that it is about, or a name; undefined where there is none. */
export function keyOf(table: string, row: Row): string | undefined {
  const column = TABLES[table]?.key;
  return column === undefined ? undefined : String(row[column]);
}

const FORGOTTEN = [
  ['owned', 'platform'],
  ['intent', 'platform'],
  ['platform', 'name'],
  ['webhook', 'platform'],
  ['service_level', 'platform'],
  ['integration', 'platform'],
  ['integration_cursor', 'platform'],
] as const;

function parameters({ sync, platform }: Scope): Record<string, string> {
  return { sync, platform };
}
