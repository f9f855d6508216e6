import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { KubeClient } from '../../src/kube/client.ts';
import { KubernetesTerrain } from '../bench/kubernetes-terrain.ts';
import { Bench, makeReplica } from '../bench/kubernetes.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { Installation } from './installation.ts';
import type { Replica } from './replicas/fleet.ts';

const SIZES = { syncs: 60, resources: 240, interval: '5s' };
/** Milliseconds in which every Sync is looked at several times. */
const REST = 30_000;

describe('many Syncs whose resources are custom resources', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let installation: Installation;
  let client: KubeClient;
  let terrain: KubernetesTerrain;
  let replica: Replica;
  let bench: Bench;
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-rest-'));

  before(async () => {
    cluster = await startCluster({ audit: true });
    installation = await Installation.create(cluster);
    client = await KubeClient.open({ kubeconfig: cluster.kubeconfig, environment: {}, version: 'tests' });
    terrain = await KubernetesTerrain.create({ cluster, client, ...SIZES });
    replica = await makeReplica({ cluster, dir, kubeconfig: installation.kubeconfig });
    bench = new Bench({ cluster, client, terrain, replica });
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(replica.log.slice(-5_000));
  });
  after(async () => {
    await replica?.[Symbol.asyncDispose]();
    await terrain?.[Symbol.asyncDispose]();
    await client?.[Symbol.asyncDispose]();
    await installation?.remove();
    await cluster?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  it('all stand on their platforms and say so, each object by one write', async () => {
    const { platformWrites, requests } = await bench.converge(async () => {});
    expect(platformWrites).to.equal(SIZES.resources);
    expect(requests['patch workflows/status']).to.equal(SIZES.resources);
  });

  it('ask nothing of the API server but renewals and watches while their platforms are looked at and nothing happens', async () => {
    const { passes, platformWrites, requests } = await bench.rest(REST);
    expect(passes, 'looks meanwhile').to.be.greaterThan(SIZES.syncs);
    expect(platformWrites).to.equal(0);
    const kinds = Object.keys(requests).filter((kind) => !kind.startsWith('watch ') && kind !== 'update leases');
    expect(kinds).to.deep.equal([]);
    expect(requests['update leases']).to.be.greaterThan(0);
  });

  it('write nothing when the daemon comes back, with its state and without, but what has changed meanwhile', async () => {
    for (const lost of [false, true]) {
      await replica.end('SIGTERM');
      if (lost) rmSync(join(dir, 'state'), { recursive: true });
      const { platformWrites, requests } = await bench.converge(() => terrain.change(6));
      await pause(1_000);
      expect(platformWrites, `state lost: ${lost}`).to.equal(6);
      expect(requests['patch workflows/status'], `state lost: ${lost}`).to.equal(6);
    }
  });
});
