import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { podTemplateOf } from './chart.ts';
import type { KubeObject } from './chart.ts';
import type { Cluster } from './cluster.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');

/** The program, run as the container of a pod would run: no cluster of the tests has a kubelet. */
export interface Pod extends AsyncDisposable {
  /** Of the private port. */
  readonly url: string;
  /** Of the hooks. */
  readonly hooksUrl: string;
  /** What it printed. */
  log(): string;
  /** Asks the private port, with the token of the Secret. */
  ask(path: string): Promise<Response>;
  /** Ends it as a kubelet does. @returns its exit code */
  stop(): Promise<number | null>;
}

export interface PodOptions {
  readonly namespace: string;
  /** Where its mounts are made. */
  readonly folder: string;
  /** Environment beside that of the container. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a pod of a release: with the environment and arguments of its container, its ConfigMaps and Secrets in a folder, and, where it
 * is given a token, as its ServiceAccount. Resolves when it is ready. @throws Error with what it said when it ends before
 */
export async function startPod(cluster: Cluster, workload: string, options: PodOptions): Promise<Pod> {
  const { namespace, folder } = options;
  const get = async (...what: readonly string[]): Promise<KubeObject> =>
    JSON.parse(await cluster.kubectl(['get', '-n', namespace, '-o', 'json', ...what])) as KubeObject;
  const { spec } = podTemplateOf([await get(workload)]);
  const [container] = spec.containers;
  const root = mkdtempSync(join(folder, 'pod-'));
  const at = (path: string): string => join(root, path);
  for (const { name, mountPath } of container?.volumeMounts ?? []) {
    mkdirSync(at(mountPath), { recursive: true });
    const volume = spec.volumes.find((one) => one.name === name);
    const data =
      volume?.configMap !== undefined
        ? ((await get('configmap', volume.configMap.name)).data ?? {})
        : volume?.secret !== undefined
          ? decoded((await get('secret', volume.secret.secretName)).data ?? {})
          : {};
    for (const [key, content] of Object.entries(data))
      writeFileSync(join(at(mountPath), key), content, { mode: 0o440 });
  }
  const env = Object.fromEntries(
    (container?.env ?? []).map(({ name, value = '' }) => [name, value.startsWith('/') ? at(value) : value]),
  );
  const account = { namespace, name: spec.serviceAccountName };
  const access = spec.automountServiceAccountToken
    ? { PLUMBLINE_KUBECONFIG: await cluster.kubeconfigOf(account) }
    : undefined;
  const args = ['--disable-warning=ExperimentalWarning', join(ROOT, 'src', 'main.ts'), ...(container?.args ?? [])];
  const child = spawn(process.execPath, args, {
    env: {
      PATH: process.env['PATH'],
      ...env,
      ...access,
      ...options.env,
      PLUMBLINE_LISTEN: '127.0.0.1:0',
      PLUMBLINE_LISTEN_HOOKS: '127.0.0.1:0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const token = join(at('/etc/plumbline-keys'), 'token');
  return running(child, existsSync(token) ? readFileSync(token, 'utf8') : '');
}

async function running(child: ChildProcess, token: string): Promise<Pod> {
  const exited = once(child, 'exit');
  let said = '';
  const heard = (chunk: Buffer): void => void (said += chunk.toString());
  child.stdout?.on('data', heard);
  child.stderr?.on('data', heard);
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await exited;
    }
    return child.exitCode;
  };
  const deadline = Date.now() + 120_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const [, url, hooksUrl] = /"daemon started","url":"([^"]+)","hooks":"([^"]+)"/.exec(said) ?? [];
    if (url !== undefined && hooksUrl !== undefined && (await fetch(`${url}/readyz`)).status === 200) {
      const ask: Pod['ask'] = (path) => fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      return { url, hooksUrl, ask, stop, log: () => said, [Symbol.asyncDispose]: async () => void (await stop()) };
    }
    await pause(100);
  }
  await stop();
  throw new Error(`it did not become ready: ${said}`);
}

function decoded(data: Readonly<Record<string, string>>): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}
