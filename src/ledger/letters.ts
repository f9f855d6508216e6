import type { JsonValue } from '../manifest/manifest.ts';
import type { Database } from './database.ts';
import type { FreshRecord, SyncName } from './sync-states.ts';

/** A dead letter that is to be delivered after all, or the run that it asked for made. */
export type TakenLetter = { readonly id: string } & ({ readonly record: FreshRecord } | { readonly wish: JsonValue });

const MINE = 'platform = :platform AND name = :name';

/** What the ledger knows of dead letters, which themselves are in a file. */
export class Letters {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Makes records of letters, in their order and before all that waits: of one key, what is older goes first. They are as good as out of
   * their file from now on (`taken`), whenever the process dies.
   */
  take(sync: SyncName, letters: readonly TakenLetter[], at: number): void {
    const { platform, name } = sync;
    this.#database.write('take up dead letters', () => {
      const take = this.#database.prepare('INSERT OR IGNORE INTO integration_taken VALUES (?, ?, ?)');
      const put = this.#database.prepare(
        'INSERT INTO integration_record (seq, platform, name, key, changed_at, data, due, again) VALUES (?, ?, ?, ?, ?, ?, ?, 1)',
      );
      const wish = this.#database.prepare(
        'INSERT OR IGNORE INTO integration_wish (platform, name, word, wish, at) VALUES (?, ?, ?, ?, ?)',
      );
      let seq = this.#first() - letters.length;
      for (const letter of letters) {
        if (take.run(platform, name, letter.id).changes === 0) continue;
        if ('wish' in letter)
          wish.run(platform, name, `letter/${letter.id}`, JSON.stringify(letter.wish), Math.trunc(at));
        else {
          const { key, changedAt = null, data } = letter.record;
          put.run(seq, platform, name, key, changedAt, JSON.stringify(data), Math.trunc(at));
          seq += 1;
        }
      }
    });
  }

  /** Ids of letters that are in their file and were taken up. */
  taken({ platform, name }: SyncName): ReadonlySet<string> {
    return new Set(
      this.#rows('read which dead letters were taken up', `SELECT letter FROM integration_taken WHERE ${MINE}`, {
        platform,
        name,
      }).map((row) => String(row['letter'])),
    );
  }

  /** They are out of their file, in which letters of these keys are left. */
  settle({ platform, name }: SyncName, keys: ReadonlySet<string>): void {
    const passed = [...this.passed({ platform, name }).keys()].filter((key) => !keys.has(key));
    this.#database.write('settle dead letters', () => {
      this.#database.prepare(`DELETE FROM integration_taken WHERE ${MINE}`).run({ platform, name });
      const forget = this.#database.prepare(`DELETE FROM integration_passed WHERE ${MINE} AND key = :key`);
      for (const key of passed) forget.run({ platform, name, key });
    });
  }

  /** When something of a key was delivered last since there are dead letters of it; milliseconds since 1970. */
  passed({ platform, name }: SyncName): ReadonlyMap<string, number> {
    const sql = `SELECT key, at FROM integration_passed WHERE ${MINE}`;
    const rows = this.#rows('read what was delivered since', sql, { platform, name });
    return new Map(rows.map((row) => [String(row['key']), Number(row['at'])]));
  }

  /** A number below which no record has its own. */
  #first(): number {
    const row = this.#database.prepare('SELECT min(seq) AS seq FROM integration_record').get();
    return Number(row?.['seq'] ?? 1);
  }

  #rows(doing: string, sql: string, { platform, name }: SyncName) {
    return this.#database.read(doing, () => this.#database.prepare(sql).all({ platform, name }));
  }
}
