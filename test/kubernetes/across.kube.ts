import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { ask, until } from '../daemon/fixture.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { replicaAccount } from './replicas/account.ts';
import { Fleet } from './replicas/fleet.ts';
import type { Replica } from './replicas/fleet.ts';

const MAIN = resolve(import.meta.dirname, '..', '..', 'src', 'main.ts');
const HEADER = 'apiVersion: plumbline.dev/v1alpha1';
const TERMS = { replicas: 2, shards: 2, duration: 3_000, retry: 600, timeout: 1_000, mint: false };
/** Milliseconds. */
const PATIENCE = 90_000;

/** A name whose shard that is. */
const named = (stem: string, shard: number): string => {
  const names = Array.from({ length: 50 }, (_, index) => `${stem}-${index}`);
  const shardOf = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE(0) % TERMS.shards;
  return names.find((name) => shardOf(name) === shard) ?? '';
};
const ORDERS = named('orders', 0);
const SHOP = named('shop', 1);

const configuration = (urls: Readonly<Record<string, string>>, repository: string): string =>
  [
    ...Object.entries(urls).map(
      ([name, url]) => `${HEADER}
kind: Platform
metadata: {name: ${name}}
spec: {driver: node-red, url: "${url}", publicUrl: "https://${name}.example", limits: {timeout: 1s}}`,
    ),
    sync('orders', ORDERS, repository),
    sync('shop', SHOP, repository, 'references: [orders]'),
    sync('after', SHOP, repository, 'dependsOn: [orders]'),
  ].join('\n---\n');
const sync = (name: string, platform: string, repository: string, more = ''): string => `${HEADER}
kind: Sync
metadata: {name: ${name}}
spec:
  source: {git: {url: "file://${repository}", path: ${name}}}
  platform: ${platform}
  interval: 1h
  retryInterval: 1h
  prune: {maxDeletions: "100%"}
  ${more}`;

const tab = (name: string): string => `{id: t, type: tab, label: ${name}, disabled: false, info: ""}`;
const orders = (path: string): string => `${HEADER}
kind: Workflow
metadata: {name: orders}
spec:
  definition:
    - ${tab('orders')}
    - {id: in, type: http in, z: t, name: "", url: ${path}, method: get, upload: false, swaggerDoc: "", x: 100, y: 100, wires: [[]]}
`;
const caller = (name: string): string => `${HEADER}
kind: Workflow
metadata: {name: ${name}}
spec:
  template: true
  definition:
    - ${tab(name)}
    - {id: c, type: comment, z: t, name: "\${ref:Workflow/orders.webhookUrl}", info: "", x: 100, y: 80, wires: []}
`;
const plain = (name: string): string => `${HEADER}
kind: Workflow
metadata: {name: ${name}}
spec: {definition: [${tab(name)}]}
`;

