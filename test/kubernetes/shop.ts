import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon, DaemonOptions } from '../../src/daemon/service.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { Repository, serveGit, temporaryFolder } from '../source/git-fixture.ts';
import type { GitServer } from '../source/git-fixture.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { Installation } from './installation.ts';

const API = 'plumbline.dev/v1alpha1';
/** Token of the repository: whatever shows it has shown a secret. */
export const TOKEN = 'canary-Shop-19c2';

/** A real API server with the namespace `shop`, a real Node-RED, a git server, and a daemon outside of the cluster with its own rights. */
export class Shop implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly installation: Installation;
  readonly repository: Repository;
  readonly git: GitServer;
  readonly nodeRed: NodeRedServer;
  readonly #folder: string;
  #daemon: Daemon | undefined;

  private constructor(
    parts: Pick<Shop, 'cluster' | 'installation' | 'repository' | 'git' | 'nodeRed'>,
    folder: string,
  ) {
    this.cluster = parts.cluster;
    this.installation = parts.installation;
    this.repository = parts.repository;
    this.git = parts.git;
    this.nodeRed = parts.nodeRed;
    this.#folder = folder;
  }

  /** `mirrors`: the daemon may write them. The Secret `git` has the token of the repository, which has a first, empty commit. */
  static async open({ mirrors = false } = {}): Promise<Shop> {
    const cluster = await startCluster({ audit: true });
    const installation = await Installation.create(cluster, { mirrors });
    const { path } = await temporaryFolder();
    const repository = await Repository.create(join(path, 'served/repo'));
    await repository.commit({}, 'First');
    const git = await serveGit(join(path, 'served'), () => TOKEN);
    const nodeRed = await startNodeRed();
    const shop = new Shop({ cluster, installation, repository, git, nodeRed }, path);
    await cluster.kubectl(['create', 'namespace', 'shop']);
    await shop.kubectl('create', 'secret', 'generic', 'git', `--from-literal=token=${TOKEN}`);
    return shop;
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error('the daemon does not run');
    return this.#daemon;
  }

  async start(options: Partial<DaemonOptions> = {}): Promise<void> {
    this.#daemon = await this.installation.start(options);
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop('test');
    this.#daemon = undefined;
  }

  /** In the namespace. @throws Error with what kubectl said */
  kubectl(...args: readonly string[]): Promise<string> {
    return this.cluster.kubectl([...args, '-n', 'shop']);
  }

  apply(kind: string, name: string, spec: object | undefined, more: object = {}): Promise<string> {
    const metadata = { name, namespace: 'shop', ...more };
    return this.cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: API, kind, metadata, spec }));
  }

  platform(name: string, more: object = {}): Promise<string> {
    return this.apply('Platform', name, { driver: 'node-red', url: this.nodeRed.url, ...more });
  }

  /** A Sync of the folder `flows`, or another one, onto the Platform `plant`. */
  sync(name: string, more: object = {}, path = 'flows'): Promise<string> {
    const auth = { token: { valueFrom: { secretKeyRef: { name: 'git', key: 'token' } } } };
    return this.apply('Sync', name, {
      source: { git: { url: `${this.git.origin}/repo/.git`, path, auth } },
      platform: 'plant',
      interval: '1h',
      retryInterval: '1s',
      prune: { maxDeletions: '100%' },
      ...more,
    });
  }

  /** Changes fields of an object's spec. */
  set(object: string, spec: object): Promise<string> {
    return this.kubectl('patch', object, '--type=merge', '-p', JSON.stringify({ spec }));
  }

  /** Resolves when the object says that it stands as it is meant, as it is written now. */
  ready(object: string): Promise<string> {
    return this.kubectl('wait', object, '--for=condition=Ready', '--timeout=90s');
  }

  /** One field of an object, such as `.status.revision`; empty when it has none. */
  field(object: string, path: string): Promise<string> {
    return this.kubectl('get', object, '-o', `jsonpath={${path}}`);
  }

  /** Asks for a pass now. */
  request(sync: string, value: string): Promise<string> {
    return this.kubectl('annotate', '--overwrite', `plsync/${sync}`, `plumbline.dev/reconcile-requested-at=${value}`);
  }

  /** Titles of the tabs on the platform. */
  async tabs({ url } = this.nodeRed): Promise<readonly string[]> {
    const nodes = (await (await fetch(`${url}/flows`)).json()) as { type: string; label?: string }[];
    return nodes.flatMap(({ type, label }) => (type === 'tab' ? [label ?? ''] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.git[Symbol.asyncDispose]();
    await this.nodeRed.stop();
    await rm(this.#folder, { recursive: true, force: true });
    await this.installation.remove();
    await this.cluster[Symbol.asyncDispose]();
  }
}

/** Files of a workflow: its manifest, and a definition with one inject node. */
export function workflow(name: string, folder = 'flows'): Readonly<Record<string, string>> {
  const tab = `${name}-tab`;
  return {
    [`${folder}/${name}.yaml`]: `apiVersion: ${API}\nkind: Workflow\nmetadata: { name: ${name} }\nspec: { definitionFrom: { file: ${name}.json } }\n`,
    [`${folder}/${name}.json`]: JSON.stringify([
      { id: tab, type: 'tab', label: name },
      { id: `${name}-in`, z: tab, type: 'inject', wires: [[]] },
    ]),
  };
}
