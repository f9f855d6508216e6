import type { KubeClient } from '../../src/kube/client.ts';
import { resourceOf } from '../../src/manifest/resources.ts';
import type { Kind } from '../../src/manifest/manifest.ts';
import type { ConfigurationKind } from '../../src/manifest/schemas.ts';
import { MintServer } from '../drivers/mint/server.ts';
import type { Cluster } from '../kubernetes/cluster.ts';

const API = 'plumbline.dev/v1alpha1';
const NAMESPACES = 10;
const PLATFORMS_EACH = 5;
/** Requests to the API server under way at once. */
const AT_ONCE = 16;
/** Steps of a definition, and characters of each. */
const STEPS = 20;
const TEXT = 100;

interface TerrainParts {
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly syncs: number;
  readonly resources: number;
  /** Of the Syncs; their default when absent. */
  readonly interval?: string;
}

/**
 * Teams with a namespace each: some platforms, many Syncs that select custom resources of the namespace by a label, and those resources. The platforms
 * are the tests' own, and stand in this process.
 */
export class KubernetesTerrain implements AsyncDisposable {
  readonly syncs: number;
  readonly resources: number;
  readonly platforms = NAMESPACES * PLATFORMS_EACH;
  readonly #client: KubeClient;
  readonly #interval: string | undefined;
  readonly #mints: readonly MintServer[];
  /** What is written of each resource. */
  readonly #written = new Map<string, { readonly round: number; readonly platform: number }>();
  #round = 0;

  private constructor({ syncs, resources, client, interval }: TerrainParts, mints: readonly MintServer[]) {
    this.syncs = syncs;
    this.resources = resources;
    this.#client = client;
    this.#interval = interval;
    this.#mints = mints;
  }

  static async create(parts: TerrainParts): Promise<KubernetesTerrain> {
    const mints = await Promise.all(
      Array.from({ length: NAMESPACES * PLATFORMS_EACH }, () => MintServer.start({ pageSize: 250 })),
    );
    const terrain = new KubernetesTerrain(parts, mints);
    for (const namespace of range(NAMESPACES).map(namespaceOf)) {
      await parts.cluster.kubectl(['create', 'namespace', namespace]);
      await parts.cluster.kubectl(
        ['apply', '-n', namespace, '-f', '-'],
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'mint' },
          stringData: { token: 'mint-token' },
        }),
      );
    }
    await each(range(terrain.platforms), (index) => terrain.#createPlatform(index));
    await each(range(parts.syncs), (index) => terrain.#createSync(index));
    await each(range(parts.resources), (index) => terrain.#createResource(index));
    return terrain;
  }

  /** Writes so many resources anew. */
  async change(count: number): Promise<void> {
    this.#round += 1;
    const step = this.resources / count;
    await each(
      range(count).map((index) => Math.floor(index * step)),
      async (index) => {
        const name = nameOf(index);
        const patch = { spec: specOf(index, this.#round) };
        const where = { namespace: namespaceOf(index % NAMESPACES), name };
        await this.#client.merge(resourceOf('Workflow'), where, patch, { signal: AbortSignal.timeout(60_000) });
        this.#written.set(name, { round: this.#round, platform: this.#written.get(name)?.platform ?? 0 });
      },
    );
  }

  /** Whether every resource stands on its platform, once, as it is written. */
  get stands(): boolean {
    const seen = this.#mints.flatMap((mint, platform) =>
      mint.store.list('workflows').map(({ title, body }) => `${platform} ${title} ${roundOf(body)}`),
    );
    const wanted = new Set([...this.#written].map(([name, { round, platform }]) => `${platform} ${name} ${round}`));
    return seen.length === wanted.size && seen.every((one) => wanted.has(one));
  }

  forget(): void {
    for (const mint of this.#mints) mint.forget();
  }

  /** What was asked of the platforms since it was forgotten. */
  get counts(): { readonly platformRequests: number; readonly platformWrites: number } {
    const sum = (count: (mint: MintServer) => number): number =>
      this.#mints.reduce((total, mint) => total + count(mint), 0);
    return { platformRequests: sum(({ log }) => log.length), platformWrites: sum(({ effects }) => effects.length) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mint of this.#mints) await mint[Symbol.asyncDispose]();
  }

  async #createPlatform(index: number): Promise<void> {
    const token = { valueFrom: { secretKeyRef: { name: 'mint', key: 'token' } } };
    const limits = { concurrency: 4, requestsPerSecond: 1000 };
    const spec = { driver: 'node-red', url: this.#mints[index]?.url, auth: { token }, limits };
    await this.#create('Platform', index % NAMESPACES, { name: platformName(index), spec });
  }

  async #createSync(index: number): Promise<void> {
    const spec = {
      source: { cluster: { matchLabels: { app: `app-${index}` } } },
      platform: platformName(this.#platformOf(index)),
      select: { kinds: ['Workflow'] },
      prune: { maxDeletions: '100%' },
      ...(this.#interval === undefined ? {} : { interval: this.#interval }),
    };
    await this.#create('Sync', index % NAMESPACES, { name: `sync-${index}`, spec });
  }

  async #createResource(index: number): Promise<void> {
    const sync = index % this.syncs;
    const name = nameOf(index);
    this.#written.set(name, { round: 0, platform: this.#platformOf(sync) });
    await this.#create('Workflow', sync % NAMESPACES, { name, labels: { app: `app-${sync}` }, spec: specOf(index, 0) });
  }

  async #create(
    kind: Kind | ConfigurationKind,
    namespace: number,
    {
      name,
      labels,
      spec,
    }: { readonly name: string; readonly labels?: Readonly<Record<string, string>>; readonly spec: object },
  ): Promise<void> {
    const metadata = { name, namespace: namespaceOf(namespace), ...(labels === undefined ? {} : { labels }) };
    const object = { apiVersion: API, kind, metadata, spec };
    await this.#client.create(resourceOf(kind), object, { signal: AbortSignal.timeout(60_000) });
  }

  /** Platform of a Sync: one of its namespace. */
  #platformOf(sync: number): number {
    const turn = Math.floor(sync / NAMESPACES) % PLATFORMS_EACH;
    return turn * NAMESPACES + (sync % NAMESPACES);
  }
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const namespaceOf = (index: number): string => `team-${index}`;
const platformName = (index: number): string => `plant-${Math.floor(index / NAMESPACES)}`;
const nameOf = (index: number): string => `flow-${index}`;

function specOf(index: number, round: number): object {
  const text = `${index} `.repeat(TEXT).slice(0, TEXT);
  const tab = { id: 'tab', type: 'tab', label: nameOf(index), round };
  const nodes = range(STEPS).map((step) => ({
    id: `n${step}`,
    type: 'comment',
    z: 'tab',
    name: `step ${step}`,
    info: text,
  }));
  return { title: nameOf(index), definition: [tab, ...nodes] };
}

function roundOf(body: unknown): number {
  const { steps } = body as { steps?: readonly { round?: number }[] };
  return steps?.[0]?.round ?? -1;
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  await Promise.all(
    range(AT_ONCE).map(async () => {
      for (const item of waiting) await work(item);
    }),
  );
}
