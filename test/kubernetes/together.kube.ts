import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { KubeClient } from '../../src/kube/client.ts';
import { LeaseStore } from '../../src/kube/lease-store.ts';
import { ObjectWatch } from '../../src/kube/watch.ts';
import { resourceOf } from '../../src/manifest/resources.ts';
import { ask, until } from '../daemon/fixture.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { Repository, serveGit, temporaryFolder } from '../source/git-fixture.ts';
import type { GitServer } from '../source/git-fixture.ts';
import { kindsOf } from './audit.ts';
import type { Audited } from './audit.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { Installation } from './installation.ts';
import { Replica } from './replicas/fleet.ts';
import { Wire } from './replicas/wires.ts';

const HOME = 'plumbline-system';
const ACCOUNT = `system:serviceaccount:${HOME}:plumbline`;
const TERMS = { shards: 3, duration: 3_000, retry: 600 };
const API = 'plumbline.dev/v1alpha1';
/** Milliseconds that requests at rest are counted for. */
const REST = 60_000;
const TOKEN = 'canary-Token-77a0';

const flow = (name: string): string =>
  JSON.stringify([
    { id: `${name}-tab`, type: 'tab', label: name },
    { id: `${name}-in`, z: `${name}-tab`, type: 'inject', wires: [[]] },
  ]);
const workflow = (name: string, path = 'flows'): Readonly<Record<string, string>> => ({
  [`${path}/${name}.yaml`]: `apiVersion: ${API}\nkind: Workflow\nmetadata: { name: ${name} }\nspec: { definitionFrom: { file: ${name}.json } }\n`,
  [`${path}/${name}.json`]: flow(name),
});

