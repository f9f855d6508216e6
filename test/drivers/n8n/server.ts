import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { installPlatform } from '../../platforms/install.ts';
import { end, freePort } from '../../platforms/processes.ts';
import { VERSIONS } from '../../platforms/versions.ts';

/** The first start runs all migrations; on a busy machine that takes its time. */
const START_TIMEOUT = 240_000;
const OWNER = { email: 'owner@example.com', firstName: 'Test', lastName: 'Owner', password: 'Correct-horse-1' };

/** A real n8n of its own, with its own data folder, ports, owner and API key. */
export interface N8nServer extends AsyncDisposable {
  readonly url: string;
  /** Key with every scope there is. */
  readonly apiKey: string;
  readonly folder: string;
  readonly pid: number | undefined;
  /** Makes a key that may do only this. */
  keyWith(scopes: readonly string[]): Promise<string>;
  /** As the browser does it: the editor's own API, with the owner's cookie. */
  editor(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Ends the whole process group; the data folder is removed. */
  stop(): Promise<void>;
}

export interface N8nOptions {
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Installs n8n, or finds it in the cache. */
export async function installN8n(): Promise<{ folder: string; node: string }> {
  return await installPlatform({
    name: 'n8n',
    version: VERSIONS.n8n,
    packages: { n8n: VERSIONS.n8n },
    rebuild: ['sqlite3', 'isolated-vm'],
  });
}

/** Starts an n8n; ready when it answers and has an owner. @throws Error with the end of its output. */
export async function startN8n(options: N8nOptions = {}): Promise<N8nServer> {
  const { folder: home, node } = await installN8n();
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-n8n-'));
  const [port, broker] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(node, [join(home, 'node_modules', 'n8n', 'bin', 'n8n'), 'start'], {
    cwd: folder,
    // A group of its own: n8n starts children, which have to go with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment(folder, port, broker), ...options.env },
  });
  const stop = async (): Promise<void> => {
    await end(child, { group: true, atOnce: true });
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(child, url);
    const cookie = await setUp(url);
    const editor: N8nServer['editor'] = (method, path, body) => call(url, cookie, { method, path, body });
    const keyWith: N8nServer['keyWith'] = async (scopes) => {
      const answer = await editor('POST', '/rest/api-keys', { label: `key ${Date.now()}`, expiresAt: null, scopes });
      return (answer as { rawApiKey: string }).rawApiKey;
    };
    const apiKey = await keyWith((await editor('GET', '/rest/api-keys/scopes')) as string[]);
    return { url, apiKey, folder, pid: child.pid, keyWith, editor, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What an n8n of the tests runs with: its data folder, its ports, and nothing that talks to others. */
export function environment(folder: string, port: number, broker: number): Record<string, string> {
  return {
    N8N_USER_FOLDER: folder,
    N8N_PORT: String(port),
    N8N_LISTEN_ADDRESS: '127.0.0.1',
    N8N_DIAGNOSTICS_ENABLED: 'false',
    N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
    N8N_TEMPLATES_ENABLED: 'false',
    N8N_SECURE_COOKIE: 'false',
    N8N_RUNNERS_ENABLED: 'false',
    N8N_RUNNERS_BROKER_PORT: String(broker),
    DB_SQLITE_POOL_SIZE: '4',
    NODE_OPTIONS: '',
  };
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-8_000)));
  const deadline = Date.now() + START_TIMEOUT;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`n8n did not start: ${said}`);
    // The health check, and every path with a page that asks to wait, answer before the API's routes stand.
    const settings = await fetch(`${url}/rest/settings`).catch(() => undefined);
    if (settings?.headers.get('content-type')?.includes('json') === true && settings.ok) return;
    await settings?.text();
    await pause(100);
  }
}

async function setUp(url: string): Promise<string> {
  const answer = await fetch(`${url}/rest/owner/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(OWNER),
  });
  if (!answer.ok) throw new Error(`n8n took no owner: ${answer.status} ${await answer.text()}`);
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
}

async function call(
  url: string,
  cookie: string,
  { method, path, body }: { method: string; path: string; body: unknown },
): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { cookie, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
  return (JSON.parse(text) as { data: unknown }).data;
}
