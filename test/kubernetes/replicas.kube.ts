import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask, until } from '../daemon/fixture.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { replicaAccount } from './replicas/account.ts';
import { Fleet } from './replicas/fleet.ts';
import type { Replica } from './replicas/fleet.ts';
import { mintTerrain } from './replicas/terrain.ts';
import type { Terrain } from './replicas/terrain.ts';

const TERMS = { replicas: 3, shards: 4, duration: 3_000, retry: 600, timeout: 1_000 };

describe('three replicas and four shards', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let terrain: Terrain;
  let fleet: Fleet;
  let token: string;
  before(async () => {
    cluster = await startCluster();
    terrain = await mintTerrain();
    const terms = { ...TERMS, platforms: { main: terrain.url }, mint: true };
    fleet = await Fleet.make(cluster, terms, await replicaAccount(cluster));
    token = (await readFile(join(fleet.place.dir, 'keys', 'token'), 'utf8')).trim();
    await fleet.place.commit(terrain.files(0));
    for (const replica of fleet.replicas) await replica.start();
    await stands(0);
  });
  after(async () => {
    await fleet?.[Symbol.asyncDispose]();
    await terrain?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const stands = (round: number) =>
    until(async () => (await terrain.picture()).join() === terrain.wanted(round).join(), `round ${round} stands`);
  const spread = (replicas: readonly Replica[]) =>
    until(async () => {
      const shards = await fleet.shards();
      const counts = replicas.map(({ told }) => shards.filter(({ holder }) => holder === told.identity).length);
      const all = counts.reduce((sum, count) => sum + count, 0) === TERMS.shards;
      return all && Math.max(...counts) - Math.min(...counts) <= 1;
    }, `shards spread over ${replicas.length} replicas`);
  const operation = (replica: Replica, name: string, body: object) =>
    ask(`${replica.told.url}/api/v1/operations/${name}`, { authorization: `Bearer ${token}` }, JSON.stringify(body));
  /** The replica that writes to the platform says so in its metrics; the others hold something else, or nothing. */
  const writer = async (): Promise<Replica> =>
    until(async () => {
      for (const replica of fleet.replicas) {
        const { text } = await operation(replica, 'apply', { sync: 'main' });
        if (!text.includes('not-holder')) return replica;
      }
      return undefined;
    }, 'somebody holds the platform');
  const inventories = async (): Promise<string> =>
    cluster.kubectl(['get', 'configmaps', '-l', 'plumbline.dev/inventory=true', '-o', 'json']);
  const versions = async (): Promise<unknown> =>
    (JSON.parse(await inventories()) as { items: { metadata: { name: string; resourceVersion: string } }[] }).items.map(
      ({ metadata }) => [metadata.name, metadata.resourceVersion],
    );

  it('are spread evenly, and free at once when a replica ends in order', async () => {
    await spread(fleet.replicas);
    const [first, ...others] = fleet.replicas;
    if (first === undefined) throw new Error('no replicas');
    const gone = first.told.identity;
    expect(await first.end('SIGTERM')).to.equal(0);
    // Nothing of it is left when the process has ended: nobody has to wait for anything to run out.
    const { told } = await fleet.leases.list();
    expect(told.filter(({ record }) => record.holder === gone).map(({ record }) => record.name)).to.deep.equal([]);
    await spread(others);
    await first.start();
    await spread(fleet.replicas);
  });

  it('serve health, readiness and metrics on every replica, and refuse by name what another one holds', async () => {
    const holder = await writer();
    for (const replica of fleet.replicas) {
      expect((await ask(`${replica.told.url}/healthz`)).status).to.equal(200);
      expect((await ask(`${replica.told.url}/readyz`)).status).to.equal(200);
      expect((await ask(`${replica.told.url}/metrics`)).text).to.match(/plumbline_shard_held\{shard="3"\} [01]/);
    }
    const other = fleet.replicas.find((one) => one !== holder);
    if (other === undefined) throw new Error('only one replica');
    const { text } = await operation(other, 'apply', { sync: 'main' });
    expect(text).to.contain('not-holder').and.to.contain(holder.told.identity);
  });

  it('pass a wish to look on to the holder', async () => {
    const holder = await writer();
    const other = fleet.replicas.find((one) => one !== holder);
    if (other === undefined) throw new Error('only one replica');
    const looks = async (): Promise<string | undefined> =>
      /plumbline_passes_total\{[^}]*trigger="commit"[^}]*\} \d+/.exec(
        (await ask(`${holder.told.url}/metrics`)).text,
      )?.[0];
    const before = await looks();
    expect((await operation(other, 'reconcile', { sync: 'main' })).status).to.equal(200);
    await until(async () => (await looks()) !== before, 'the holder looks');
  });

  it('write nothing to the cluster but Leases while nothing happens, and no secret ever', async () => {
    const holder = await writer();
    const before = await versions();
    expect(before).to.not.deep.equal([]);
    await operation(holder, 'apply', { sync: 'main' });
    expect(await versions()).to.deep.equal(before);
    expect(await inventories()).to.not.contain('kanarienvogel');
  });

  it('keep a Sync suspended when its writer dies', async () => {
    const holder = await writer();
    const other = fleet.replicas.find((one) => one !== holder);
    if (other === undefined) throw new Error('only one replica');
    await operation(other, 'suspend', { sync: 'main', reason: 'freeze', by: 'ada' });
    await holder.end('SIGKILL');
    await fleet.held(fleet.replicas.filter((one) => one !== holder));
    await holder.start();
    await fleet.place.commit(terrain.files(1));
    const next = await writer();
    const { text } = await operation(next, 'apply', { sync: 'main' });
    expect(text).to.contain('suspended');
    expect((await terrain.picture()).join()).to.equal(terrain.wanted(0).join());
    await operation(fleet.replicas.find((one) => one !== next) ?? next, 'resume', { sync: 'main' });
    await stands(1);
  });
});
