import type { StatementSync } from 'node:sqlite';
import type { Key } from '../manifest/manifest.ts';
import type { Intent, LedgerView, Owned, Verb } from '../plan/types.ts';
import type { Database } from './database.ts';

/** One Sync on one Platform: whose ownership, intents and passes are meant. */
export interface Scope {
  readonly sync: string;
  readonly platform: string;
}

/** Rows of other Syncs that are kept between passes; what is more is read again. */
const OTHERS_KEPT = 25_000;
const COLUMNS =
  'key, remote, title, fingerprint, secret_hashes, how, depends_on, file, revision, allow_data_loss, drift_since, held_fingerprint, outputs';

type OwnedRow = readonly [
  key: Key,
  remote: string,
  title: string,
  fingerprint: string,
  secretHashes: string,
  how: Owned['how'],
  dependsOn: string,
  file: string,
  revision: string,
  allowDataLoss: number,
  driftSince: number | null,
  heldFingerprint: string | null,
  outputs: string | null,
];
type Others = Required<Pick<LedgerView, 'ownedByOthers' | 'keysOfOthers'>>;
type IntentRow = readonly [string, Verb, Key, string, string | null, string | null, number];

/** Rows of `owned` and `intent`: what a pass knows before it looks at the platform, and what apply writes down. */
export class Ownership {
  readonly #database: Database;
  readonly #all: StatementSync;
  readonly #some: StatementSync;
  readonly #count: StatementSync;
  readonly #others: StatementSync;
  readonly #intents: StatementSync;
  readonly #own: StatementSync;
  readonly #forgetOtherKeys: StatementSync;
  readonly #forget: StatementSync;
  readonly #intend: StatementSync;
  readonly #settle: StatementSync;
  readonly #facts: StatementSync;
  /** What others own per scope, kept between passes: this process is the only writer, so every change comes by here. */
  readonly #othersSeen = new Map<string, { readonly scope: Scope; readonly others: Others }>();
  /** Rows that are kept so: where many Syncs share a Platform, each has almost all of its rows. */
  #rowsSeen = 0;

