import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { installPlatform } from '../../platforms/install.ts';
import { end, freePort } from '../../platforms/processes.ts';
import { VERSIONS } from '../../platforms/versions.ts';

export type DirectusVersion = typeof VERSIONS.directus | typeof VERSIONS.directusOpen;

export const ADMIN_TOKEN = 'static-admin-token-for-tests';
export const ADMIN_EMAIL = 'admin@example.com';
export const ADMIN_PASSWORD = 'a password for tests only';
/** Milliseconds within which a server must answer. */
const READY = 90_000;

/** A real Directus with a data folder of its own. */
export interface DirectusServer extends AsyncDisposable {
  readonly url: string;
  readonly version: DirectusVersion;
  /** Its process, another one after a restart. */
  readonly pid: number | undefined;
  /** What it printed. */
  log(): string;
  /** Ends it, and starts it again on the same port with the same data. */
  restart(): Promise<void>;
}

/** Installs Directus, or finds it in the cache. */
export async function installDirectus(version: DirectusVersion): Promise<{ folder: string; node: string }> {
  const open = version === VERSIONS.directusOpen;
  return await installPlatform({
    name: 'directus',
    version,
    packages: { directus: version },
    // The version that 12 names does not compile for Node 24.
    ...(open ? {} : { overrides: { 'isolated-vm': '7.0.1' } }),
    rebuild: ['isolated-vm', 'sqlite3'],
    nodeMajor: open ? 22 : 24,
  });
}

/** Starts a fresh Directus on a free port: bootstrapped, with a static admin token, its activity socket on. */
export async function startDirectus(
  version: DirectusVersion = VERSIONS.directusOpen,
  settings: Readonly<Record<string, string>> = {},
): Promise<DirectusServer> {
  const { folder, node } = await installDirectus(version);
  const data = mkdtempSync(join(tmpdir(), 'plumbline-directus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(data, 'server.log');
  const env = {
    PATH: [dirname(node), process.env['PATH'] ?? ''].join(delimiter),
    HOME: data,
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: url,
    KEY: 'directus-key-for-tests',
    SECRET: 'directus-secret-for-tests-which-is-long-enough',
    DB_CLIENT: 'sqlite3',
    DB_FILENAME: join(data, 'data.db'),
    STORAGE_LOCAL_ROOT: join(data, 'uploads'),
    EXTENSIONS_PATH: join(data, 'extensions'),
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    ADMIN_TOKEN,
    TELEMETRY: 'false',
    WEBSOCKETS_ENABLED: 'true',
    MAX_PAYLOAD_SIZE: '16mb',
    LOG_LEVEL: 'warn',
    // A machine that tests other things too is always under pressure.
    PRESSURE_LIMITER_ENABLED: 'false',
    ...settings,
  };
  const cli = join(folder, 'node_modules', 'directus', 'cli.js');
  const run = (verb: string): ChildProcess => {
    const child = spawn(node, [cli, verb], { cwd: data, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const file = createWriteStream(log, { flags: 'a' });
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    return child;
  };
  const text = (): string => readFileSync(log, 'utf8');
  try {
    const bootstrap = run('bootstrap');
    const code = await new Promise((resolve, reject) => bootstrap.once('error', reject).once('close', resolve));
    if (code !== 0) throw new Error(`directus bootstrap ended with ${String(code)}:\n${text()}`);
    let server = run('start');
    await ready(url, server, text);
    return {
      url,
      version,
      get pid() {
        return server.pid;
      },
      log: text,
      restart: async () => {
        await end(server, { group: true });
        server = run('start');
        await ready(url, server, text);
      },
      [Symbol.asyncDispose]: async () => {
        await end(server, { group: true });
        rmSync(data, { recursive: true, force: true, maxRetries: 3 });
      },
    };
  } catch (error) {
    rmSync(data, { recursive: true, force: true, maxRetries: 3 });
    throw error;
  }
}

async function ready(url: string, server: ChildProcess, log: () => string): Promise<void> {
  const deadline = Date.now() + READY;
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${url}/server/ping`).catch(() => undefined);
    if (answer?.ok === true) return;
    await pause(100);
  }
  await end(server, { group: true });
  throw new Error(`directus did not answer at ${url} within ${READY / 1000} s:\n${log()}`);
}
