import type { StatementSync } from 'node:sqlite';
import type { Key, Kind } from '../manifest/manifest.ts';
import type { Owned } from '../plan/types.ts';
import type { Database } from './database.ts';
import type { Scope } from './ownership.ts';

const OUTPUTS = 'SELECT outputs FROM owned WHERE sync = ? AND platform = ? AND key = ?';

/** An object on a platform and the Sync that owns it. */
export interface OwnedObject {
  readonly sync: string;
  readonly platform: string;
  readonly key: Key;
  /** The platform's id. */
  readonly remote: string;
  readonly title: string;
  /** Where its manifest is, in the source of the Sync. */
  readonly file: string;
}

/** Who owns what, asked for single objects whatever their Sync. */
export class Owners {
  readonly #database: Database;
  #outputs: StatementSync | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** By what its manifest is called. */
  of(platform: string, key: Key): OwnedObject | undefined {
    return this.#one('platform = ? AND key = ?', [platform, key]);
  }

  /** Outputs of an object as it was last applied; `unknown` when an older version wrote it down, undefined when it is not owned. */
  outputs({ sync, platform }: Scope, key: Key): Owned['outputs'] | 'unknown' {
    return this.#database.read('look for outputs', () => {
      this.#outputs ??= this.#database.prepareRows(OUTPUTS);
      const [row] = this.#outputs.all(sync, platform, key) as unknown as readonly (readonly [string | null])[];
      if (row === undefined) return undefined;
      return row[0] === null ? 'unknown' : (JSON.parse(row[0]) as NonNullable<Owned['outputs']>);
    });
  }

  /** By the platform's id; ids of two kinds may be equal. */
  ofRemote(platform: string, kind: Kind, remote: string): OwnedObject | undefined {
    // `0` is the character after `/`, so these are the keys of the kind.
    return this.#one('platform = ? AND remote = ? AND key > ? AND key < ?', [platform, remote, `${kind}/`, `${kind}0`]);
  }

  #one(condition: string, values: readonly string[]): OwnedObject | undefined {
    return this.#database.read('look for an owner', () => {
      const sql = `SELECT sync, platform, key, remote, title, file FROM owned WHERE ${condition} LIMIT 1`;
      const row = this.#database.prepare(sql).get(...values);
      return row === undefined ? undefined : { ...(row as unknown as OwnedObject) };
    });
  }
}
