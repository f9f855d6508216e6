import { randomUUID } from 'node:crypto';
import type { Database } from './database.ts';
import type { SyncName } from './sync-states.ts';

/** What a replica knows of the Integrations of a platform: by name, which one it is and what cursor was shared last. */
export type KnownSyncs = ReadonlyMap<string, { readonly createdAt: number; readonly shared: string }>;

const MINE = 'platform = :platform AND name = :name';
/** Tables of how far a sync is, which come from reading on; dead letters and counts are not among them. */
const PROGRESS = ['integration_sync', 'integration_mark'] as const;
/** Tables of an Integration beside its entry in the register. */
export const FOLLOWING = [
  'integration_sync',
  'integration_record',
  'integration_wish',
  'integration_count',
  'integration_mark',
  'integration_cursor',
  'integration_taken',
  'integration_passed',
] as const;

/** Where replicas go on with each other's syncs. A shared cursor stands before everything that was read and is not settled yet. */
export class SyncCursors {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Puts the shared cursor where reading can go on without leaving anything out that is known here alone.
   * @returns whether that is another place than before
   */
  share(sync: SyncName): boolean {
    const { platform, name } = sync;
    return this.#database.write('share a cursor', () => {
      const cursor = this.#safe(sync);
      if (typeof cursor !== 'string') return false;
      const { changes } = this.#database
        .prepare(
          `INSERT INTO integration_cursor VALUES (:platform, :name, :cursor, :version)
           ON CONFLICT DO UPDATE SET cursor = excluded.cursor, version = excluded.version
           WHERE cursor <> excluded.cursor`,
        )
        .run({ platform, name, cursor, version: randomUUID() });
      return changes !== 0;
    });
  }

  known(platform: string): KnownSyncs {
    const rows = this.#database.read('read cursors', () =>
      this.#database
        .prepare(
          `SELECT i.name, i.created_at, c.version FROM integration AS i LEFT JOIN integration_cursor AS c
             ON c.platform = i.platform AND c.name = i.name WHERE i.platform = ?`,
        )
        .all(platform),
    );
    return new Map(
      rows.map((row) => [String(row['name']), { createdAt: Number(row['created_at']), shared: versionOf(row) }]),
    );
  }

  /**
   * After what others have shared was read: where somebody else went on since, so does this replica, and what it had read itself and not
   * delivered is read again from there. `before` is what `known` said until then.
   */
  takeOver(platform: string, before: KnownSyncs): void {
    const now = this.known(platform);
    this.#database.write('go on with syncs of others', () => {
      for (const name of this.#named(platform)) {
        const present = now.get(name);
        // What went, or went and came again, is not the one that is known here.
        if (present === undefined || before.get(name)?.createdAt !== present.createdAt)
          this.#drop(
            { platform, name },
            FOLLOWING.filter((table) => table !== 'integration_cursor'),
          );
      }
      for (const [name, { shared }] of now)
        if (shared !== '' && shared !== before.get(name)?.shared) this.#goOn({ platform, name });
    });
  }

  /** undefined while records wait of which it is not known where they were read; null where reading begins. */
  #safe({ platform, name }: SyncName): string | null | undefined {
    const waiting = this.#database
      .prepare(
        `SELECT count(*) AS n, count(mark) AS marked, min(mark) AS mark FROM integration_record WHERE ${MINE} AND again = 0`,
      )
      .get({ platform, name });
    if (Number(waiting?.['n']) > Number(waiting?.['marked'])) return undefined;
    const row =
      waiting?.['mark'] === null
        ? this.#database.prepare(`SELECT cursor FROM integration_sync WHERE ${MINE}`).get({ platform, name })
        : this.#database.prepare('SELECT cursor FROM integration_mark WHERE id = ?').get(Number(waiting?.['mark']));
    const cursor = row?.['cursor'];
    return typeof cursor === 'string' ? cursor : null;
  }

  #goOn(sync: SyncName): void {
    this.#drop(sync, PROGRESS);
    this.#database.prepare(`DELETE FROM integration_record WHERE ${MINE} AND again = 0`).run({ ...sync });
    this.#database
      .prepare(
        `INSERT INTO integration_sync (platform, name, cursor)
         SELECT platform, name, cursor FROM integration_cursor WHERE ${MINE}`,
      )
      .run({ ...sync });
  }

  #named(platform: string): readonly string[] {
    const sql = `SELECT DISTINCT name FROM integration_sync WHERE platform = ?1 UNION
      SELECT DISTINCT name FROM integration_record WHERE platform = ?1`;
    return this.#database
      .prepare(sql)
      .all(platform)
      .map((row) => String(row['name']));
  }

  #drop({ platform, name }: SyncName, tables: readonly (typeof FOLLOWING)[number][]): void {
    for (const table of tables) this.#database.prepare(`DELETE FROM ${table} WHERE ${MINE}`).run({ platform, name });
  }
}

function versionOf(row: Readonly<Record<string, unknown>>): string {
  return typeof row['version'] === 'string' ? row['version'] : '';
}
