import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KubeClient } from '../../src/kube/client.ts';
import { resourceOf } from '../../src/manifest/resources.ts';
import { ask } from '../daemon/fixture.ts';
import { kindsOf } from '../kubernetes/audit.ts';
import { startCluster } from '../kubernetes/cluster.ts';
import type { Cluster } from '../kubernetes/cluster.ts';
import { Installation } from '../kubernetes/installation.ts';
import { Replica } from '../kubernetes/replicas/fleet.ts';
import { Wire } from '../kubernetes/replicas/wires.ts';
import { KubernetesTerrain } from './kubernetes-terrain.ts';
import { memoryOf, processTime } from './measure.ts';

/** Seconds of quiet. */
const REST = 120;
/** Seconds that converging may take before the measurement is given up. */
const PATIENCE = 1_200;
/** Milliseconds between two looks: its metrics are as long as a thousand Syncs make them, and take it some of its time. */
const LOOK = 3_000;
/** Mebibytes of memory of the container that is measured. */
const LIMIT = 1024;
const LEASES = { shards: 4, duration: 35_000, retry: 5_000 };

/**
 * Many Syncs and their resources, as custom resources of one real API server: how long a daemon takes to bring them all to their platforms, what it
 * keeps in memory, what it asks of the API server at rest, and how long it takes after a restart, with its state and without. Prints one line of JSON
 * each.
 */
