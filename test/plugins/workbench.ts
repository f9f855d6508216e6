import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type { ReconcilerError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/manifest/manifest.ts';
import { Plugin } from '../../src/manifest/plugin.ts';
import { PluginHost } from '../../src/plugins/plugin-host.ts';
import { PluginPool, type PoolOptions, type Verdict } from '../../src/plugins/plugin-pool.ts';

export const NEVER = new AbortController().signal;
export const CANARY = 'CANARY-4711-secret';

/** A folder with plugins in it, and whatever runs them; gone when the test is over. */
export class Workbench implements AsyncDisposable {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-plugins-')));
  readonly printed: string[] = [];
  readonly #open: AsyncDisposable[] = [];

  /** Writes a file of a plugin: `lay('limit', 'export …')` is `limit/index.js`. */
  lay(plugin: string, text: string, file = 'index.js'): string {
    const path = join(this.root, plugin, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  pool(plugin: string, text: string, more: Partial<PoolOptions & PoolOptions['limits']> = {}): PluginPool {
    this.lay(plugin, text);
    const { timeout = 30_000, memory = 64, output = 64, ...rest } = more;
    const pool = new PluginPool({
      place: { name: plugin, folder: plugin, entry: 'index.js', baseDir: this.root },
      limits: { timeout, memory, output },
      processes: 1,
      redact,
      onLine: (line) => this.printed.push(line),
      ...rest,
    });
    this.#open.push(pool);
    return pool;
  }

  /** A host of plugins by name; each spec as a user would write it, `folder` being the name. */
  async host(specs: Readonly<Record<string, object>>): Promise<PluginHost> {
    const host = new PluginHost({ redact, onPrinted: (plugin, line) => this.printed.push(`${plugin}: ${line}`) });
    this.#open.push(host);
    await host.configure(pluginsOf(specs), this.root);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) await one[Symbol.asyncDispose]();
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function pluginsOf(specs: Readonly<Record<string, object>>): ReadonlyMap<string, Plugin> {
  return new Map(
    Object.entries(specs).map(([name, spec]) => [
      name,
      Plugin.parse({
        apiVersion: 'plumbline.dev/v1alpha1',
        kind: 'Plugin',
        metadata: { name },
        spec: { folder: name, ...spec },
      }),
    ]),
  );
}

function redact(text: string): string {
  return text.replaceAll(CANARY, '•••');
}

/** A plugin whose execute has this body. */
export function body(text: string): string {
  return `export default { async execute(context) { ${text} } };`;
}

export function ask(pool: PluginPool, context: JsonObject = {}, signal = NEVER): Promise<Verdict> {
  return pool.execute(context, 'context', signal);
}

/** The error that a promise ends with. */
export async function failure(promise: Promise<unknown>): Promise<ReconcilerError> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.have.property('name', 'ReconcilerError');
    return error as ReconcilerError;
  }
  throw new Error('it did not fail');
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
