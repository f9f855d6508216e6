import { expect } from 'chai';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { replicaAccount } from './replicas/account.ts';
import { Fleet } from './replicas/fleet.ts';
import { STRIKES, playRound } from './replicas/rounds.ts';
import { mintTerrain, nodeRedTerrain } from './replicas/terrain.ts';
import type { Terrain } from './replicas/terrain.ts';

// Between two tries to renew lies the end of the Lease: then nothing but the fence keeps requests from beginning.
const TERMS = { replicas: 2, shards: 1, duration: 3_000, retry: 900, timeout: 1_000 };

describe('replicas that share a platform, killed, stopped and cut off', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let account: string;
  before(async () => {
    cluster = await startCluster();
    account = await replicaAccount(cluster);
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  for (const [name, make] of [
    ['Mint, which takes any write', mintTerrain],
    ['a real Node-RED, whose revisions fence the rest', nodeRedTerrain],
  ] as const) {
    it(`hand ${name}, over: nothing is lost, nothing is there twice, and no two write at once`, async () => {
      await cluster.kubectl(['delete', 'leases,configmaps', '-l', 'plumbline.dev/installation=fleet']);
      await using terrain: Terrain = await make();
      await using fleet = await Fleet.make(
        cluster,
        { ...TERMS, platforms: { main: terrain.url }, mint: terrain.mint },
        account,
      );
      await fleet.place.commit(terrain.files(0));
      for (const replica of fleet.replicas) await replica.start();
      for (const [index, strike] of STRIKES.entries()) {
        const round = await playRound(index + 1, strike, { fleet, terrain, duration: TERMS.duration, away: 6_000 });
        expect(round.overlapping, `${strike}: writes at once`).to.equal(0);
        // What was on its way when its sender was stopped, which is no more than it sends at once, cannot be called back.
        expect(round.late, `${strike}: late writes`).to.be.at.most(2);
        expect(round.untold, `${strike}: requests that their senders did not tell of`).to.equal(0);
        expect(round.begunAfter, `${strike}: requests that began after the Lease had expired`).to.equal(0);
        if (!terrain.mint) expect(round.late, `${strike}: late writes that Node-RED took`).to.equal(0);
      }
    });
  }
});