  constructor(database: Database) {
    this.#database = database;
    const owned = `SELECT ${COLUMNS} FROM owned WHERE sync = ? AND platform = ?`;
    this.#all = database.prepareRows(owned);
    this.#some = database.prepareRows(`${owned} AND key IN (SELECT value FROM json_each(?))`);
    this.#count = database.prepare('SELECT count(*) AS n FROM owned WHERE sync = ? AND platform = ?');
    this.#others = database.prepareRows('SELECT key, remote, sync, file FROM owned WHERE platform = ? AND sync <> ?');
    this.#intents = database.prepareRows(
      'SELECT id, verb, key, title, remote, fingerprint, since FROM intent WHERE sync = ? AND platform = ? ORDER BY since, id',
    );
    this.#own = database.prepare(OWN);
    this.#forgetOtherKeys = database.prepare(FORGET_OTHER_KEYS);
    this.#forget = database.prepare('DELETE FROM owned WHERE sync = ? AND platform = ? AND key = ?');
    this.#intend = database.prepare(
      'INSERT OR REPLACE INTO intent (sync, platform, id, verb, key, title, remote, fingerprint, since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#settle = database.prepare('DELETE FROM intent WHERE sync = ? AND platform = ? AND id = ?');
    this.#facts = database.prepare('SELECT instance, rights FROM platform WHERE name = ?');
  }

  /**
   * The ledger as a plan sees it; with `keys`, only what is owned under those keys and the intents about them (pass
   * former names of an object along with its key).
   */
  view({ sync, platform }: Scope, keys?: readonly Key[]): LedgerView {
    return this.#database.read('read what is owned', () => {
      const rows =
        keys === undefined ? this.#all.all(sync, platform) : this.#some.all(sync, platform, JSON.stringify(keys));
      const read = ownedReader();
      const owned = new Map<Key, Owned>();
      for (const row of rows) {
        const one = read(row as unknown as OwnedRow);
        owned.set(one.key, one);
      }
      return {
        owned,
        ...this.#ownedByOthers({ sync, platform }),
        intents: this.#openIntents({ sync, platform }, keys),
        ...this.#platformFacts(platform),
      };
    });
  }

  count({ sync, platform }: Scope): number {
    return this.#database.read('count what is owned', () => Number(this.#count.get(sync, platform)?.['n']));
  }

  /** Every Sync and Platform under which something is owned, or a write is unresolved. */
  scopes(): readonly (Scope & { readonly owned: number })[] {
    const all = this.#database.prepare(SCOPES);
    return this.#database.read('list what is owned', () =>
      all
        .all()
        .map((row) => ({ sync: String(row['sync']), platform: String(row['platform']), owned: Number(row['n']) })),
    );
  }

  // The methods below write and run inside a transaction of the caller.

  /** Takes ownership. A remote object has one key per Sync, so a row for it under another key (a rename) goes. */
  own({ sync, platform }: Scope, owned: Owned): void {
    this.#forgetOtherKeys.run(sync, platform, owned.remote, owned.key, owned.key);
    const changed = this.#own.run(
      sync,
      platform,
      owned.key,
      owned.remote,
      owned.title,
      owned.fingerprint,
      JSON.stringify(owned.secretHashes),
      owned.how,
      JSON.stringify(owned.dependsOn),
      owned.file,
      owned.revision,
      owned.allowDataLoss ? 1 : 0,
      owned.driftSince === undefined ? null : Math.trunc(owned.driftSince),
      owned.heldFingerprint ?? null,
      owned.outputs === undefined ? null : JSON.stringify(owned.outputs),
    );
    if (changed.changes !== 0) this.#stale(platform);
  }

  forget({ sync, platform }: Scope, key: Key): void {
    this.#forget.run(sync, platform, key);
    this.#stale(platform);
  }

  intend({ sync, platform }: Scope, intent: Intent): void {
    const { id, verb, key, title, remote, fingerprint, since } = intent;
    this.#intend.run(sync, platform, id, verb, key, title, remote ?? null, fingerprint ?? null, Math.trunc(since));
  }

  settle({ sync, platform }: Scope, intent: string): void {
    this.#settle.run(sync, platform, intent);
  }

  /** Forgets what was kept between passes, after rows were changed by other means. */
  refresh(): void {
    this.#othersSeen.clear();
    this.#rowsSeen = 0;
  }

  #ownedByOthers(scope: Scope): Others {
    const id = JSON.stringify([scope.platform, scope.sync]);
    const seen = this.#othersSeen.get(id);
    if (seen !== undefined) return seen.others;
    const ownedByOthers = new Map<string, string>();
    const keysOfOthers = new Map<Key, { readonly sync: string; readonly file: string }>();
    for (const row of this.#others.all(scope.platform, scope.sync)) {
      const [key, remote, sync, file] = row as unknown as readonly [Key, string, string, string];
      ownedByOthers.set(`${key.slice(0, key.indexOf('/'))}:${remote}`, sync);
      keysOfOthers.set(key, { sync, file });
    }
    const others = { ownedByOthers, keysOfOthers };
    this.#othersSeen.set(id, { scope, others });
    this.#rowsSeen += keysOfOthers.size;
    for (const [oldest, { others: old }] of this.#othersSeen) {
      if (this.#rowsSeen <= OTHERS_KEPT || oldest === id) break;
      this.#othersSeen.delete(oldest);
      this.#rowsSeen -= old.keysOfOthers.size;
    }
    return others;
  }

  #stale(platform: string): void {
    if (this.#othersSeen.size === 0) return;
    for (const [id, seen] of this.#othersSeen) {
      if (seen.scope.platform !== platform) continue;
      this.#othersSeen.delete(id);
      this.#rowsSeen -= seen.others.keysOfOthers.size;
    }
  }

  #openIntents({ sync, platform }: Scope, keys: readonly Key[] | undefined): readonly Intent[] {
    const rows = this.#intents.all(sync, platform) as unknown as readonly IntentRow[];
    const wanted = keys === undefined ? undefined : new Set(keys);
    return rows
      .filter((row) => wanted === undefined || wanted.has(row[2]))
      .map(([id, verb, key, title, remote, fingerprint, since]) => ({
        id,
        verb,
        key,
        title,
        ...(remote === null ? {} : { remote }),
        ...(fingerprint === null ? {} : { fingerprint }),
        since,
      }));
  }

  #platformFacts(platform: string): Pick<LedgerView, 'instance' | 'rights'> {
    const row = this.#facts.get(platform);
    if (row === undefined) return {};
    const rights = JSON.parse(String(row['rights'])) as readonly string[];
    return row['instance'] === null ? { rights } : { rights, instance: String(row['instance']) };
  }
}

