import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ADMIN_TOKEN } from '../drivers/directus/server.ts';
import { installPlatform } from '../platforms/install.ts';

const VERSION = '3.4.1';
const EXTENSION = 'directus-extension-sync';
/** The extension that the tool needs on the server, which Directus 11 takes. */
const EXTENSION_VERSION = '3.0.6';

/** `directus-sync`, a tool of other people that keeps a dump of a Directus 11 in files. */
export class DirectusSync implements Disposable {
  readonly #program: string;
  readonly #node: string;
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-directus-sync-'));

  private constructor(program: string, node: string) {
    this.#program = program;
    this.#node = node;
  }

  /** Installs it once, pinned, beside the servers. */
  static async install(): Promise<DirectusSync> {
    const packages = { 'directus-sync': VERSION, [EXTENSION]: EXTENSION_VERSION };
    const { folder, node } = await installPlatform({ name: 'directus-sync', version: VERSION, packages });
    const modules = join(folder, 'node_modules');
    const sync = new DirectusSync(join(modules, '.bin', 'directus-sync'), node);
    cpSync(join(modules, EXTENSION), join(sync.#dir, 'extensions', EXTENSION), { recursive: true });
    // Directus loads no extension at all where the folder that it looks for packages in has none of these.
    writeFileSync(join(sync.#dir, 'package.json'), '{}');
    return sync;
  }

  /** What a server has to be started with. */
  get settings(): Readonly<Record<string, string>> {
    return { EXTENSIONS_PATH: join(this.#dir, 'extensions'), PACKAGE_FILE_LOCATION: this.#dir };
  }

  /** Dumps the flows that stand on a server. */
  async pull(url: string): Promise<void> {
    await this.#run('pull', url);
  }

  /** Milliseconds that it takes to bring the dump onto a server; also where all of it stands there already. */
  async push(url: string): Promise<number> {
    const begin = performance.now();
    await this.#run('push', url);
    return performance.now() - begin;
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #run(verb: string, url: string): Promise<void> {
    const of = ['--no-snapshot', '--only-collections', 'flows,operations'];
    const args = [this.#program, '--directus-url', url, '--directus-token', ADMIN_TOKEN, verb, ...of];
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.#dir };
    const child = spawn(this.#node, args, { cwd: this.#dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    );
    if (code !== 0) throw new Error(`directus-sync ${verb} ended with ${String(code)}:\n${said.slice(-2000)}`);
  }
}
