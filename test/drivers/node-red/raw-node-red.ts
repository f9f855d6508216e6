import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { type OperatorNodeRed, bcryptHash, call, login, startOperatorNodeRed } from './operator-node-red.ts';

export type Entry = JsonObject & { readonly id: string; readonly type: string };

/** A role or grant as the add-on lists it. */
export interface AccessItem extends JsonObject {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
}

const PASSWORD = 'a long password';

/** A real Node-RED with the add-on, and what a person can do there by the admin API, without the driver. */
export class RawNodeRed implements AsyncDisposable {
  readonly #server: OperatorNodeRed;
  /** Tokens of an account that may do everything, and of one that may only read. */
  readonly token: string;
  readonly reader: string;

  private constructor(server: OperatorNodeRed, tokens: { readonly token: string; readonly reader: string }) {
    this.#server = server;
    this.token = tokens.token;
    this.reader = tokens.reader;
  }

  static async start(): Promise<RawNodeRed> {
    const hash = bcryptHash(PASSWORD);
    const users = [
      { username: 'plumbline', password: hash, permissions: '*' },
      { username: 'reader', password: hash, permissions: 'read' },
    ];
    // Without a credential secret the file of credentials is plain text, which the tests read.
    const settings = { adminAuth: { type: 'credentials', users }, credentialSecret: false, flowFile: 'flows.json' };
    const server = await startOperatorNodeRed(JSON.stringify(settings));
    const token = await login(server.url, 'plumbline', PASSWORD);
    const reader = await login(server.url, 'reader', PASSWORD);
    if (token === undefined || reader === undefined) throw new Error('Node-RED does not let its users in');
    return new RawNodeRed(server, { token, reader });
  }

  get url(): string {
    return this.#server.url;
  }

  async flows(): Promise<{ readonly rev: string; readonly flows: readonly Entry[] }> {
    const { json } = await call(this.url, this.token, ['GET', '/flows'], V2);
    return json as { rev: string; flows: Entry[] };
  }

  /** Deploys a whole set, whatever is there. */
  async deploy(flows: readonly Entry[], type = 'nodes'): Promise<void> {
    const headers = { ...V2, 'Node-RED-Deployment-Type': type };
    const { status, json } = await call(this.url, this.token, ['POST', '/flows', { flows }], headers);
    if (status !== 200) throw new Error(`deploy: ${status} ${JSON.stringify(json)}`);
  }

  async change(edit: (flows: readonly Entry[]) => readonly Entry[]): Promise<void> {
    const { flows } = await this.flows();
    await this.deploy(edit(flows));
  }

  async access(): Promise<{ readonly revision: number; readonly entries: readonly AccessItem[] }> {
    const { json } = await call(this.url, this.token, ['GET', '/plumbline/access']);
    return json as { revision: number; entries: AccessItem[] };
  }

  /** Makes the add-on hold these roles and grants, and no others. */
  async setAccess(wanted: readonly JsonObject[]): Promise<void> {
    const { revision, entries } = await this.access();
    const kept = new Set(wanted.map(({ id }) => id));
    const remove = entries.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
    if (wanted.length + remove.length === 0) return;
    const headers = { 'if-match': `"${revision}"` };
    const { status, json } = await call(
      this.url,
      this.token,
      ['PUT', '/plumbline/access', { set: wanted, remove }],
      headers,
    );
    if (status !== 200) throw new Error(`access: ${status} ${JSON.stringify(json)}`);
  }

  /** Credentials by node, as they lie on the server's disk. */
  credentials(): Readonly<Record<string, JsonObject>> {
    try {
      return JSON.parse(readFileSync(join(this.#server.userDir, 'flows_cred.json'), 'utf8')) as Record<
        string,
        JsonObject
      >;
    } catch {
      return {};
    }
  }

  async clear(): Promise<void> {
    await this.deploy([], 'full');
    await this.setAccess([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
}

export function freshId(): string {
  return randomBytes(8).toString('hex');
}

/** Whether an entry is a tab that stands for an Application. */
export function isApplication(entry: Entry): boolean {
  return entry.type === 'tab' && typeof entry['info'] === 'string' && entry['info'].includes('"key":"Application/');
}

/** What people see an entry called. */
export function titleOf(entry: Entry): string {
  const title = entry[entry.type === 'tab' ? 'label' : 'name'];
  return typeof title === 'string' ? title : '';
}

export function isConfig(entry: Entry): boolean {
  return entry['x'] === undefined && entry['z'] === undefined && !['tab', 'subflow', 'group'].includes(entry.type);
}

const V2 = { 'Node-RED-API-Version': 'v2' };