describe('two replicas that are configured by custom resources', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let installation: Installation;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let git: GitServer;
  let nodeRed: NodeRedServer;
  let others: readonly NodeRedServer[] = [];
  let client: KubeClient;
  let leases: LeaseStore;
  const replicas: Replica[] = [];
  const credentials = new Map<Replica, string>();

  before(async () => {
    cluster = await startCluster({ audit: true });
    installation = await Installation.create(cluster);
    nodeRed = await startNodeRed();
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'served/repo'));
    await repository.commit(workflow('orders'), 'First');
    git = await serveGit(join(folder.path, 'served'), () => TOKEN);
    client = await KubeClient.open({ kubeconfig: cluster.kubeconfig, environment: {}, version: 'tests' });
    leases = new LeaseStore(client, { namespace: HOME, installation: 'fleet' });
    const keysDir = join(folder.path, 'keys');
    mkdirSync(keysDir);
    writeFileSync(join(keysDir, 'hash.key'), randomBytes(32), { mode: 0o600 });
    writeFileSync(join(keysDir, 'token'), randomBytes(32).toString('base64url'), { mode: 0o600 });
    for (const index of [0, 1]) replicas.push(await makeReplica(index, keysDir));
    await cluster.kubectl(['create', 'namespace', 'shop']);
    await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'git' }, stringData: { token: TOKEN } });
    for (const replica of replicas) await replica.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') for (const { log } of replicas) console.log(log.slice(-6_000));
  });
  after(async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await client?.[Symbol.asyncDispose]();
    await git?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
    for (const server of [nodeRed, ...others]) await server?.stop();
    await installation?.remove();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** One account, a token for each: the audit log tells them apart. */
  const makeReplica = async (index: number, keysDir: string): Promise<Replica> => {
    const wire = await Wire.to(cluster.url);
    const dir = join(folder.path, `replica-${index}`);
    mkdirSync(dir);
    const text = readFileSync(await cluster.kubeconfigOf({ namespace: HOME, name: 'plumbline' }), 'utf8');
    const kubeconfig = join(dir, 'kubeconfig');
    writeFileSync(kubeconfig, text.replaceAll(cluster.url, wire.url), { mode: 0o600 });
    const [, claims = ''] = (/"token":"([^"]+)"/.exec(text)?.[1] ?? '').split('.');
    const { jti } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly jti: string };
    const order = {
      configPath: join(dir, 'plumbline.yaml'),
      stateDir: join(dir, 'state'),
      keysDir,
      replicas: { kubeconfig, namespace: HOME, ...TERMS },
      cluster: { kubeconfig },
      mint: false,
    };
    const replica = new Replica(index, { wire, recorders: [], order, logFile: join(dir, 'log') });
    credentials.set(replica, `JTI=${jti}`);
    return replica;
  };
  const apply = (object: object) => cluster.kubectl(['apply', '-n', 'shop', '-f', '-'], JSON.stringify(object));
  const platform = (name: string, more: object = {}, own: object = {}) =>
    apply({
      apiVersion: API,
      kind: 'Platform',
      metadata: { name, labels: own },
      spec: { driver: 'node-red', url: nodeRed.url, limits: { timeout: '1s' }, ...more },
    });
  const sync = (name: string, on: object, path = 'flows') =>
    apply({
      apiVersion: API,
      kind: 'Sync',
      metadata: { name },
      spec: {
        source: {
          git: {
            url: `${git.origin}/repo/.git`,
            path,
            auth: { token: { valueFrom: { secretKeyRef: { name: 'git', key: 'token' } } } },
          },
        },
        ...on,
        interval: '1h',
        retryInterval: '1s',
        deletionPolicy: 'Delete',
        prune: { maxDeletions: '100%' },
      },
    });
  const ready = (object: string) =>
    cluster.kubectl(['wait', object, '-n', 'shop', '--for=condition=Ready', '--timeout=60s']);
  const versionOf = (object: string) =>
    cluster.kubectl(['get', object, '-n', 'shop', '-o', 'jsonpath={.metadata.resourceVersion}']);
  const labels = async ({ url } = nodeRed): Promise<readonly string[]> => {
    const nodes = (await (await fetch(`${url}/flows`)).json()) as { type: string; label?: string }[];
    return nodes.flatMap(({ type, label }) => (type === 'tab' ? [label ?? ''] : []));
  };
  const ours = (): readonly Audited[] => cluster.requests().filter(({ user }) => user === ACCOUNT);
  /** Who wrote something of an object, in order: by replica, and only writes that went through. */
  const writers = (object: string, since = 0): readonly number[] =>
    ours()
      .filter((one) => one.object === object && one.verb === 'patch' && one.status === 200 && one.at >= since)
      .map(({ credential }) => replicas.findIndex((one) => credentials.get(one) === credential));
  const held = async (): Promise<readonly (Replica | undefined)[]> => {
    const shards = (await leases.list()).told.flatMap(({ record }) => (record.shard === undefined ? [] : [record]));
    return shards.map(({ holder }) => replicas.find((one) => one.runs && one.told.identity === holder));
  };
  /** Name for a Platform whose shard that replica holds. */
  const platformOf = async (replica: Replica): Promise<string> => {
    const { told } = await leases.list();
    const shards = told.flatMap(({ record: { shard, holder } }) => (holder === replica.told.identity ? [shard] : []));
    const shardOf = (name: string): number =>
      createHash('sha256').update(`shop.${name}`).digest().readUInt32BE(0) % TERMS.shards;
    const names = Array.from({ length: 100 }, (_, index) => `plant-${index}`);
    return names.find((name) => shards.includes(shardOf(name))) ?? '';
  };
  const settled = () =>
    until(async () => {
      const shards = await held();
      const running = replicas.filter(({ runs }) => runs);
      return (
        shards.length === TERMS.shards && running.every((one) => shards.includes(one)) && !shards.includes(undefined)
      );
    }, 'shards held by all that run');
  const passes = async (replica: Replica): Promise<number> => {
    const { text } = await ask(`${replica.told.url}/metrics`);
    return [...text.matchAll(/^plumbline_passes_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  /** Waits until nothing is asked any more but what always is. */
  const rest = async (): Promise<void> => {
    for (let seen = -1, now = 0; seen !== now;) {
      await pause(4_000);
      seen = now;
      now = ours().filter(({ resource }) => resource !== 'leases').length;
    }
  };

  it('bring a real platform to what git says; each object has one writer, and one that belongs to nobody has, too', async () => {
    await settled();
    await platform('plant');
    await platform('away', { url: 'http://127.0.0.1:1' });
    await sync('orders', { platform: 'plant' });
    await sync('lost', { platform: 'nowhere' });
    await sync('none', { platformSelector: { matchLabels: { stage: 'none' } } });
    await ready('plsync/orders');
    await ready('platform.plumbline.dev/plant');
    expect(await labels()).to.include('orders');
    for (const name of ['lost', 'none']) {
      await cluster.kubectl(['wait', `plsync/${name}`, '-n', 'shop', '--for=condition=Stalled', '--timeout=60s']);
    }
    await rest();
    for (const name of ['orders', 'plant', 'away', 'lost', 'none']) {
      expect([...new Set(writers(`shop/${name}`))], name).to.have.length(1);
    }
    await cluster.kubectl(['delete', 'plsync/lost', 'plsync/none', 'platform.plumbline.dev/away', '-n', 'shop']);
  });

  it('tell as a whole of a Sync whose platforms different replicas hold, and let one wait for what another does', async () => {
    others = [await startNodeRed(), await startNodeRed()];
    await repository.commit({ ...workflow('wide', 'wide'), ...workflow('after', 'after') }, 'More');
    await settled();
    const names = await Promise.all(replicas.map((replica) => platformOf(replica)));
    for (const [index, name] of names.entries()) {
      await platform(name, { url: others[index]?.url }, { stage: 'wide' });
      await sync(`after-${index}`, { platform: name, dependsOn: ['orders'] }, 'after');
    }
    await sync('wide', { platformSelector: { matchLabels: { stage: 'wide' } } }, 'wide');
    for (const name of ['wide', 'after-0', 'after-1']) await ready(`plsync/${name}`);
    for (const server of others) expect(await labels(server)).to.include.members(['wide', 'after']);
    expect(await statusOf('{.status.platforms[*].ready}', 'wide')).to.equal('True True');
    expect(await statusOf('{.status.counts.owned}', 'wide')).to.equal('2');
    expect([...new Set(writers('shop/wide'))]).to.have.length(1);
  });

  for (const count of [2, 1]) {
    it(`ask nothing of the API server at rest but watches and renewals: ${count} of them`, async () => {
      const [, second] = replicas;
      if (count === 1) await second?.end('SIGTERM');
      await settled();
      await rest();
      const versions = await Promise.all(['plsync/orders', 'platform.plumbline.dev/plant'].map(versionOf));
      const since = Date.now();
      await pause(REST);
      const kinds = kindsOf(ours().filter(({ at }) => at >= since));
      console.log(`      at rest for a minute, ${count} replica(s): ${JSON.stringify(kinds)}`);
      const others = Object.keys(kinds).filter((kind) => !kind.startsWith('watch ') && kind !== 'update leases');
      expect(others).to.deep.equal([]);
      expect(kinds['update leases']).to.be.greaterThan(0);
      expect(await Promise.all(['plsync/orders', 'platform.plumbline.dev/plant'].map(versionOf))).to.deep.equal(
        versions,
      );
      if (count === 1) await second?.start();
    });
  }

  it('hand a Sync over when its writer is killed: Ready stays as it is, and only the other one writes from then on', async () => {
    await settled();
    await rest();
    const holder = await holding();
    const other = replicas.find((one) => one !== holder);
    if (other === undefined) throw new Error('there is no other replica');
    const seen: string[] = [];
    await using _watch = new ObjectWatch({
      client,
      resource: resourceOf('Sync'),
      namespace: 'shop',
      onChange: ({ object }) => seen.push(readyOf(object['status'])),
      onFault: (error) => seen.push(String(error)),
    });
    const before = await passes(other);
    const version = await versionOf('plsync/orders');
    const killedAt = Date.now();
    await holder.end('SIGKILL');
    await until(async () => (await held()).every((one) => one === other), 'the other one holds everything', 60_000);
    await until(async () => (await passes(other)) > before, 'the other one has looked', 60_000);
    await rest();
    expect(await versionOf('plsync/orders'), 'nothing is news, so nothing is written').to.equal(version);
    await repository.commit(workflow('returns'), 'Second');
    await annotate('after the kill');
    await eventually(async () => expect(await labels()).to.include.members(['orders', 'returns']));
    await eventually(async () => expect(await statusOf('{.status.counts.owned}')).to.equal('2'));
    expect(await statusOf('{.status.lastHandledReconcileAt}')).to.equal('after the kill');
    expect(JSON.parse(await statusOf('{.status.history}')), 'what the other one did is still told').to.have.length(2);
    expect([...new Set(writers('shop/orders', killedAt))]).to.deep.equal([replicas.indexOf(other)]);
    expect(new Set(seen)).to.deep.equal(new Set(['True']));
    await holder.start();
    await settled();
    await rest();
    expect(new Set(seen)).to.deep.equal(new Set(['True']));
  });

  it('let a Sync go once what it owned is gone, whoever holds its platform by then', async () => {
    await cluster.kubectl(['delete', 'plsync/orders', 'plsync/wide', '-n', 'shop', '--timeout=60s']);
    expect(await labels()).not.to.include('orders');
    for (const server of others)
      expect(await labels(server))
        .to.include('after')
        .and.not.to.include('wide');
  });

  it('show no secret', async () => {
    const everything = await cluster.kubectl(['get', 'plumbline,events,configmaps,leases', '-A', '-o', 'yaml']);
    expect(everything).not.to.contain(TOKEN);
    for (const { log } of replicas) expect(log).not.to.contain(TOKEN);
  });

  const statusOf = (path: string, name = 'orders') =>
    cluster.kubectl(['get', `plsync/${name}`, '-n', 'shop', '-o', `jsonpath=${path}`]);
  const annotate = (value: string) =>
    cluster.kubectl([
      'annotate',
      '--overwrite',
      'plsync/orders',
      '-n',
      'shop',
      `plumbline.dev/reconcile-requested-at=${value}`,
    ]);
  /** Who looks at the Sync when somebody asks for it. */
  const holding = async (): Promise<Replica> => {
    await annotate('who is it');
    await eventually(async () => expect(await statusOf('{.status.lastHandledReconcileAt}')).to.equal('who is it'));
    await rest();
    const replica = replicas[writers('shop/orders').at(-1) ?? -1];
    if (replica === undefined) throw new Error('nobody wrote it');
    return replica;
  };
});

function readyOf(status: unknown): string {
  const { conditions = [] } = (status ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.find(({ type }) => type === 'Ready')?.status ?? 'none';
}
