import { randomUUID } from 'node:crypto';
import { wordOf } from '../../../src/drivers/directus/json.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { ADMIN_TOKEN, type DirectusServer, type DirectusVersion, startDirectus } from './server.ts';

export const READER_TOKEN = 'static-reader-token-for-tests';
export type Row = { readonly id: string } & JsonObject;

/** People who have accounts, whatever a test does. */
const PEOPLE = ['alice@example.com', 'bob@example.com', 'dora@example.com'];

/** A real Directus, used by its REST API without the driver: what is there, and what people do there. */
export class RawDirectus implements AsyncDisposable {
  readonly server: DirectusServer;
  /** Rows that were there when nobody had done anything yet. */
  readonly standing = new Set<string>();
  /** Ids of the people by address. */
  readonly people = new Map<string, string>();

  private constructor(server: DirectusServer) {
    this.server = server;
  }

  static async start(version: DirectusVersion, settings?: Readonly<Record<string, string>>): Promise<RawDirectus> {
    const raw = new RawDirectus(await startDirectus(version, settings));
    try {
      await raw.#furnish();
      return raw;
    } catch (error) {
      // Nobody else knows of the server yet.
      await raw[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return this.server.url;
  }

  /** Sends a request as the administrator. @throws Error with what Directus says when it refuses. */
  async ask(method: string, path: string, body?: unknown, token = ADMIN_TOKEN): Promise<unknown> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was refused (${answer.status}): ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as { data?: unknown }).data;
  }

  /** All rows, however many the server gives at once. */
  async rows(table: string, query = ''): Promise<readonly Row[]> {
    const found: Row[] = [];
    for (let page = 1; ; page += 1) {
      const rows = (await this.ask('GET', `/${table}?limit=50&page=${page}&sort=id&${query}`)) as Row[];
      found.push(...rows.filter(({ id }) => id !== undefined));
      if (rows.length < 50) return found;
    }
  }

  async row(table: string, id: string, query = ''): Promise<Row> {
    return (await this.ask('GET', `/${table}/${id}?${query}`)) as Row;
  }

  /** Rows that somebody made. */
  async made(table: string): Promise<readonly Row[]> {
    return (await this.rows(table)).filter(({ id }) => !this.standing.has(`${table}/${id}`));
  }

  async clear(): Promise<void> {
    const tables = ['flows', 'folders', 'access', 'users', 'roles', 'policies'];
    const [people, ...made] = await Promise.all([this.rows('users'), ...tables.map((table) => this.made(table))]);
    for (const [index, table] of tables.entries()) {
      const ids = (made[index] ?? []).map(({ id }) => id);
      if (ids.length > 0) await this.ask('DELETE', `/${table}`, ids);
    }
    const members = people.filter(({ email, role }) => PEOPLE.includes(wordOf(email)) && role !== null);
    if (members.length > 0)
      await this.ask('PATCH', '/users', { keys: members.map(({ id }) => id), data: { role: null } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  async #furnish(): Promise<void> {
    for (const email of PEOPLE) {
      const id = randomUUID();
      this.people.set(email, id);
      await this.ask('POST', '/users', { id, email });
    }
    const permissions = ['flows', 'operations', 'activity'].map((table) => ({
      collection: `directus_${table}`,
      action: 'read',
      permissions: {},
      fields: ['*'],
    }));
    const policy = (await this.ask('POST', '/policies', { name: 'Reader', permissions })) as Row;
    const reader = (await this.ask('POST', '/users', { email: 'reader@example.com', token: READER_TOKEN })) as Row;
    await this.ask('POST', '/access', { policy: policy.id, user: reader.id });
    for (const table of ['access', 'users', 'roles', 'policies'])
      for (const { id } of await this.rows(table)) this.standing.add(`${table}/${id}`);
  }
}
