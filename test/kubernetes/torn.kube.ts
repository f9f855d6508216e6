import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ask } from '../daemon/fixture.ts';
import { MintServer } from '../drivers/mint/server.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { Installation } from './installation.ts';
import { Fleet } from './replicas/fleet.ts';
import type { Replica } from './replicas/fleet.ts';
import { STRIKES, playRound } from './replicas/rounds.ts';
import type { Terrain } from './replicas/terrain.ts';

const HOME = 'plumbline-system';
const API = 'plumbline.dev/v1alpha1';
const TERMS = { replicas: 2, shards: 1, duration: 3_000, retry: 900, timeout: 1_000, mint: true, home: HOME };
const OBJECTS = 24;

interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation: number; readonly resourceVersion: string };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

describe('replicas that are configured by custom resources, killed, stopped and cut off', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let installation: Installation;
  let mint: MintServer;
  let fleet: Fleet;

  before(async () => {
    cluster = await startCluster({ audit: true });
    installation = await Installation.create(cluster);
    mint = await MintServer.start();
    await cluster.kubectl(['create', 'namespace', 'shop']);
    const terms = { ...TERMS, platforms: { main: mint.url } };
    // A token for each: the audit log tells them apart.
    const account = async (): Promise<string> =>
      readFile(await cluster.kubeconfigOf({ namespace: HOME, name: 'plumbline' }), 'utf8');
    fleet = await Fleet.make(cluster, terms, account);
    await apply([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mint' }, stringData: { token: 'mint-token' } },
      {
        apiVersion: API,
        kind: 'Platform',
        metadata: { name: 'main' },
        spec: {
          driver: 'node-red',
          url: mint.url,
          auth: { token: { valueFrom: { secretKeyRef: { name: 'mint', key: 'token' } } } },
          limits: { concurrency: 2, requestsPerSecond: 1000, timeout: '1s' },
        },
      },
      {
        apiVersion: API,
        kind: 'Sync',
        metadata: { name: 'main' },
        spec: {
          source: { cluster: {} },
          platform: 'main',
          interval: '10m',
          retryInterval: '500ms',
          gracePeriod: '0s',
          prune: { maxDeletions: '100%' },
        },
      },
    ]);
    await terrain.change?.(0);
    for (const replica of fleet.replicas) await replica.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') for (const { log } of fleet.replicas) console.log(log.slice(-5_000));
  });
  after(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await mint?.[Symbol.asyncDispose]();
    await installation?.remove();
    await cluster?.[Symbol.asyncDispose]();
  });

  const apply = (items: readonly object[]) =>
    cluster.kubectl(
      ['apply', '--server-side', '-n', 'shop', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    );
  const application = (name: string, round: number): object => ({
    apiVersion: API,
    kind: 'Application',
    metadata: { name },
    spec: { title: name, version: `1.0.${round}` },
  });
  const range = Array.from({ length: OBJECTS }, (_, index) => `app-${index}`);
  /** Objects that change in every round, one that comes and one that goes. */
  const terrain: Terrain = {
    name: 'custom resources',
    get url() {
      return mint.url;
    },
    mint: true,
    depth: 6,
    writes: OBJECTS,
    files: () => ({}),
    change: async (round) => {
      await apply([...range, `new-${round}`].map((name) => application(name, round)));
      if (round > 0) await cluster.kubectl(['delete', 'application', '-n', 'shop', `new-${round - 1}`]);
    },
    wanted: (round) => [...range, `new-${round}`].map((name) => `${name} "1.0.${round}"`).toSorted(),
    picture: async () =>
      mint.store
        .list('applications')
        .map(({ title, body }) => `${title} ${JSON.stringify(body['release'])}`)
        .toSorted(),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const items = async (): Promise<readonly Item[]> => {
    const text = await cluster.kubectl([
      'get',
      'plsync,application,platform.plumbline.dev',
      '-n',
      'shop',
      '-o',
      'json',
    ]);
    return (JSON.parse(text) as { items: readonly Item[] }).items;
  };
  const credentialOf = async (replica: Replica): Promise<string> => {
    const text = await readFile(replica.order.cluster?.kubeconfig ?? '', 'utf8');
    const [, claims = ''] = (/"token":"([^"]+)"/.exec(text)?.[1] ?? '').split('.');
    return `JTI=${(JSON.parse(Buffer.from(claims, 'base64url').toString()) as { jti: string }).jti}`;
  };

  it('serve health, readiness and metrics on the one that holds nothing, too, which leaves the platform alone', async () => {
    const [held] = await fleet.held(fleet.replicas);
    for (const { told, recorders } of fleet.replicas) {
      const holds = told.identity === held?.holder;
      await eventually(async () => {
        expect((await ask(`${told.url}/healthz`)).status).to.equal(200);
        expect((await ask(`${told.url}/readyz`)).status).to.equal(200);
        expect((await ask(`${told.hooksUrl}/healthz`)).status).to.equal(200);
        expect((await ask(`${told.url}/metrics`)).text).to.contain(`plumbline_shard_held{shard="0"} ${holds ? 1 : 0}`);
      });
      if (!holds) expect(recorders.map(({ requests }) => requests)).to.deep.equal([0]);
    }
  });

  for (const [index, strike] of STRIKES.entries()) {
    it(`stand as they are written, and say so, after a ${strike} in the middle of a pass`, async () => {
      const away = TERMS.duration + TERMS.timeout + 2_000;
      const since = Date.now();
      const round = await playRound(index + 1, strike, { fleet, terrain, duration: TERMS.duration, away });
      expect(round.overlapping, 'writes at once').to.equal(0);
      expect(round.late, 'late writes').to.be.at.most(2);
      expect(round.begunAfter, 'requests that began after the Lease had expired').to.equal(0);
      await eventually(async () => {
        for (const { kind, metadata, status } of await items()) {
          expect(status?.observedGeneration, `${kind} ${metadata.name}`).to.equal(metadata.generation);
          const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
          expect(ready, `${kind} ${metadata.name}`).to.equal('True');
        }
      });
      if (strike === 'leave') return;
      const holder = await fleet.holderOf(0);
      if (holder === undefined) throw new Error('nobody holds the shard');
      const writers = cluster
        .requests()
        .filter(({ at, verb, resource }) => at > since && verb === 'patch' && resource.endsWith('/status'))
        .map(({ credential }) => credential);
      const own = await credentialOf(holder);
      const taken = writers.slice(writers.indexOf(own));
      expect(taken.length).to.be.greaterThan(0);
      expect([...new Set(taken)], 'who tells of objects once the other one does').to.deep.equal([own]);
    });
  }
});
