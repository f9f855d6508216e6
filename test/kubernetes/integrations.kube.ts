import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import { ask, until } from '../daemon/fixture.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MintServer } from '../drivers/mint/server.ts';
import { CodeRepository } from '../integrations/code-repository.ts';
import { CRM_SYNC } from '../integrations/place.ts';
import { Services } from '../integrations/services.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { replicaAccount } from './replicas/account.ts';
import { eventually } from './eventually.ts';
import { Fleet } from './replicas/fleet.ts';
import type { Replica } from './replicas/fleet.ts';
import { Shop } from './shop.ts';

const NAME = { platform: 'main', name: 'crm' };
const PATIENCE = 120_000;

/** One story: two replicas with ledgers of their own, and code that syncs between two services, held by one of them after the other. */
describe('code of an Integration on two replicas', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let mint: MintServer;
  let code: CodeRepository;
  let services: Services;
  let fleet: Fleet;
  let token: string;
  let first: Replica;
  let second: Replica;
  before(async () => {
    cluster = await startCluster();
    mint = await MintServer.start({});
    code = new CodeRepository({ 'index.js': CRM_SYNC.replace('PAGE = 100', 'PAGE = 20') });
    services = await Services.open();
    const configuration = ({ main = '' }: Readonly<Record<string, string>>, repository: string): string =>
      [
        'apiVersion: plumbline.dev/v1alpha1\nkind: Platform\nmetadata: {name: main}',
        `spec: {driver: node-red, url: "${main}", auth: {token: {valueFrom: {env: MINT_TOKEN}}}, limits: {timeout: 1s}}`,
        '---\napiVersion: plumbline.dev/v1alpha1\nkind: Sync\nmetadata: {name: main}\nspec:',
        `  source: {git: {url: "file://${repository}"}}\n  platform: main\n  interval: 10m\n  retryInterval: 500ms`,
        `  secrets: {env: [FLEET_*]}\n  code: {repositories: [{url: "${code.url}"}]}\n`,
      ].join('\n');
    const terms = { replicas: 2, shards: 1, duration: 3_000, retry: 600, timeout: 1_000, mint: true, configuration };
    fleet = await Fleet.make(cluster, { ...terms, platforms: { main: mint.url } }, await replicaAccount(cluster));
    token = (await readFile(join(fleet.place.dir, 'keys', 'token'), 'utf8')).trim();
    const settings = `{shop: "${services.url}", crm: "${services.url}"}`;
    await fleet.place.commit({
      'crm.yaml': `apiVersion: plumbline.dev/v1alpha1\nkind: Integration\nmetadata: {name: crm}\nspec:\n  code: {repository: "${code.url}", settings: ${settings}}\n`,
    });
    const [one, other] = fleet.replicas;
    if (one === undefined || other === undefined) throw new Error('no replicas');
    [first, second] = [one, other];
    await first.start();
    await fleet.held([first]);
    await second.start();
  });
  after(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await services?.[Symbol.asyncDispose]();
    code?.[Symbol.dispose]();
    await mint?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const operation = async (replica: Replica, name: string, body: object) =>
    JSON.parse(
      (
        await ask(
          `${replica.told.url}/api/v1/operations/${name}`,
          { authorization: `Bearer ${token}` },
          JSON.stringify(body),
        )
      ).text,
    ) as { readonly result?: Readonly<Record<string, unknown>>; readonly error?: { readonly code?: string } };
  /** Runs the code where it is in force; the answer is that of the run. */
  const run = (replica: Replica) =>
    until(async () => (await operation(replica, 'run', { integration: 'crm' })).result, 'a run', PATIENCE);
  const inventory = (): Promise<string> =>
    cluster.kubectl(['get', 'configmaps', '-l', 'plumbline.dev/inventory=true', '-o', 'json']);
  const versions = async (): Promise<readonly string[]> =>
    (JSON.parse(await inventory()) as { items: { metadata: { resourceVersion: string } }[] }).items.map(
      ({ metadata }) => metadata.resourceVersion,
    );
  const times = (key: string): number => services.puts.filter((one) => one === key).length;
  const keys = (from: number, to: number): readonly string[] =>
    Array.from({ length: to - from }, (_, index) => `c${from + index}`);

  it('shares its cursor once for a run that moved it, and writes nothing when nothing moves', async () => {
    services.add(100);
    expect(await run(first)).to.deep.include({ result: 'success', waiting: 0 });
    const before = await versions();
    expect(await inventory()).to.include('integration_cursor');
    expect(await run(first)).to.deep.include({ result: 'success' });
    expect(await versions()).to.deep.equal(before);
    services.add(1);
    await run(first);
    const after = await versions();
    expect(after.filter((version) => !before.includes(version))).to.have.length(1);
  });

  it('goes on behind what was shared when its holder is killed once it has delivered and not shared', async () => {
    services.add(60);
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    // The CRM has the record, and whoever sent it never learns that.
    services.onPut = async (key) => {
      if (key !== 'c150') return;
      reached.resolve();
      await released.promise;
    };
    const running = operation(first, 'run', { integration: 'crm' }).catch(() => undefined);
    await reached.promise;
    await first.end('SIGKILL');
    services.onPut = async () => undefined;
    released.resolve();
    await running;
    await fleet.held([second]);
    expect(await run(second)).to.deep.include({ result: 'success', waiting: 0 });
    expect(services.people.size, 'nothing is lost').to.equal(161);
    for (const key of keys(0, 101)) expect(times(key), `${key} was shared before`).to.equal(1);
    for (const key of keys(101, 150)) expect(times(key), `${key} was delivered and not shared`).to.equal(2);
  });

  it('leaves alone, when it comes back with an old ledger, what it had read before somebody else went on', async () => {
    using old = Ledger.read(first.order.stateDir);
    expect(old.syncs.waiting(NAME).records, 'that was read and not settled').to.be.greaterThan(0);
    services.customers.push({ id: 'c155', email: 'new@example.com', changedAt: new Date().toISOString() });
    expect(await run(second)).to.deep.include({ result: 'success' });
    expect(services.people.get('c155')).to.deep.include({ email: 'new@example.com' });
    const sent = services.puts.length;
    await first.start();
    expect(await second.end('SIGTERM')).to.equal(0);
    await fleet.held([first]);
    services.add(1);
    expect(await run(first)).to.deep.include({ result: 'success', waiting: 0 });
    expect(services.people.get('c155')).to.deep.include({ email: 'new@example.com' });
    expect(services.puts.slice(sent)).to.deep.equal([`c${services.customers.length - 1}`]);
  });
});