const OWN = `
  INSERT INTO owned (sync, platform, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (sync, platform, key) DO UPDATE SET
    remote = excluded.remote, title = excluded.title, fingerprint = excluded.fingerprint,
    secret_hashes = excluded.secret_hashes, how = excluded.how, depends_on = excluded.depends_on,
    file = excluded.file, revision = excluded.revision, allow_data_loss = excluded.allow_data_loss,
    drift_since = excluded.drift_since, held_fingerprint = excluded.held_fingerprint, outputs = excluded.outputs
  WHERE (remote, title, fingerprint, secret_hashes, how, depends_on, file, revision, allow_data_loss, drift_since, held_fingerprint, outputs)
    IS NOT (excluded.remote, excluded.title, excluded.fingerprint, excluded.secret_hashes, excluded.how, excluded.depends_on,
      excluded.file, excluded.revision, excluded.allow_data_loss, excluded.drift_since, excluded.held_fingerprint, excluded.outputs)`;

const FORGET_OTHER_KEYS = `
  DELETE FROM owned WHERE sync = ? AND platform = ? AND remote = ? AND key <> ?
    AND substr(key, 1, instr(key, '/')) = (SELECT substr(value, 1, instr(value, '/')) FROM (SELECT ? AS value))`;

const SCOPES = `
  SELECT sync, platform, sum(owned) AS n FROM (
    SELECT sync, platform, 1 AS owned FROM owned UNION ALL SELECT sync, platform, 0 FROM intent
  ) GROUP BY sync, platform ORDER BY sync, platform`;

const NO_HASHES: Owned['secretHashes'] = Object.freeze({});
const NO_KEYS: Owned['dependsOn'] = Object.freeze([]);

/** Reads rows of one view. Neighbours mostly share revision and file, which are then kept once. */
function ownedReader(): (row: OwnedRow) => Owned {
  let file = '';
  let revision = '';
  return (row) => {
    const driftSince = row[10];
    const heldFingerprint = row[11];
    const outputs = row[12];
    if (row[7] !== file) file = row[7];
    if (row[8] !== revision) revision = row[8];
    const owned = {
      key: row[0],
      remote: row[1],
      title: row[2],
      fingerprint: row[3],
      secretHashes: row[4] === '{}' ? NO_HASHES : (JSON.parse(row[4]) as Owned['secretHashes']),
      how: row[5],
      dependsOn: row[6] === '[]' ? NO_KEYS : (JSON.parse(row[6]) as Owned['dependsOn']),
      file,
      revision,
      allowDataLoss: row[9] === 1,
    };
    // Most rows have none of these, and copying an object costs more than reading it.
    if (driftSince === null && heldFingerprint === null && outputs === null) return owned;
    return {
      ...owned,
      ...(driftSince === null ? {} : { driftSince }),
      ...(heldFingerprint === null ? {} : { heldFingerprint }),
      ...(outputs === null ? {} : { outputs: JSON.parse(outputs) as NonNullable<Owned['outputs']> }),
    };
  };
}
