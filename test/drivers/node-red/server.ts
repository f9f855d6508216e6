import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connection, RequestObserver, Step } from '../../../src/drivers/driver.ts';
import { NodeRedDriver } from '../../../src/drivers/node-red/node-red.ts';
import type { JsonObject, JsonValue, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { Change, Marker, RemoteObject } from '../../../src/plan/types.ts';
import type { SecretValue } from '../../../src/secrets/secrets.ts';
import { freePort } from '../../platforms/processes.ts';
import { until } from './operator-node-red.ts';

const require_ = createRequire(import.meta.url);
const PROGRAM = join(dirname(require_.resolve('node-red/package.json')), 'red.js');
const ADDON = fileURLToPath(new URL('../../../src/drivers/node-red/addon', import.meta.url));
/** bcrypt of `correct horse`, the password of the user `admin` where access control is on. */
const HASH = '$2b$04$/88Hsgf3NghRdCKEOrX2R.hoFbh1oawGWBxaR94c2JsqIIZ098Apu';

const OWNER = 'default/demo';

/** A real Node-RED of its own, with its own directory and port. */
export interface NodeRedServer {
  readonly url: string;
  readonly userDir: string;
  /** Ends it in order and removes its directory. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL); the directory stays. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export interface NodeRedOptions {
  /** Requires the user `admin` with the password `correct horse`. */
  readonly adminAuth?: boolean;
  /** Wires Plumbline's add-on in. */
  readonly addon?: boolean;
  /** Second argument of the add-on's `wrap`, as JavaScript. */
  readonly addonOptions?: string;
  /** httpAdminRoot; `url` then ends in it. */
  readonly adminRoot?: string;
  /** More of settings.js, as JavaScript properties (`apiMaxLength: '1kb',`). */
  readonly settings?: string;
}

export async function startNodeRed(options: NodeRedOptions = {}): Promise<NodeRedServer> {
  const userDir = mkdtempSync(join(tmpdir(), 'plumbline-node-red-'));
  const port = await freePort();
  const auth = `adminAuth: {type: 'credentials', users: [{username: 'admin', password: '${HASH}', permissions: '*'}]},`;
  const lines = [
    `module.exports = { uiHost: '127.0.0.1', credentialSecret: 'test', telemetry: { enabled: false },`,
    `  ${options.adminAuth === true ? auth : ''} ${options.settings ?? ''}`,
    `  ${options.adminRoot === undefined ? '' : `httpAdminRoot: '${options.adminRoot}',`} };`,
    options.addon === true
      ? `module.exports = require(${JSON.stringify(ADDON)}).wrap(module.exports, ${options.addonOptions ?? '{}'});`
      : '',
  ];
  writeFileSync(join(userDir, 'settings.js'), lines.join('\n'));
  const url = `http://127.0.0.1:${port}${options.adminRoot ?? ''}`;
  let child = await run(userDir, port, url);
  const end = (signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  return {
    url,
    userDir,
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGKILL');
      child = await run(userDir, port, url);
    },
    stop: async () => {
      await end('SIGKILL');
      rmSync(userDir, { recursive: true, force: true });
    },
  };
}

async function run(userDir: string, port: number, url: string): Promise<ChildProcess> {
  const args = [PROGRAM, '-s', join(userDir, 'settings.js'), '-u', userDir, '-p', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`Node-RED ended: ${said}`);
    return /Started flows/.test(said) && (await fetch(`${url}/auth/login`).catch(() => undefined))?.ok === true;
  });
  return child;
}

export function connect(
  url: string,
  more: Partial<Connection> & { readonly onRequest?: RequestObserver } = {},
): NodeRedDriver {
  return new NodeRedDriver({
    platform: 'test',
    url,
    auth: {},
    limits: { concurrency: 4, requestsPerSecond: 1_000, timeout: 20_000 },
    onRequest: () => {},
    ...more,
  });
}

export function secret(value: string): SecretValue {
  return {
    reveal: () => value,
    keyedHash: (context) =>
      createHmac('sha256', 'test')
        .update(context + value)
        .digest('hex'),
  };
}

/** Everything of these kinds that a driver lists. */
export async function listed(driver: NodeRedDriver, kinds: readonly Kind[] = FLOW_KINDS): Promise<RemoteObject[]> {
  const objects: RemoteObject[] = [];
  for await (const item of driver.observe({ kinds }, never())) if ('remote' in item) objects.push(item);
  return objects;
}
export const FLOW_KINDS: readonly Kind[] = ['Application', 'Integration', 'Workflow'];

export function never(): AbortSignal {
  return new AbortController().signal;
}

/** What the server has, unfiltered. */
export async function rawFlows(url: string): Promise<{ rev: string; flows: (JsonObject & { id: string })[] }> {
  const answer = await fetch(`${url}/flows`, { headers: { 'Node-RED-API-Version': 'v2' } });
  return (await answer.json()) as { rev: string; flows: (JsonObject & { id: string })[] };
}

/** What a person does in the editor: replaces everything, whatever stood there. */
export async function deployRaw(url: string, flows: readonly JsonValue[]): Promise<void> {
  const answer = await fetch(`${url}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': 'nodes' },
    body: JSON.stringify({ flows }),
  });
  if (!answer.ok) throw new Error(`deploy failed: ${answer.status}`);
}

interface Wanted {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: JsonObject;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A create, or an update of `remote`. */
export function writeStep(wanted: Wanted, remote?: RemoteObject): Step {
  const { kind, name, spec } = wanted;
  const key: Key = `${kind}/${name}`;
  const marker: Marker = { owner: OWNER, key, applied: 'f', how: 'created' };
  const secrets = wanted.secrets ?? {};
  const base = {
    key,
    kind,
    title: typeof spec['title'] === 'string' ? spec['title'] : name,
    cause: 'new',
    dependsOn: [],
    fingerprint: 'f',
  } as const;
  const names = Object.keys(secrets);
  const change: Change =
    remote === undefined
      ? { ...base, verb: 'create', secrets: names }
      : {
          ...base,
          verb: 'update',
          secrets: names,
          remote: { id: remote.remote, version: remote.version },
          diff: [{ path: '/definition' }],
          moreFields: 0,
          overwritesDrift: false,
        };
  return {
    change,
    owner: OWNER,
    marker,
    desired: async () => spec,
    secrets: async () => Object.fromEntries(Object.entries(secrets).map(([field, value]) => [field, secret(value)])),
  };
}

export function removeStep(verb: 'delete' | 'release', object: RemoteObject, name: string): Step {
  const key: Key = `${object.kind}/${name}`;
  const remote = { id: object.remote, version: object.version };
  return {
    change: { key, kind: object.kind, title: object.title, cause: 'removed', dependsOn: [], verb, remote },
    owner: OWNER,
    desired: async () => Promise.reject(new Error('nothing is desired')),
    secrets: async () => ({}),
  };
}

/** Carries a stage out and gives its outcomes as text: `applied`, or `failed: code message`. */
export async function apply(driver: NodeRedDriver, stage: readonly Step[]): Promise<readonly string[]> {
  const outcomes = new Map<Key, string>();
  for await (const outcome of driver.apply(stage, never())) {
    const { status, change } = outcome;
    outcomes.set(
      change.key,
      status === 'failed' ? `failed: ${outcome.error.code ?? ''} ${outcome.error.message}` : status,
    );
  }
  return stage.map(({ change }) => outcomes.get(change.key) ?? 'nothing');
}
