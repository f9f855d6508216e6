import { randomUUID } from 'node:crypto';
import type { IntegrationDraft, IntegrationRegister, RegisteredIntegration } from '../drivers/integration-register.ts';
import type { IntegrationRuns } from '../manifest/integration.ts';
import type { Database } from './database.ts';
import { NamedRows, commonOf, markerText } from './named-rows.ts';
import type { Row } from './named-rows.ts';
import { FOLLOWING } from './sync-cursors.ts';

/** The register of Integrations' code in force: what each is locked to. */
export class Integrations implements IntegrationRegister {
  readonly #database: Database;
  readonly #rows: NamedRows;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
    this.#rows = new NamedRows(database, 'integration', {
      one: 'an integration',
      many: 'the integrations',
      some: 'code of an Integration',
      none: 'code of an Integration',
      called: (name) => `The code of Integration/${name}`,
    });
  }

  /** Another number after every write: whoever runs them looks again when it has changed. */
  get generation(): number {
    return this.#rows.generation;
  }

  list(platform?: string): readonly RegisteredIntegration[] {
    return this.#rows.list(platform).map(integrationOf);
  }

  get(id: string): RegisteredIntegration | undefined {
    const row = this.#rows.find(id);
    return row === undefined ? undefined : integrationOf(row);
  }

  named(platform: string, name: string): RegisteredIntegration | undefined {
    const row = this.#rows.named(platform, name);
    return row === undefined ? undefined : integrationOf(row);
  }

  create(draft: IntegrationDraft, id: string, by: string): RegisteredIntegration {
    return this.#rows.write('register the integration', () => {
      this.#rows.refuseTaken(id, draft);
      const at = Math.trunc(this.#now());
      const { platform, name, title, connection = null, runs, marker } = draft;
      this.#database
        .prepare('INSERT INTO integration VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)')
        .run(id, platform, name, title, connection, JSON.stringify(runs), markerText(marker), randomUUID(), at, at, by);
      return integrationOf(this.#rows.one(id));
    });
  }

  update(id: string, draft: IntegrationDraft, expected: { by: string; version: string }): RegisteredIntegration {
    return this.#rows.write('change the integration', () => {
      const row = this.#rows.current(id, expected.version);
      this.#rows.refuseNamesake(id, draft);
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
          markerText(marker),
          randomUUID(),
          Math.trunc(this.#now()),
          expected.by,
          id,
        );
      if (row['name'] !== name) this.#follow(platform, String(row['name']), name);
      return integrationOf(this.#rows.one(id));
    });
  }

  remove(id: string, version: string): boolean {
    return this.#rows.write('remove the integration', () =>
      this.#rows.remove(id, version, ({ platform, name }) => {
        for (const table of FOLLOWING)
          this.#database
            .prepare(`DELETE FROM ${table} WHERE platform = ? AND name = ?`)
            .run(String(platform), String(name));
      }),
    );
  }

  /** Has the next pass move the lock to another commit. @throws ReconcilerError `not-found` */
  want(id: string, commit: string): void {
    this.#rows.write('move the lock of the integration', () => {
      const { changes } = this.#database.prepare('UPDATE integration SET wanted = ? WHERE id = ?').run(commit, id);
      if (changes === 0) throw this.#rows.absent(id);
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
}

function integrationOf(row: Row): RegisteredIntegration {
  const { connection, wanted } = row ?? {};
  return {
    ...commonOf(row),
    title: String(row?.['title']),
    ...(typeof connection === 'string' ? { connection } : {}),
    runs: JSON.parse(String(row?.['runs'])) as IntegrationRuns,
    ...(typeof wanted === 'string' ? { wanted } : {}),
  };
}
