import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { parse } from 'yaml';
import type { Daemon, DaemonOptions } from '../../src/daemon/service.ts';
import { startDaemon } from '../../src/daemon/service.ts';
import type { Cluster } from './cluster.ts';
import { grantPermissions } from './permissions.ts';

const CRDS = resolve(import.meta.dirname, '..', '..', 'crds');
/** Where the daemon's own ServiceAccount lives. */
const HOME = 'plumbline-system';

/** Applies the custom resource definitions, and waits until they are served. */
export async function installDefinitions(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '-f', CRDS]);
  const names = readdirSync(CRDS).map((file) => {
    const { metadata } = parse(readFileSync(join(CRDS, file), 'utf8')) as { metadata: { name: string } };
    return `crd/${metadata.name}`;
  });
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=60s', ...names]);
}

/** A daemon outside of the cluster with exactly the rights that it declares. */
export class Installation {
  readonly kubeconfig: string;
  #dir: string;
  #log = '';

  private constructor(kubeconfig: string, dir: string) {
    this.kubeconfig = kubeconfig;
    this.#dir = dir;
  }

  static async create(cluster: Cluster, { mirrors = false } = {}): Promise<Installation> {
    await installDefinitions(cluster);
    await cluster.kubectl(['create', 'namespace', HOME]);
    await cluster.kubectl(['create', 'serviceaccount', 'plumbline', '-n', HOME]);
    await grantPermissions(cluster, { namespace: HOME, name: 'plumbline', mirrors });
    const kubeconfig = await cluster.kubeconfigOf({ namespace: HOME, name: 'plumbline' });
    return new Installation(kubeconfig, await mkdtemp(join(tmpdir(), 'plumbline-cluster-daemon-')));
  }

  get log(): string {
    return this.#log;
  }

  /** Its configuration file, which there is none of at first. */
  get configPath(): string {
    return join(this.#dir, 'plumbline.yaml');
  }

  start(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    return startDaemon({
      configPath: this.configPath,
      stateDir: join(this.#dir, 'state'),
      installation: 'test',
      version: '0.0.0',
      environment: { PATH: process.env['PATH'], DAEMON_TOKEN: 'the daemon keeps this' },
      logFormat: 'json',
      logLevel: 'debug',
      logStream: new Writable({ write: (chunk: Buffer, _, done) => ((this.#log += chunk.toString()), done()) }),
      listen: '127.0.0.1:0',
      listenHooks: '127.0.0.1:0',
      cluster: { kubeconfig: this.kubeconfig },
      ...options,
    });
  }

  /** Forgets everything that is not in the cluster. */
  async loseState(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
