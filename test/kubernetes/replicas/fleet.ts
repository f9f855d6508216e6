import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KubeClient } from '../../../src/kube/client.ts';
import { LeaseStore } from '../../../src/kube/lease-store.ts';
import type { LeaseRecord } from '../../../src/kube/lease.ts';
import { Place, until } from '../../daemon/fixture.ts';
import type { Cluster } from '../cluster.ts';
import type { ReplicaOrder, ReplicaSaid, ReplicaTold } from './child.ts';
import { Recorder, Wire } from './wires.ts';
import type { PlatformWrite } from './wires.ts';
import type { Begun } from './witness.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const NAMESPACE = 'default';
/** Milliseconds; a Lease of the default duration and a request of the default timeout take 65 s to run out. */
const PATIENCE = 120_000;

export interface FleetTerms {
  /** Platforms by name, with the URL of each. */
  readonly platforms: Readonly<Record<string, string>>;
  readonly mint: boolean;
  readonly replicas: number;
  readonly shards: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly retry: number;
  /** Of one request to the platform, milliseconds. */
  readonly timeout: number;
  /** Platforms and Syncs, given the URLs of the platforms by name and that of the repository; one Sync for each platform when absent. */
  readonly configuration?: (urls: Readonly<Record<string, string>>, repository: string) => string;
  /** Configured by custom resources, with this namespace as its own; by files when absent. */
  readonly home?: string;
}

/** One replica: its process, and its ways to the cluster and to each platform. */
export class Replica implements AsyncDisposable {
  readonly index: number;
  readonly wire: Wire;
  readonly recorders: readonly Recorder[];
  readonly #order: ReplicaOrder;
  readonly #logFile: string;
  readonly #nodeFlags: readonly string[];
  #child: ChildProcess | undefined;
  #told: ReplicaTold | undefined;
  /** Requests to platforms, as it told of them itself. */
  readonly begun: Begun[] = [];
  /** Those of its former lives, and what had arrived of them. */
  #past = { begun: 0, arrived: 0 };

  constructor(
    index: number,
    {
      wire,
      recorders,
      order,
      logFile,
      nodeFlags = [],
    }: {
      wire: Wire;
      recorders: readonly Recorder[];
      order: ReplicaOrder;
      logFile: string;
      nodeFlags?: readonly string[];
    },
  ) {
    this.index = index;
    this.wire = wire;
    this.recorders = recorders;
    this.#order = order;
    this.#logFile = logFile;
    this.#nodeFlags = nodeFlags;
  }

