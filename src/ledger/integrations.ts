import { randomUUID } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { IntegrationDraft, IntegrationRegister, RegisteredIntegration } from '../drivers/integration-register.ts';
import { ReconcilerError } from '../errors.ts';
import type { IntegrationRuns } from '../manifest/integration.ts';
import type { Marker } from '../plan/types.ts';
import type { Database } from './database.ts';

type Row = ReturnType<StatementSync['get']>;

/** Tables of what an Integration has synced: they follow its name, and go when it goes. */
const FOLLOWING = ['integration_sync', 'integration_record', 'integration_wish', 'integration_count'] as const;

/** The register of Integrations' code in force: what each is locked to. */
export class Integrations implements IntegrationRegister {
  readonly #database: Database;
  readonly #now: () => number;
  #generation = 0;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** Another number after every write: whoever runs them looks again when it has changed. */
  get generation(): number {
    return this.#generation;
  }

  list(platform?: string): readonly RegisteredIntegration[] {
    return this.#database.read('read the integrations', () => {
      const [where, values] = platform === undefined ? ['', []] : ['WHERE platform = ?', [platform]];
      return this.#database
        .prepare(`SELECT * FROM integration ${where} ORDER BY id`)
        .all(...values)
        .map(integrationOf);
    });
  }

  get(id: string): RegisteredIntegration | undefined {
    return this.#database.read('read an integration', () => {
      const row = this.#one(id);
      return row === undefined ? undefined : integrationOf(row);
    });
  }

  named(platform: string, name: string): RegisteredIntegration | undefined {
    return this.#database.read('read an integration', () => {
      const row = this.#database
        .prepare('SELECT * FROM integration WHERE platform = ? AND name = ?')
        .get(platform, name);
      return row === undefined ? undefined : integrationOf(row);
    });
  }

  create(draft: IntegrationDraft, id: string, by: string): RegisteredIntegration {
    return this.#write('register the integration', () => {
      if (this.#one(id) !== undefined) throw taken(`with the id ${id}`);
      this.#refuseNamesake(draft, id);
      const at = Math.trunc(this.#now());
      const { platform, name, title, connection = null, runs, marker } = draft;
      this.#database
        .prepare('INSERT INTO integration VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)')
        .run(id, platform, name, title, connection, JSON.stringify(runs), textOf(marker), randomUUID(), at, at, by);
      return integrationOf(this.#one(id));
    });
  }

  update(id: string, draft: IntegrationDraft, expected: { by: string; version: string }): RegisteredIntegration {
    return this.#write('change the integration', () => {
      const row = this.#one(id);
      if (row === undefined) throw absent(id);
      if (row['version'] !== expected.version) throw stale(String(row['name']));
      this.#refuseNamesake(draft, id);
      const { platform, name, title, connection = null, runs, marker } = draft;
      // The wish of a person has come true, or what it was about is not there any more.
      this.#database
        .prepare(
          `UPDATE integration SET platform = ?, name = ?, title = ?, connection = ?, runs = ?, marker = ?, wanted = NULL,
             version = ?, changed_at = ?, changed_by = ? WHERE id = ?`,
        )
        .run(
          platform,
          name,
          title,
          connection,
          JSON.stringify(runs),
          textOf(marker),
          randomUUID(),
          Math.trunc(this.#now()),
          expected.by,
          id,
        );
      if (row['name'] !== name) this.#follow(platform, String(row['name']), name);
      return integrationOf(this.#one(id));
    });
  }

  remove(id: string, version: string): boolean {
    return this.#write('remove the integration', () => {
      const row = this.#one(id);
      if (row === undefined) return false;
      if (row['version'] !== version) throw stale(String(row['name']));
      for (const table of FOLLOWING)
        this.#database
          .prepare(`DELETE FROM ${table} WHERE platform = ? AND name = ?`)
          .run(String(row['platform']), String(row['name']));
      return this.#database.prepare('DELETE FROM integration WHERE id = ?').run(id).changes !== 0;
    });
  }

  /** Has the next pass move the lock to another commit. @throws ReconcilerError `not-found` */
  want(id: string, commit: string): void {
    this.#write('move the lock of the integration', () => {
      const { changes } = this.#database.prepare('UPDATE integration SET wanted = ? WHERE id = ?').run(commit, id);
      if (changes === 0) throw absent(id);
    });
  }

  waiting(platform: string, name: string): number {
    return this.#database.read('count records', () =>
      Number(
        this.#database
          .prepare('SELECT count(*) AS n FROM integration_record WHERE platform = ? AND name = ?')
          .get(platform, name)?.['n'] ?? 0,
      ),
    );
  }

  #follow(platform: string, from: string, to: string): void {
    for (const table of FOLLOWING) {
      this.#database.prepare(`DELETE FROM ${table} WHERE platform = ? AND name = ?`).run(platform, to);
      this.#database.prepare(`UPDATE ${table} SET name = ? WHERE platform = ? AND name = ?`).run(to, platform, from);
    }
  }

  #one(id: string): Row {
    return this.#database.prepare('SELECT * FROM integration WHERE id = ?').get(id);
  }

  #refuseNamesake({ platform, name }: IntegrationDraft, id: string): void {
    const other = this.#database
      .prepare('SELECT id FROM integration WHERE platform = ? AND name = ? AND id <> ?')
      .get(platform, name, id);
    if (other !== undefined) throw taken(`called ${name} on ${platform}`);
  }

  #write<T>(doing: string, work: () => T): T {
    const result = this.#database.write(doing, work);
    this.#generation += 1;
    return result;
  }
}

function textOf(marker: Marker | undefined): string | null {
  return marker === undefined ? null : JSON.stringify(marker);
}

function integrationOf(row: Row): RegisteredIntegration {
  const { marker, connection, wanted } = row ?? {};
  return {
    id: String(row?.['id']),
    platform: String(row?.['platform']),
    name: String(row?.['name']),
    title: String(row?.['title']),
    ...(typeof connection === 'string' ? { connection } : {}),
    runs: JSON.parse(String(row?.['runs'])) as IntegrationRuns,
    ...(typeof marker === 'string' ? { marker: JSON.parse(marker) as Marker } : {}),
    ...(typeof wanted === 'string' ? { wanted } : {}),
    version: String(row?.['version']),
    createdAt: Number(row?.['created_at']),
    changedAt: Number(row?.['changed_at']),
    changedBy: String(row?.['changed_by']),
  };
}

function taken(what: string): ReconcilerError {
  return new ReconcilerError(`There is code of an Integration ${what} already.`, 'never', {
    code: 'conflict',
    remedy: 'Adopt that one, or give this one another name.',
  });
}

function absent(id: string): ReconcilerError {
  return new ReconcilerError(`There is no code of an Integration with the id ${id} any more.`, 'replan', {
    code: 'not-found',
    remedy: 'Look at the integrations again, and decide anew.',
  });
}

function stale(name: string): ReconcilerError {
  return new ReconcilerError(`The code of Integration/${name} was changed since it was looked at.`, 'replan', {
    code: 'stale',
    remedy: 'Look at it again, and decide anew.',
  });
}
