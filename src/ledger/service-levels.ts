import { randomUUID } from 'node:crypto';
import type {
  RegisteredServiceLevel,
  ServiceLevelDraft,
  ServiceLevelRegister,
} from '../drivers/service-level-register.ts';
import type { ServiceLevelSpec } from '../manifest/service-level.ts';
import type { Database } from './database.ts';
import { NamedRows, commonOf, markerText } from './named-rows.ts';
import type { Row } from './named-rows.ts';

/** The register of service levels in force. */
export class ServiceLevels implements ServiceLevelRegister {
  readonly #database: Database;
  readonly #rows: NamedRows;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
    this.#rows = new NamedRows(database, 'service_level', {
      one: 'a service level',
      many: 'the service levels',
      some: 'a service level',
      none: 'service level',
      called: (name) => `The service level ${name}`,
    });
  }

  /** Another number after every write: whoever measures looks again when it has changed. */
  get generation(): number {
    return this.#rows.generation;
  }

  list(platform?: string): readonly RegisteredServiceLevel[] {
    return this.#rows.list(platform).map(levelOf);
  }

  get(id: string): RegisteredServiceLevel | undefined {
    const row = this.#rows.find(id);
    return row === undefined ? undefined : levelOf(row);
  }

  create(draft: ServiceLevelDraft, id: string, by: string): RegisteredServiceLevel {
    return this.#rows.write('register the service level', () => {
      this.#rows.refuseTaken(id, draft);
      const { platform, name, spec, marker } = draft;
      const at = Math.trunc(this.#now());
      this.#database
        .prepare('INSERT INTO service_level VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(id, platform, name, JSON.stringify(spec), markerText(marker), randomUUID(), at, at, by);
      return levelOf(this.#rows.one(id));
    });
  }

  /** A service level that is renamed keeps what was counted for it. */
  update(id: string, draft: ServiceLevelDraft, expected: { by: string; version: string }): RegisteredServiceLevel {
    return this.#rows.write('change the service level', () => {
      const row = this.#rows.current(id, expected.version);
      this.#rows.refuseNamesake(id, draft);
      const { platform, name, spec, marker } = draft;
      this.#database
        .prepare(
          `UPDATE service_level SET platform = ?, name = ?, spec = ?, marker = ?, version = ?, changed_at = ?, changed_by = ?
           WHERE id = ?`,
        )
        .run(
          platform,
          name,
          JSON.stringify(spec),
          markerText(marker),
          randomUUID(),
          Math.trunc(this.#now()),
          expected.by,
          id,
        );
      if (row['name'] !== name)
        this.#database
          .prepare('UPDATE OR REPLACE tally SET level = ? WHERE platform = ? AND level = ?')
          .run(name, platform, String(row['name']));
      return levelOf(this.#rows.one(id));
    });
  }

  remove(id: string, version: string): boolean {
    return this.#rows.write('remove the service level', () => this.#rows.remove(id, version));
  }
}

function levelOf(row: Row): RegisteredServiceLevel {
  return { ...commonOf(row), spec: JSON.parse(String(row?.['spec'])) as ServiceLevelSpec };
}