describe('what one replica does, and another waits for', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let fleet: Fleet;
  let token: string;
  const servers = new Map<string, NodeRedServer>();

  before(async () => {
    cluster = await startCluster();
    for (const name of [ORDERS, SHOP]) servers.set(name, await startNodeRed());
    const platforms = Object.fromEntries([...servers].map(([name, { url }]) => [name, url]));
    fleet = await Fleet.make(cluster, { ...TERMS, platforms, configuration }, await replicaAccount(cluster));
    token = (await readFile(join(fleet.place.dir, 'keys', 'token'), 'utf8')).trim();
    await fleet.place.commit({
      'orders/other.yaml': 'this is: [no manifest',
      'shop/checkout.yaml': caller('checkout'),
      'after/after.yaml': plain('after'),
    });
    for (const replica of fleet.replicas) await replica.start();
    await shared();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') for (const { log } of fleet.replicas) console.log(log.slice(-5_000));
  });
  after(async () => {
    await fleet?.[Symbol.asyncDispose]();
    for (const server of servers.values()) await server.stop();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** Each replica holds one of the platforms. */
  const shared = () =>
    until(
      async () => new Set((await fleet.shards()).map(({ holder }) => holder)).size === 2 && (await holding(SHOP)),
      'each replica holds a shard',
      PATIENCE,
    );
  const holding = (platform: string): Promise<Replica | undefined> => fleet.holderOf(platform === ORDERS ? 0 : 1);
  /** Who tells that it lives, or did until it was killed. */
  const members = async (): Promise<readonly string[]> =>
    (await fleet.leases.list()).told
      .flatMap(({ record }) => (record.shard === undefined ? [record.holder] : []))
      .toSorted();
  const holder = async (platform: string): Promise<Replica> => {
    const found = await until(() => holding(platform), `somebody holds ${platform}`, PATIENCE);
    return found;
  };
  const operation = async (replica: Replica, name: string, body: object): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await ask(`${replica.told.url}/api/v1/operations/${name}`, headers, JSON.stringify(body))).text;
  };
  const statusOf = async (name: string): Promise<string> => operation(await holder(SHOP), 'status', { sync: name });
  const nodes = async (platform: string): Promise<readonly { type: string; label?: string; name?: string }[]> =>
    (await fetch(`${servers.get(platform)?.url}/flows`)).json() as Promise<never>;
  const comments = async (): Promise<string> =>
    (await nodes(SHOP)).flatMap(({ type, name }) => (type === 'comment' ? [name] : [])).join();
  const labels = async (platform: string): Promise<string> =>
    (await nodes(platform))
      .flatMap(({ type, label }) => (type === 'tab' ? [label ?? ''] : []))
      .toSorted()
      .join();
  const commit = async (files: Readonly<Record<string, string | undefined>>, name: string): Promise<void> => {
    await fleet.place.commit(files);
    // By way of a replica that may not hold it: the wish is passed on.
    await operation(fleet.replicas.find(({ runs }) => runs) ?? (await holder(SHOP)), 'reconcile', { sync: name });
  };
  const plumbline = (...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> => {
    const [replica] = fleet.replicas;
    const dir = join(fleet.place.dir, 'laptop');
    const { configPath, keysDir, replicas: { kubeconfig = '' } = { kubeconfig: '' } } = replica?.order ?? {};
    const flags = [
      `--config=${configPath ?? ''}`,
      `--state-dir=${dir}`,
      `--keys-dir=${keysDir ?? ''}`,
      '--installation=fleet',
      `--kubeconfig=${kubeconfig}`,
      '--namespace=default',
      `--shards=${TERMS.shards}`,
      '--lease-duration=3s',
      '--lease-retry=600ms',
    ];
    return new Promise((done) => {
      const command = ['--disable-warning=ExperimentalWarning', MAIN, ...args, ...flags];
      execFile(process.execPath, command, { timeout: PATIENCE }, (error, stdout, stderr) =>
        done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, text: stdout + stderr }),
      );
    });
  };

  it('waits for the output of an object that another replica has not applied yet, and says which', async () => {
    const waiting = await until(
      async () => {
        const text = await statusOf('shop');
        return text.includes('Workflow/checkout waits') && text;
      },
      'it waits',
      PATIENCE,
    );
    expect(waiting).to.contain(
      `Workflow/orders of the Sync orders is not on ${ORDERS} yet, which another replica holds`,
    );
    const because = `The Sync orders that it depends on has not succeeded on ${ORDERS} yet`;
    await until(async () => (await statusOf('after')).includes(because), because, PATIENCE);
    expect(await labels(SHOP)).to.not.match(/checkout|after/);
  });

  it('uses the output, and goes on after the Sync that it depends on, once that replica has applied it', async () => {
    await commit({ 'orders/other.yaml': undefined, 'orders/orders.yaml': orders('/first') }, 'orders');
    await until(async () => (await comments()) === `https://${ORDERS}.example/first`, 'the reference', PATIENCE);
    await until(async () => (await labels(SHOP)).includes('after'), 'the Sync that depends on it', PATIENCE);
  });

  it('follows when the output changes there', async () => {
    await commit({ 'orders/orders.yaml': orders('/second') }, 'orders');
    await until(async () => (await comments()) === `https://${ORDERS}.example/second`, 'the reference', PATIENCE);
  });

  it('knows the output when the replica that applied it is dead and another one has taken its place', async () => {
    const dead = await holder(ORDERS);
    await dead.end('SIGKILL');
    await fleet.held(fleet.replicas.filter((one) => one !== dead));
    await commit({ 'shop/second.yaml': caller('second') }, 'shop');
    const url = `https://${ORDERS}.example/second`;
    await until(async () => (await comments()) === `${url},${url}`, 'both references', PATIENCE);
    await dead.start();
    await shared();
  });

  it('refuses what a laptop wants to apply where a replica holds the Lease, and has that one look instead', async () => {
    const replica = await holder(SHOP);
    const { identity } = replica.told;
    const looks = async (): Promise<string> => {
      const { text } = await ask(`${replica.told.url}/metrics`);
      return /^plumbline_passes_total\{[^}]*sync="shop"[^}]*trigger="commit"[^}]*\} \d+/m.exec(text)?.[0] ?? '';
    };
    const refused = await plumbline('apply', 'shop', '--yes');
    expect(refused.code).to.equal(1);
    expect(refused.text).to.contain(`Nothing was sent to platform ${SHOP}`).and.to.contain(identity);
    expect(refused.text).to.contain('plumbline reconcile');
    const before = await looks();
    const asked = await plumbline('reconcile', 'shop');
    expect(asked.code, asked.text).to.equal(0);
    await until(async () => (await looks()) !== before, 'the replica looks', PATIENCE);
  });

  it('lets a laptop take what nobody holds, for as long as its command runs, and a replica take it over again', async () => {
    for (const replica of fleet.replicas) expect(await replica.end('SIGTERM')).to.equal(0);
    await fleet.place.commit({ 'shop/fourth.yaml': caller('fourth'), 'shop/second.yaml': undefined });
    const [stood, replicas] = [await labels(SHOP), await members()];
    const planned = await plumbline('plan', 'shop');
    expect(planned.text).to.contain('create Workflow/fourth');
    expect(await labels(SHOP), 'a plan changes nothing').to.equal(stood);
    const applied = await plumbline('apply', 'shop', '--yes');
    expect(applied.code, applied.text).to.equal(0);
    expect(await labels(SHOP))
      .to.contain('fourth')
      .and.not.to.contain('second');
    expect((await fleet.shards()).map(({ holder: of }) => of)).to.deep.equal(['', '']);
    expect(await members(), 'a command is no replica').to.deep.equal(replicas);
    const before = await labels(SHOP);
    for (const replica of fleet.replicas) await replica.start();
    await shared();
    await fleet.place.commit({ 'shop/fifth.yaml': plain('fifth') });
    await operation(await holder(SHOP), 'reconcile', { sync: 'shop' });
    await until(async () => (await labels(SHOP)).includes('fifth'), 'the replica goes on', PATIENCE);
    // What the laptop wrote is its Sync's own: it is neither made again nor left behind.
    expect(await labels(SHOP)).to.equal([...before.split(','), 'fifth'].toSorted().join());
  });
});
