import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ADMIN_TOKEN } from '../drivers/directus/server.ts';
import { installPlatform } from '../platforms/install.ts';

const VERSION = '12.2.1';

/** Directus' own command line, which copies flows from one server's dump to another server. It takes Directus 12.2 and newer. */
export class DirectusCli implements Disposable {
  readonly #program: string;
  readonly #node: string;
  /** Its project, and its home, so that it finds nothing of the person who runs it. */
  readonly #dir = mkdtempSync(join(tmpdir(), 'plumbline-directus-cli-'));

  private constructor(program: string, node: string) {
    this.#program = program;
    this.#node = node;
  }

  /** Installs it once, pinned, beside the servers; and dumps what stands on this one. */
  static async dump(url: string): Promise<DirectusCli> {
    const packages = { '@directus/cli': VERSION };
    const { folder, node } = await installPlatform({ name: 'directus-cli', version: VERSION, packages });
    const cli = new DirectusCli(join(folder, 'node_modules', '@directus', 'cli', 'dist', 'bin.js'), node);
    await cli.#run('profile', 'add', 'bench', '--url', url, '--token', ADMIN_TOKEN);
    await cli.#run('sync', 'pull', '--from', 'bench', '--flows');
    return cli;
  }

  /** Milliseconds that it takes to bring the dump onto the server; also where all of it stands there already. */
  async push(): Promise<number> {
    const begin = performance.now();
    await this.#run('sync', 'push', '--to', 'bench', '--mode', 'merge', '--yes');
    return performance.now() - begin;
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #run(...args: readonly string[]): Promise<void> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.#dir, NO_INTERACTIVE: '1' };
    const child = spawn(this.#node, [this.#program, ...args], {
      cwd: this.#dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    );
    if (code !== 0)
      throw new Error(
        `${args.slice(0, 2).join(' ')} of the Directus CLI ended with ${String(code)}:\n${said.slice(-2000)}`,
      );
  }
}
