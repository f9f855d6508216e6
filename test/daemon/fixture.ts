import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { request } from 'undici';
import { startDaemon } from '../../src/daemon/service.ts';
import type { Daemon, DaemonOptions } from '../../src/daemon/service.ts';

const run = promisify(execFile);

/** A folder with a configuration, a state directory and a git repository, and whatever a daemon on it writes to its log. */
export class Place {
  readonly dir: string;
  #log = '';

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(): Promise<Place> {
    const place = new Place(await mkdtemp(join(tmpdir(), 'plumbline-daemon-')));
    await mkdir(place.repo);
    await place.git('init', '--quiet', '--initial-branch=main');
    return place;
  }

  get repo(): string {
    return join(this.dir, 'repo');
  }
  get state(): string {
    return join(this.dir, 'state');
  }
  get config(): string {
    return join(this.dir, 'plumbline.yaml');
  }
  get log(): string {
    return this.#log;
  }

  async git(...args: readonly string[]): Promise<void> {
    const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false'];
    await run('git', [...who, ...args], { cwd: this.repo });
  }

  /** Writes files of the repository and commits them; undefined removes one. */
  async commit(files: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.repo, name);
      await mkdir(dirname(file), { recursive: true });
      if (text === undefined) await rm(file);
      else await writeFile(file, text);
    }
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--allow-empty', '--message', 'Change it');
  }

  async configure(text: string): Promise<void> {
    await writeFile(this.config, text);
  }

  /** The Node-RED at a URL is the Platform `plant`, and the repository the source of the Sync `orders` onto it, on more terms in flow style. */
  async configurePlant(url: string, terms = ''): Promise<void> {
    await this.configure(`apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: plant}
spec: {driver: node-red, url: "${url}"}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${this.repo}", ref: {branch: main}}}, platform: plant${terms === '' ? '' : `, ${terms}`}}
`);
  }

  start(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    return startDaemon({
      configPath: this.config,
      stateDir: this.state,
      installation: 'test',
      version: '0.0.0',
      environment: process.env,
      logFormat: 'json',
      logLevel: 'debug',
      logStream: new Writable({ write: (chunk: Buffer, _, done) => ((this.#log += chunk.toString()), done()) }),
      listen: '127.0.0.1:0',
      listenHooks: '127.0.0.1:0',
      ...options,
    });
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Polls until something is so. @throws the last error when that does not come about in time. */
export async function until<T>(
  look: () => Promise<T | undefined | false>,
  what: string,
  deadline = 20_000,
): Promise<T> {
  const end = Date.now() + deadline;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not in time: ${what}`, { cause: last });
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One HTTP request as a client sends it. */
export async function ask(url: string, headers: Readonly<Record<string, string>> = {}, body?: string): Promise<Answer> {
  const answer = await request(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}