describe('code of an Integration that is a custom resource', function () {
  this.timeout(240_000);
  let shop: Shop;
  before(async () => {
    shop = await Shop.open();
    await shop.start();
    await shop.platform('plant');
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(shop?.installation.log.split('\n').slice(-25).join('\n'));
  });
  after(() => shop?.[Symbol.asyncDispose]());

  it('runs nowhere: whoever applied it is told why, and what to do, and what is beside it is applied', async () => {
    using code = new CodeRepository({ 'index.js': 'export const execute = (context) => context;' });
    await shop.sync('orders', { source: { cluster: {} } });
    await shop.apply('Integration', 'crm-sync', { code: { repository: code.url }, schedule: '* * * * *' });
    await shop.apply('Application', 'beside', { title: 'Beside' });
    const told = (kind: string, name: string): Promise<string> => shop.kubectl('describe', kind, name);
    for (const [kind, name] of [
      ['plsync', 'orders'],
      ['integrations.plumbline.dev', 'crm-sync'],
    ] as const)
      await eventually(async () =>
        expect((await told(kind, name)).replaceAll(/\s+/g, ' '), kind)
          .to.include('The Sync shop.orders lets no Integration run code')
          .and.to.include('what custom resources bring runs nowhere'),
      );
    await eventually(async () => expect(await shop.tabs()).to.include('Beside'));
    const { ledger } = shop.daemon.workshop.engine.parts;
    expect(ledger.integrations.list()).to.deep.equal([]);
    expect(await shop.daemon.workshop.operations.integrations({})).to.deep.equal([]);
    const refused: unknown = await shop.daemon.workshop.operations
      .run({ integration: 'crm-sync' })
      .catch((thrown: unknown) => thrown);
    expect(refused).to.have.property('code', 'not-found');
  });

  it('is allowed by no Sync that is a custom resource, which says so', async () => {
    const allow = { code: { repositories: [{ url: 'https://git.example.com/*' }] } };
    await shop.sync('allowing', { source: { cluster: { matchLabels: { a: 'b' } } }, ...allow });
    await eventually(async () =>
      expect((await shop.kubectl('describe', 'plsync', 'allowing')).replaceAll(/\s+/g, ' ')).to.include(
        'spec.code has no meaning in a custom resource',
      ),
    );
  });
});
