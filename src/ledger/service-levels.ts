import { randomUUID } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type {
  RegisteredServiceLevel,
  ServiceLevelDraft,
  ServiceLevelRegister,
} from '../drivers/service-level-register.ts';
import { ReconcilerError } from '../errors.ts';
import type { ServiceLevelSpec } from '../manifest/service-level.ts';
import type { Marker } from '../plan/types.ts';
import type { Database } from './database.ts';

type Row = ReturnType<StatementSync['get']>;

/** The register of service levels in force. */
export class ServiceLevels implements ServiceLevelRegister {
  readonly #database: Database;
  readonly #now: () => number;
  #generation = 0;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** Another number after every write: whoever measures looks again when it has changed. */
  get generation(): number {
    return this.#generation;
  }

  list(platform?: string): readonly RegisteredServiceLevel[] {
    return this.#database.read('read the service levels', () => {
      const [where, values] = platform === undefined ? ['', []] : ['WHERE platform = ?', [platform]];
      return this.#database
        .prepare(`SELECT * FROM service_level ${where} ORDER BY id`)
        .all(...values)
        .map(levelOf);
    });
  }

  get(id: string): RegisteredServiceLevel | undefined {
    return this.#database.read('read a service level', () => {
      const row = this.#one(id);
      return row === undefined ? undefined : levelOf(row);
    });
  }

  create(draft: ServiceLevelDraft, id: string, by: string): RegisteredServiceLevel {
    return this.#write('register the service level', () => {
      const { platform, name, spec, marker } = draft;
      if (this.#one(id) !== undefined) throw taken(`with the id ${id}`);
      this.#refuseNamesake(platform, name, id);
      const at = Math.trunc(this.#now());
      this.#database
        .prepare('INSERT INTO service_level VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(id, platform, name, JSON.stringify(spec), markerText(marker), randomUUID(), at, at, by);
      return levelOf(this.#one(id));
    });
  }

  /** A service level that is renamed keeps what was counted for it. */
  update(id: string, draft: ServiceLevelDraft, expected: { by: string; version: string }): RegisteredServiceLevel {
    return this.#write('change the service level', () => {
      const row = this.#one(id);
      if (row === undefined) throw absent(id);
      if (row['version'] !== expected.version) throw stale(String(row['name']));
      const { platform, name, spec, marker } = draft;
      this.#refuseNamesake(platform, name, id);
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
      return levelOf(this.#one(id));
    });
  }

  remove(id: string, version: string): boolean {
    return this.#write('remove the service level', () => {
      const row = this.#one(id);
      if (row === undefined) return false;
      if (row['version'] !== version) throw stale(String(row['name']));
      return this.#database.prepare('DELETE FROM service_level WHERE id = ?').run(id).changes !== 0;
    });
  }

  #one(id: string): Row {
    return this.#database.prepare('SELECT * FROM service_level WHERE id = ?').get(id);
  }

  #refuseNamesake(platform: string, name: string, id: string): void {
    const other = this.#database
      .prepare('SELECT id FROM service_level WHERE platform = ? AND name = ? AND id <> ?')
      .get(platform, name, id);
    if (other !== undefined) throw taken(`called ${name} on ${platform}`);
  }

  #write<T>(doing: string, work: () => T): T {
    const result = this.#database.write(doing, work);
    this.#generation += 1;
    return result;
  }
}

function markerText(marker: Marker | undefined): string | null {
  return marker === undefined ? null : JSON.stringify(marker);
}

function levelOf(row: Row): RegisteredServiceLevel {
  const marker = row?.['marker'];
  return {
    id: String(row?.['id']),
    platform: String(row?.['platform']),
    name: String(row?.['name']),
    spec: JSON.parse(String(row?.['spec'])) as ServiceLevelSpec,
    version: String(row?.['version']),
    ...(typeof marker === 'string' ? { marker: JSON.parse(marker) as Marker } : {}),
    createdAt: Number(row?.['created_at']),
    changedAt: Number(row?.['changed_at']),
    changedBy: String(row?.['changed_by']),
  };
}

function taken(what: string): ReconcilerError {
  return new ReconcilerError(`There is a service level ${what} already.`, 'never', {
    code: 'conflict',
    remedy: 'Adopt that one, or give this one another name.',
  });
}

function absent(id: string): ReconcilerError {
  return new ReconcilerError(`There is no service level with the id ${id} any more.`, 'replan', {
    code: 'not-found',
    remedy: 'Look at the service levels again, and decide anew.',
  });
}

function stale(name: string): ReconcilerError {
  return new ReconcilerError(`The service level ${name} was changed since it was looked at.`, 'replan', {
    code: 'stale',
    remedy: 'Look at it again, and decide anew.',
  });
}
