import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../platforms/processes.ts';

const require_ = createRequire(import.meta.url);
const PROGRAM = join(dirname(require_.resolve('node-red/package.json')), 'red.js');
const ADDON = fileURLToPath(new URL('../../../src/drivers/node-red/addon', import.meta.url));

/** A Node-RED as an operator would run it: his settings.js, wrapped by the documented line. */
export interface OperatorNodeRed {
  readonly url: string;
  readonly userDir: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param settings JavaScript of an object literal. @param options second argument of `wrap`, as JavaScript. */
export async function startOperatorNodeRed(settings: string, options = '{}'): Promise<OperatorNodeRed> {
  const userDir = mkdtempSync(join(tmpdir(), 'plumbline-operator-'));
  const port = await freePort();
  writeFileSync(
    join(userDir, 'settings.js'),
    `module.exports = ${settings};\nmodule.exports = require(${JSON.stringify(ADDON)}).wrap(module.exports, ${options});\n`,
  );
  const url = `http://127.0.0.1:${port}`;
  let child = await run(userDir, port, url);
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  return {
    url,
    userDir,
    restart: async () => {
      await end();
      child = await run(userDir, port, url);
    },
    stop: async () => {
      await end();
      rmSync(userDir, { recursive: true, force: true });
    },
  };
}

async function run(userDir: string, port: number, url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, '--userDir', userDir, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`Node-RED ended: ${said}`);
    return /Started flows/.test(said) && (await fetch(`${url}/auth/login`).catch(() => undefined))?.ok === true;
  });
  return child;
}

/** Polls until the condition holds; fails after 20 s. */
export async function until<T>(condition: () => Promise<T | false | undefined> | T | false | undefined): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`never became true: ${condition.toString()}`);
    await sleep(20);
  }
}

/** A token by password; undefined when the login is refused. */
export async function login(url: string, username: string, password: string, scope = ''): Promise<string | undefined> {
  const body = { client_id: 'node-red-admin', grant_type: 'password', scope, username, password };
  const response = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const json = (await response.json().catch(() => ({}))) as { access_token?: string };
  return response.ok ? json.access_token : undefined;
}

/** One request to the admin API; `json` is undefined when the answer is not JSON. */
export async function call(
  url: string,
  token: string | undefined,
  [method, path, body]: readonly [string, string, unknown?],
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly json: unknown }> {
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  try {
    return { status: response.status, json: JSON.parse(text) };
  } catch {
    return { status: response.status, json: undefined };
  }
}

/** bcrypt, as `node-red admin hash-pw` makes it. */
export function bcryptHash(password: string): string {
  const { hashSync } = require_('bcryptjs') as { hashSync: (text: string, rounds: number) => string };
  return hashSync(password, 4);
}
