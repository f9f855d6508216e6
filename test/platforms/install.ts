import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { cached } from './cache.ts';
import { NODES } from './versions.ts';

/** Lines of a failed command's output that are shown. */
const TAIL = 40;

/** What it takes to install a server. */
export interface Installation {
  readonly name: string;
  readonly version: string;
  /** npm packages and their versions. */
  readonly packages: Readonly<Record<string, string>>;
  /** npm overrides, for a dependency that does not build as it was published. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Packages whose native parts are built; no other install script is run. */
  readonly rebuild?: readonly string[];
  /** Node that the server is built for and run under; default 24. */
  readonly nodeMajor?: keyof typeof NODES;
}

/**
 * Installs a server from npm into the tests' cache, or finds it there: `~/.cache/plumbline-tests/platforms/<name>-<version>`, or below the
 * folder that PLUMBLINE_TEST_CACHE names. The cache lies outside of the checkout, so that every clone on a machine shares it. Whatever was interrupted leaves nothing behind that looks finished.
 * @returns the folder that has `node_modules`, and the Node to run the server with.
 * @throws Error with the end of npm's output, when the installation fails.
 */
export async function installPlatform(wanted: Installation): Promise<{ folder: string; node: string }> {
  const node = await installNode(wanted.nodeMajor ?? 24);
  const { name, version, packages, overrides = {}, rebuild = [] } = wanted;
  const recipe = JSON.stringify({ packages, overrides, rebuild, node: node.version });
  const folder = await cached(`platforms/${name}-${version}`, recipe, async (at) => {
    writeFileSync(join(at, 'package.json'), JSON.stringify({ private: true, dependencies: packages, overrides }));
    await npm(['install', '--ignore-scripts'], at, node.home);
    if (rebuild.length > 0) await npm(['rebuild', ...rebuild], at, node.home);
  });
  return { folder, node: node.program };
}

/** A Node with its headers: the npm package `node-<platform>-<arch>` holds both. */
async function installNode(major: keyof typeof NODES): Promise<{ home: string; program: string; version: string }> {
  const version = NODES[major];
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${system}-${process.arch}`;
  const folder = await cached(`platforms/node-${version}`, name, async (at) => {
    writeFileSync(join(at, 'package.json'), JSON.stringify({ private: true, dependencies: { [name]: version } }));
    await npm(['install', '--ignore-scripts'], at);
  });
  const home = join(folder, 'node_modules', name);
  return { home, program: join(home, 'bin', 'node'), version };
}

/** Runs the system's npm, under the Node below `home` where one is named: native parts are built for it, with its headers. */
export async function npm(args: readonly string[], cwd: string, home?: string): Promise<void> {
  const nodeFirst = home === undefined ? [] : [join(home, 'bin')];
  // The project's own Node brings no headers, so its folder must not come before the one that does.
  const rest = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => basename(entry) !== '.bin');
  const env = {
    ...process.env,
    PATH: [...nodeFirst, ...rest].join(delimiter),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_loglevel: 'error',
    ...(home === undefined ? {} : { npm_config_nodedir: home }),
  };
  const child = spawn('npm', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  if (code === 0) return;
  const tail = said.trimEnd().split('\n').slice(-TAIL).join('\n');
  throw new Error(
    `npm ${args.join(' ')} failed in ${cwd} (${code}). Check the network, the npm registry and the compiler.\n${tail}`,
  );
}
