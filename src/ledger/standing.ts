import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';

/** A Sync that a person stopped. */
export interface Suspension {
  readonly sync: string;
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What a platform was at the last pass (law 3: a complete listing proves absence only on the same instance, under the same rights). */
export interface PlatformFacts {
  readonly instance?: string;
  readonly rights: readonly string[];
}

/** What stands until somebody changes it: suspensions, platform facts, cursors. Writing what stands already writes nothing. */
export class Standing {
  readonly #database: Database;
  readonly #remember: StatementSync;
  readonly #suspend: StatementSync;
  readonly #resume: StatementSync;
  readonly #suspensions: StatementSync;
  readonly #cursor: StatementSync;
  readonly #setCursor: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#remember = database.prepare(
      `INSERT INTO platform VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, rights = excluded.rights
       WHERE (instance, rights) IS NOT (excluded.instance, excluded.rights)`,
    );
    this.#suspend = database.prepare(
      `INSERT INTO suspension (sync, by, reason, since) VALUES (?, ?, ?, ?)
       ON CONFLICT (sync) DO UPDATE SET by = excluded.by, reason = excluded.reason
       WHERE (by, reason) IS NOT (excluded.by, excluded.reason)`,
    );
    this.#resume = database.prepare('DELETE FROM suspension WHERE sync = ?');
    this.#suspensions = database.prepare('SELECT sync, by, reason, since FROM suspension ORDER BY sync');
    this.#cursor = database.prepare('SELECT value FROM cursor WHERE name = ?');
    this.#setCursor = database.prepare(
      `INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value`,
    );
  }

  rememberPlatform(platform: string, facts: PlatformFacts): void {
    this.#database.write('remember the platform', () => {
      this.#remember.run(platform, facts.instance ?? null, JSON.stringify(facts.rights));
    });
  }

  /** A second suspension changes who and why; since when stays. */
  suspend(suspension: Suspension): void {
    const { sync, by, reason, since } = suspension;
    this.#database.write('write down the suspension', () => {
      this.#suspend.run(sync, by, reason, Math.trunc(since));
    });
  }

  /** @returns whether it was suspended. */
  resume(sync: string): boolean {
    return this.#database.write('end the suspension', () => this.#resume.run(sync).changes !== 0);
  }

  suspensions(): readonly Suspension[] {
    return this.#database.read('read the suspensions', () =>
      this.#suspensions.all().map((row) => ({
        sync: String(row['sync']),
        by: String(row['by']),
        reason: String(row['reason']),
        since: Number(row['since']),
      })),
    );
  }

  cursor(name: string): string | undefined {
    return this.#database.read('read a cursor', () => {
      const row = this.#cursor.get(name);
      return row === undefined ? undefined : String(row['value']);
    });
  }

  /** A cursor that a loss of power takes back is read again from there. */
  setCursor(name: string, value: string): void {
    this.#database.write('move a cursor', () => this.#setCursor.run(name, value), 'process');
  }
}