export async function benchKubernetes(args: readonly string[], nodeFlags: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      syncs: { type: 'string', default: '1000' },
      resources: { type: 'string', default: '10000' },
      rest: { type: 'string', default: String(REST) },
      limit: { type: 'string', default: String(LIMIT) },
    },
  });
  // What node takes for its heap by itself, where it sees such a limit.
  const heap = `--max-old-space-size=${Math.floor(Number(values.limit) / 2)}`;
  const sizes = { syncs: Number(values.syncs), resources: Number(values.resources) };
  await using cluster = await startCluster({ audit: true });
  const installation = await Installation.create(cluster);
  const client = await KubeClient.open({ kubeconfig: cluster.kubeconfig, environment: {}, version: 'tests' });
  await using terrain = await KubernetesTerrain.create({ cluster, client, ...sizes });
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-kubernetes-'));
  const { kubeconfig } = installation;
  await using replica = await makeReplica({ cluster, dir, kubeconfig, nodeFlags: [heap, ...nodeFlags] });
  try {
    const bench = new Bench({ cluster, client, terrain, replica });
    const tell = (what: string, figures: object): void => {
      const { platforms } = terrain;
      const cpu = (processTime(replica.pid) ?? 0) / 1000;
      const line = { bench: 'kubernetes', what, ...sizes, platforms, ...figures, cpu, memory: memoryOf(replica.pid) };
      console.log(JSON.stringify({ ...line, load: loadavg()[0] }));
    };
    const changes = (): Promise<void> => terrain.change(Math.ceil(sizes.resources / 100));
    tell('converge: cold', await bench.converge(async () => {}));
    tell('rest', perMinute(await bench.rest(Number(values.rest) * 1000), Number(values.rest)));
    await replica.end('SIGTERM');
    tell('converge: restart', await bench.converge(changes));
    await replica.end('SIGTERM');
    rmSync(join(dir, 'state'), { recursive: true });
    tell('converge: restart without its state', await bench.converge(changes));
  } finally {
    await client[Symbol.asyncDispose]();
    await installation.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Status {
  readonly observedGeneration?: number;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

interface BenchParts {
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly terrain: KubernetesTerrain;
  readonly replica: Replica;
}

function perMinute({ requests, ...figures }: Traffic & { readonly passes: number }, seconds: number): object {
  const each = Object.entries(requests).map(([kind, count]) => [kind, (count * 60) / seconds] as const);
  return { seconds, ...figures, requestsPerMinute: Object.fromEntries(each) };
}

/** What was asked meanwhile: of the API server, by verb and resource, and of the platforms. */
interface Traffic {
  readonly platformRequests: number;
  readonly platformWrites: number;
  readonly requests: Readonly<Record<string, number>>;
}

/** A daemon over many Syncs, measured. */
export class Bench {
  readonly #parts: BenchParts;

  constructor(parts: BenchParts) {
    this.#parts = parts;
  }

  /** From the start of the process until every Sync was looked at and every object stands, and says so, as it is written. Times in seconds. */
  async converge(
    before: () => Promise<void>,
  ): Promise<Traffic & { readonly seconds: number; readonly started: number }> {
    const { replica } = this.#parts;
    await before();
    let started = 0;
    const began = performance.now();
    const since = (): number => (performance.now() - began) / 1000;
    const traffic = await this.#during(async () => {
      await replica.start();
      started = since();
      while (!(await this.#stands())) {
        if (since() > PATIENCE) throw new Error(`not in time\n${replica.log.slice(-3_000)}`);
        await pause(LOOK);
      }
    });
    return { seconds: since(), started, ...traffic };
  }

  /** While nothing happens; how many passes there were, too. */
  async rest(milliseconds: number): Promise<Traffic & { readonly passes: number }> {
    await this.#quiet();
    const passes = await this.#passes();
    const traffic = await this.#during(() => pause(milliseconds));
    return { passes: (await this.#passes()) - passes, ...traffic };
  }

  async #during(work: () => Promise<unknown>): Promise<Traffic> {
    const { cluster, terrain } = this.#parts;
    terrain.forget();
    const asked = cluster.requests().length;
    await work();
    return { ...terrain.counts, requests: kindsOf(cluster.requests().slice(asked)) };
  }

  async #stands(): Promise<boolean> {
    const { terrain } = this.#parts;
    if (!terrain.stands || (await this.#passes()) < terrain.syncs) return false;
    return (await this.#areReady('Sync')) && this.#areReady('Workflow');
  }

  /** Whether the status of every object says so of the object as it is written. */
  async #areReady(kind: 'Sync' | 'Workflow'): Promise<boolean> {
    const { items } = await this.#parts.client.list(resourceOf(kind), { signal: AbortSignal.timeout(60_000) });
    return items.every(({ metadata, status }) => {
      const { conditions = [], observedGeneration } = (status ?? {}) as Status;
      const ready = conditions.some((one) => one.type === 'Ready' && one.status === 'True');
      return ready && observedGeneration === metadata.generation;
    });
  }

  async #passes(): Promise<number> {
    const { text } = await ask(`${this.#parts.replica.told.url}/metrics`);
    return [...text.matchAll(/^plumbline_passes_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  }

  /** Resolves when nothing is asked any more but what always is. */
  async #quiet(): Promise<void> {
    for (let seen = -1, now = 0; seen !== now;) {
      await pause(5_000);
      seen = now;
      now = this.#parts.cluster.requests().filter(({ resource }) => resource !== 'leases').length;
    }
  }
}

/** A daemon in a process of its own, with its state in a folder. */
export async function makeReplica(parts: {
  readonly cluster: Cluster;
  readonly dir: string;
  readonly kubeconfig: string;
  readonly nodeFlags?: readonly string[];
}): Promise<Replica> {
  const { cluster, dir, kubeconfig, nodeFlags = [] } = parts;
  const keysDir = join(dir, 'keys');
  mkdirSync(keysDir);
  writeFileSync(join(keysDir, 'hash.key'), randomBytes(32), { mode: 0o600 });
  writeFileSync(join(keysDir, 'token'), randomBytes(32).toString('base64url'), { mode: 0o600 });
  const own = join(dir, 'kubeconfig');
  writeFileSync(own, readFileSync(kubeconfig), { mode: 0o600 });
  const order = {
    configPath: join(dir, 'plumbline.yaml'),
    stateDir: join(dir, 'state'),
    keysDir,
    replicas: { kubeconfig: own, ...LEASES },
    cluster: { kubeconfig: own },
    mint: true,
  };
  const wire = await Wire.to(cluster.url);
  return new Replica(0, { wire, recorders: [], order, logFile: join(dir, 'log'), nodeFlags });
}
