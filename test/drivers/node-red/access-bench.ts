import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome, Step } from '../../../src/drivers/driver.ts';
import { AddonClient, type SendAuthorized } from '../../../src/drivers/node-red/addon-client.ts';
import { AccessClient } from '../../../src/drivers/node-red/access.ts';
import { type HostedNodeRed, startHosted } from '../../../src/drivers/node-red/hosted.ts';
import type { JsonObject, JsonValue, Key } from '../../../src/manifest/manifest.ts';
import type { Change, Owner, RemoteObject } from '../../../src/plan/types.ts';
import { freePort } from '../../platforms/processes.ts';
import { call, login } from './operator-node-red.ts';

export const OWNER: Owner = 'default/orders';
export const signal = new AbortController().signal;
export const PASSWORD = 'a password of alice';

export const role = (verbs: readonly string[], native: JsonObject = {}): JsonObject => ({
  title: 'Operators',
  exclusive: false,
  permissions: verbs.length === 0 ? [] : [{ on: 'workflow', verbs }],
  native,
});
export const grant = (user: string, more: JsonObject = {}): JsonObject => ({
  title: `${user} operates`,
  role: 'operator',
  subjects: [{ user }],
  scope: { platform: true },
  ...more,
});

/** A step as the pass makes it. */
export function step(
  verb: Change['verb'],
  key: Key,
  spec: JsonObject,
  more: { remote?: RemoteObject; passwords?: Record<string, string> } = {},
): Step {
  const passwords = more.passwords ?? {};
  const secrets = Object.keys(passwords).map((user) => `password:${user}`);
  const change = {
    key,
    kind: key.split('/')[0],
    title: spec['title'] ?? key,
    cause: 'new',
    dependsOn: [],
    verb,
    fingerprint: 'f',
    secrets,
    diff: [],
    moreFields: 0,
    ...(more.remote === undefined ? {} : { remote: { id: more.remote.remote, version: more.remote.version } }),
  } as unknown as Change;
  return {
    change,
    owner: OWNER,
    ...(verb === 'release' || verb === 'delete'
      ? {}
      : { marker: { owner: OWNER, key, applied: 'f', how: 'created' as const } }),
    desired: async () => spec,
    secrets: async () =>
      Object.fromEntries(
        Object.entries(passwords).map(([user, value]) => [
          `password:${user}`,
          {
            reveal: () => value,
            keyedHash: (context: string) => Buffer.from(`${context}${value.length}`).toString('hex'),
          },
        ]),
      ),
  };
}

/** A hosted Node-RED whose access is empty before each test. */
export class AccessBench {
  stateDir = '';
  token: string | undefined;
  /** What happens right before the next write is sent. */
  beforePut: (() => Promise<unknown>) | undefined;
  readonly addon = new AddonClient(this.sender(() => this.token));
  readonly access = new AccessClient(this.addon);
  #hosted: HostedNodeRed | undefined;

  get hosted(): HostedNodeRed {
    if (this.#hosted === undefined) throw new Error('not started');
    return this.#hosted;
  }

  async open(): Promise<void> {
    this.stateDir = mkdtempSync(join(tmpdir(), 'plumbline-access-'));
    await this.connect();
  }

  async connect(): Promise<void> {
    const { stateDir } = this;
    this.#hosted = await startHosted({ stateDir, name: 'demo', port: await freePort(), log: () => undefined, signal });
    this.token = await login(this.hosted.url, this.hosted.username, this.hosted.password());
  }

  async empty(): Promise<void> {
    this.beforePut = undefined;
    const { revision, entries } = await this.addon.access(signal);
    await this.addon.changeAccess({ revision, set: [], remove: entries.map(({ id }) => id) }, signal);
  }

  async close(): Promise<void> {
    await this.#hosted?.stop();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  sender(as: () => string | undefined): SendAuthorized {
    return async ({ method, route, headers, text, body }) => {
      if (method === 'PUT') {
        const hook = this.beforePut;
        this.beforePut = undefined;
        await hook?.();
      }
      const json = text === undefined ? body : JSON.parse(text);
      const answer = await call(this.hosted.url, as(), [method, route, json], headers);
      return { status: answer.status, headers: {}, json: answer.json as JsonValue, text: '' };
    };
  }

  async observe(): Promise<readonly RemoteObject[]> {
    const seen: RemoteObject[] = [];
    for await (const item of this.access.observe(['AccessRole', 'AccessGrant'], signal))
      if ('remote' in item) seen.push(item);
    return seen;
  }

  async find(key: Key): Promise<RemoteObject> {
    const found = (await this.observe()).find(({ marker }) => marker?.key === key);
    if (found === undefined) throw new Error(`${key} is not there`);
    return found;
  }

  apply(...steps: Step[]): Promise<readonly Outcome[]> {
    return this.access.apply(steps, signal);
  }

  async applied(...steps: Step[]): Promise<void> {
    for (const one of await this.apply(...steps)) {
      expect(one.status, one.status === 'failed' ? one.error.message : '').to.equal('applied');
    }
  }

  async status(as: string | undefined, method: string, path: string, body?: unknown): Promise<number> {
    return (await call(this.hosted.url, as, [method, path, body])).status;
  }
}