  get told(): ReplicaTold {
    if (this.#told === undefined) throw new Error(`replica ${this.index} does not run`);
    return this.#told;
  }

  get runs(): boolean {
    return this.#child !== undefined;
  }

  get order(): ReplicaOrder {
    return this.#order;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Requests that arrived at platforms and of which it has not told; those that are on their way make it less. */
  get untold(): number {
    return this.#arrived - this.#past.arrived - (this.begun.length - this.#past.begun);
  }

  get #arrived(): number {
    return this.recorders.reduce((sum, { requests }) => sum + requests, 0);
  }

  async start(): Promise<void> {
    this.#past = { begun: this.begun.length, arrived: this.#arrived };
    const child = fork(CHILD, {
      execArgv: ['--disable-warning=ExperimentalWarning', ...this.#nodeFlags],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, MINT_TOKEN: 'mint-token', FLEET_SECRET: 'kanarienvogel-fleet-7' },
    });
    child.stderr?.pipe(createWriteStream(this.#logFile, { flags: 'a' }));
    this.#child = child;
    child.send(this.#order);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`replica ${this.index} ended:\n${this.log.slice(-3_000)}`);
    });
    ended.catch(() => undefined);
    const running = Promise.withResolvers<ReplicaTold>();
    child.on('message', (said: ReplicaTold | ReplicaSaid) => {
      if ('begun' in said) this.begun.push(said.begun);
      else running.resolve(said);
    });
    this.#told = await Promise.race([running.promise, ended]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it and waits for its end. @returns its exit code; null when it was killed */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGCONT');
    await this.end('SIGKILL');
    await this.wire[Symbol.asyncDispose]();
    for (const recorder of this.recorders) await recorder[Symbol.asyncDispose]();
  }
}

interface FleetParts {
  readonly writes: PlatformWrite[];
  readonly client: KubeClient;
  readonly namespace: string;
}

/** Replicas outside of the cluster, with Leases in it, a repository, and platforms that they share. */
export class Fleet implements AsyncDisposable {
  readonly place: Place;
  readonly replicas: readonly Replica[];
  /** Writes to platforms, in the order of their answers. */
  readonly writes: readonly PlatformWrite[];
  readonly leases: LeaseStore;
  readonly #client: KubeClient;

  private constructor(place: Place, replicas: readonly Replica[], made: FleetParts) {
    const { writes, client, namespace } = made;
    this.place = place;
    this.replicas = replicas;
    this.writes = writes;
    this.#client = client;
    this.leases = new LeaseStore(client, { namespace, installation: 'fleet' });
  }

  /** @param account a kubeconfig for all replicas, or what gives the text of one for each */
  static async make(cluster: Cluster, terms: FleetTerms, account: string | (() => Promise<string>)): Promise<Fleet> {
    const place = await Place.create();
    const keysDir = join(place.dir, 'keys');
    mkdirSync(keysDir);
    writeFileSync(join(keysDir, 'hash.key'), randomBytes(32), { mode: 0o600 });
    writeFileSync(join(keysDir, 'token'), `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
    const writes: PlatformWrite[] = [];
    const replicas: Replica[] = [];
    for (let index = 0; index < terms.replicas; index++) {
      const credentials = typeof account === 'string' ? readFileSync(account, 'utf8') : await account();
      replicas.push(await makeReplica(index, { cluster, terms, place, keysDir, writes, credentials }));
    }
    const client = await KubeClient.open({ kubeconfig: cluster.kubeconfig, environment: {}, version: 'tests' });
    return new Fleet(place, replicas, { writes, client, namespace: terms.home ?? NAMESPACE });
  }

  async shards(): Promise<readonly LeaseRecord[]> {
    const { told } = await this.leases.list();
    return told.flatMap(({ record }) => (record.shard === undefined ? [] : [record]));
  }

  /** The replica that holds a shard, as its Lease says. */
  async holderOf(shard: number): Promise<Replica | undefined> {
    const record = (await this.shards()).find((one) => one.shard === shard);
    return this.replicas.find((one) => one.runs && one.told.identity === record?.holder);
  }

  /** Resolves when each shard is held by one of these replicas. */
  async held(by: readonly Replica[]): Promise<readonly LeaseRecord[]> {
    const names = new Set(by.map(({ told }) => told.identity));
    return until(
      async () => {
        const shards = await this.shards();
        return shards.length > 0 && shards.every(({ holder }) => names.has(holder)) && shards;
      },
      `shards held by ${[...names].join(', ')}`,
      PATIENCE,
    ).catch((error: unknown) => {
      throw new Error(this.replicas.map(({ log }) => log.slice(-3_000)).join('\n'), { cause: error });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.replicas) await replica[Symbol.asyncDispose]();
    await this.#client[Symbol.asyncDispose]();
    await this.place.remove();
  }
}

async function makeReplica(
  index: number,
  parts: {
    readonly cluster: Cluster;
    readonly terms: FleetTerms;
    readonly place: Place;
    readonly keysDir: string;
    readonly writes: PlatformWrite[];
    /** Text of its kubeconfig. */
    readonly credentials: string;
  },
): Promise<Replica> {
  const { cluster, terms, place, keysDir, writes, credentials } = parts;
  const wire = await Wire.to(cluster.url);
  const recorders = await Promise.all(Object.values(terms.platforms).map((url) => Recorder.before(url, index, writes)));
  const ways = Object.entries(terms.platforms).map(([name, url], at) => ({ name, url, way: recorders[at]?.url ?? '' }));
  const dir = join(place.dir, `replica-${index}`);
  mkdirSync(dir);
  const kubeconfig = join(dir, 'kubeconfig');
  writeFileSync(kubeconfig, credentials.replaceAll(cluster.url, wire.url), { mode: 0o600 });
  const { shards, duration, retry, mint, home, timeout } = terms;
  const configPath = join(dir, 'plumbline.yaml');
  const order = {
    configPath,
    stateDir: join(dir, 'state'),
    keysDir,
    replicas: { kubeconfig, namespace: home ?? NAMESPACE, shards, duration, retry },
    mint,
    ways: ways.map(({ way }) => way),
  };
  const logFile = join(dir, 'log');
  if (home !== undefined) {
    // Custom resources are the same for all replicas: each takes its own way to what they name.
    const reroute = Object.fromEntries(ways.map(({ url, way }) => [new URL(url).origin, way]));
    return new Replica(index, { wire, recorders, order: { ...order, cluster: { kubeconfig }, reroute }, logFile });
  }
  const urls = Object.fromEntries(ways.map(({ name, way }) => [name, way]));
  writeFileSync(configPath, terms.configuration?.(urls, place.repo) ?? configurationOf(urls, place.repo, timeout));
  return new Replica(index, { wire, recorders, order, logFile });
}

function configurationOf(urls: Readonly<Record<string, string>>, repository: string, timeout: number): string {
  return Object.entries(urls)
    .map(
      ([name, url]) => `apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: ${name}}
spec:
  driver: node-red
  url: "${url}"
  auth: {token: {valueFrom: {env: MINT_TOKEN}}}
  limits: {concurrency: 2, requestsPerSecond: 1000, timeout: ${timeout}ms}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: ${name}}
spec:
  source: {git: {url: "file://${repository}"}}
  platform: ${name}
  interval: 10m
  retryInterval: 500ms
  gracePeriod: 0s
  prune: {maxDeletions: "100%"}
  secrets: {env: [FLEET_*]}
`,
    )
    .join('---\n');
}
