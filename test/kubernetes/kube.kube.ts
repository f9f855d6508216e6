import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { KubeClient } from '../../src/kube/client.ts';
import { Elector } from '../../src/kube/elector.ts';
import { EventRecorder } from '../../src/kube/events.ts';
import { inCluster } from '../../src/kube/connection.ts';
import { LeaseStore } from '../../src/kube/lease-store.ts';
import { CONFIG_MAPS, LEASES, SECRETS } from '../../src/kube/object.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { ObjectWatch } from '../../src/kube/watch.ts';
import type { ObjectChange } from '../../src/kube/watch.ts';
import { ReconcilerError } from '../../src/errors.ts';
import { startApiProxy } from './api-proxy.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { grantPermissions } from './permissions.ts';

const signal = new AbortController().signal;

describe('the Kubernetes client', () => {
  let cluster: Cluster;
  let client: KubeClient;
  const open = (kubeconfig: string) => KubeClient.open({ kubeconfig, environment: {}, version: 'test' });
  before(async () => {
    cluster = await startCluster();
    client = await open(cluster.kubeconfig);
  });
  after(async () => {
    await client[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  const configMap = (name: string, data: Record<string, string> = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  });
  const failure = async (work: Promise<unknown>): Promise<ReconcilerError> => {
    try {
      await work;
    } catch (error) {
      if (error instanceof ReconcilerError) return error;
      throw error;
    }
    throw new Error('it was expected to fail');
  };

  it('applies what is ours and leaves what others wrote', async () => {
    await cluster.kubectl(['create', 'configmap', 'shared', '--from-literal=theirs=stays']);
    await client.apply(CONFIG_MAPS, configMap('shared', { ours: 'one', more: 'two' }), { signal });
    await client.apply(CONFIG_MAPS, configMap('shared', { ours: 'three' }), { signal });
    const { data } = await client.get(CONFIG_MAPS, { namespace: 'default', name: 'shared' }, { signal });
    expect(data).to.deep.equal({ theirs: 'stays', ours: 'three' });
  });

  it('says of every refusal what was asked, what the server said, and what to do', async () => {
    const missing = await failure(client.get(CONFIG_MAPS, { namespace: 'default', name: 'none' }, { signal }));
    expect(missing.code).to.equal('cluster-not-found');
    expect(missing.message).to.contain('/api/v1/namespaces/default/configmaps/none').and.to.contain('not found');
    await client.create(CONFIG_MAPS, configMap('once'), { signal });
    expect((await failure(client.create(CONFIG_MAPS, configMap('once'), { signal }))).code).to.equal(
      'cluster-conflict',
    );
    await cluster.kubectl(['create', 'serviceaccount', 'nobody']);
    await using nobody = await open(await cluster.kubeconfigOf({ namespace: 'default', name: 'nobody' }));
    const refused = await failure(nobody.list(CONFIG_MAPS, { signal }));
    expect(refused.code).to.equal('cluster-forbidden');
    expect(refused.remedy).to.contain('ServiceAccount');
  });

  it('refuses a kubeconfig that cannot be used, with its contexts', async () => {
    const error = await failure(
      KubeClient.open({ kubeconfig: cluster.kubeconfig, context: 'prod', environment: {}, version: 'test' }),
    );
    expect(error.code).to.equal('kubeconfig-invalid');
    expect(error.remedy).to.contain('test');
    expect((await failure(KubeClient.open({ environment: {}, version: 'test' }))).code).to.equal('not-in-cluster');
  });

  it("finds a pod's ServiceAccount, with exactly the rights that the daemon declares", async () => {
    await cluster.kubectl(['create', 'serviceaccount', 'daemon']);
    await grantPermissions(cluster, { namespace: 'default', name: 'daemon' });
    const kubeconfig = readFileSync(await cluster.kubeconfigOf({ namespace: 'default', name: 'daemon' }), 'utf8');
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-account-'));
    const of = (field: string): string => new RegExp(`"${field}":"([^"]+)"`).exec(kubeconfig)?.[1] ?? '';
    writeFileSync(join(folder, 'ca.crt'), Buffer.from(of('certificate-authority-data'), 'base64'));
    writeFileSync(join(folder, 'token'), of('token'));
    writeFileSync(join(folder, 'namespace'), 'default');
    const { hostname, port } = new URL(cluster.url);
    const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    expect(inCluster({ environment: {}, accountFolder: folder })).to.equal(false);
    expect(inCluster({ environment, accountFolder: folder })).to.equal(true);
    await using pod = await KubeClient.open({ environment, accountFolder: folder, version: 'test' });
    expect(pod.namespace).to.equal('default');
    await pod.list(SECRETS, { namespace: 'default', signal });
    expect((await failure(pod.create(SECRETS, { ...configMap('no'), kind: 'Secret' }, { signal }))).code).to.equal(
      'cluster-forbidden',
    );
    expect((await failure(pod.list(LEASES, { signal }))).code).to.equal('cluster-forbidden');
    rmSync(folder, { recursive: true });
  });

  it('reads credentials anew when the server does not know them any more', async () => {
    const good = readFileSync(cluster.kubeconfig, 'utf8');
    const file = `${cluster.kubeconfig}.rotated`;
    writeFileSync(file, good.replace(/"token":"[^"]+"/, '"token":"expired"'));
    await using rotated = await open(file);
    expect((await failure(rotated.list(CONFIG_MAPS, { signal }))).code).to.equal('cluster-unauthorized');
    writeFileSync(file, good);
    expect((await rotated.list(CONFIG_MAPS, { namespace: 'default', signal })).items.length).to.be.greaterThan(0);
  });

  describe('a watch', () => {
    let seen: string[];
    let faults: unknown[];
    const watch = (from = client, onChange?: (change: ObjectChange) => void): ObjectWatch =>
      new ObjectWatch({
        client: from,
        resource: CONFIG_MAPS,
        namespace: 'default',
        onChange: (change) => {
          seen.push(`${change.gone ? '-' : '+'}${change.object.metadata.name}`);
          onChange?.(change);
        },
        onFault: (error) => faults.push(error),
      });
    beforeEach(() => {
      seen = [];
      faults = [];
    });

    it('tells what is there, what comes, and what goes', async () => {
      await client.create(CONFIG_MAPS, configMap('there'), { signal });
      await using watched = watch();
      await watched.listed;
      expect(seen).to.include('+there');
      await client.create(CONFIG_MAPS, configMap('comes'), { signal });
      await eventually(() => expect(seen).to.include('+comes'));
      await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'comes' }, { signal });
      await eventually(() => expect(seen).to.include('-comes'));
      expect(watched.objects.get('default/there')?.metadata).not.to.have.property('managedFields');
    });

    it('goes on although a handler throws', async () => {
      await using watched = watch(client, () => {
        throw new Error('handler');
      });
      await watched.listed;
      await client.create(CONFIG_MAPS, configMap('after-throw'), { signal });
      await eventually(() => expect(seen).to.include('+after-throw'));
      expect(faults.length).to.be.greaterThan(0);
    });

    it('survives a restart of the API server, and learns what was deleted when its version is too old', async () => {
      await client.create(CONFIG_MAPS, configMap('vanishes'), { signal });
      await using watched = watch();
      await watched.listed;
      expect(seen).to.include('+vanishes');
      await cluster.restart();
      await eventually(async () => {
        await client.apply(CONFIG_MAPS, configMap('after-restart'), { signal });
        expect(seen).to.include('+after-restart');
      });
      await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'vanishes' }, { signal });
      await eventually(() => expect(seen).to.include('-vanishes'));
    });

    it('lists anew after 410, and tells what was deleted meanwhile', async () => {
      await client.apply(CONFIG_MAPS, configMap('lost'), { signal });
      await using server = await startApiProxy(cluster);
      await using through = await open(server.kubeconfig);
      await using watched = watch(through);
      await watched.listed;
      expect(seen).to.include('+lost');
      server.expire();
      await client.delete(CONFIG_MAPS, { namespace: 'default', name: 'lost' }, { signal });
      await eventually(() => expect(seen).to.include('-lost'));
    });

    it('reads its credentials anew when its token has expired, and goes on from where it was', async () => {
      await using server = await startApiProxy(cluster);
      const [, token = ''] = /"token":"([^"]+)"/.exec(readFileSync(server.kubeconfig, 'utf8')) ?? [];
      await using through = await open(server.kubeconfig);
      await using watched = watch(through);
      await watched.listed;
      server.accept('renewed');
      await client.apply(CONFIG_MAPS, configMap('while-expired'), { signal });
      await eventually(() => expect(watched.sound, 'it is told that it cannot be watched').to.equal(false));
      const before = seen.length;
      server.accept(token);
      await eventually(() => expect(seen.slice(before)).to.include('+while-expired'));
      expect(seen.slice(before), 'what was known is not told again').to.deep.equal(['+while-expired']);
      await eventually(() => expect(watched.sound).to.equal(true));
    });

    it('puts together what a slow network hands on byte by byte', async () => {
      await using server = await startApiProxy(cluster);
      await using through = await open(server.kubeconfig);
      await using watched = watch(through);
      await watched.listed;
      server.slow(5, 1);
      // Letters of two, three and four bytes: each is torn somewhere.
      const text = 'ä€😀'.repeat(40);
      await client.apply(CONFIG_MAPS, configMap('slow', { text }), { signal });
      await client.apply(CONFIG_MAPS, configMap('slow-too', { text }), { signal });
      await eventually(() => expect(seen).to.include.members(['+slow', '+slow-too']));
      expect(watched.objects.get('default/slow-too')?.['data']).to.deep.equal({ text });
      expect(faults).to.deep.equal([]);
    });

    it('is opened anew when its connection is dead and nobody has told', async () => {
      await using server = await startApiProxy(cluster);
      await using through = await open(server.kubeconfig);
      await using watched = new ObjectWatch({
        client: through,
        resource: CONFIG_MAPS,
        namespace: 'default',
        life: { from: 2, to: 3 },
        onChange: ({ object }) => seen.push(object.metadata.name),
        onFault: (error) => faults.push(error),
      });
      await watched.listed;
      await client.apply(CONFIG_MAPS, configMap('heard'), { signal });
      await eventually(() => expect(seen).to.include('heard'));
      server.deafen();
      await client.apply(CONFIG_MAPS, configMap('unheard'), { signal });
      await eventually(() => expect(seen).to.include('unheard'));
    });
  });

  it('takes a Lease again that was given up for somebody who died, although it could not be released', async () => {
    const store = new LeaseStore(client, { namespace: 'default', installation: 'alone' });
    const told: string[] = [];
    await using elector = new Elector({
      terms: { identity: 'one', shards: 2, duration: 1_500, retry: 300 },
      store,
      clock: () => ({ monotonic: performance.now(), wall: Date.now() }),
      graceOf: () => 500,
      onTaken: (shard) => told.push(`taken ${shard}`),
      onLost: (shard) => told.push(`lost ${shard}`),
      // What was broken off may still arrive.
      drain: async () => false,
      onLook: () => undefined,
      onError: () => undefined,
    });
    elector.start();
    await eventually(() => expect(told.toSorted()).to.deep.equal(['taken 0', 'taken 1']));
    // Another replica, which makes one of the two too many here, and renews nothing.
    const timing = { duration: 1_500, grace: 0, renewed: '', version: '', transitions: 0 };
    await store.write({ name: store.memberName('other'), of: 2, holder: 'other', ...timing }, { timeout: 5_000 });
    await eventually(() => expect(told.slice(2)).to.deep.equal(['lost 1']));
    expect([elector.permit(0) > 0, elector.permit(1)]).to.deep.equal([true, 0]);
    await eventually(() => expect(told.slice(3)).to.deep.equal(['taken 1']));
    expect(elector.permit(1)).to.be.greaterThan(0);
  });

  it('writes Events that describe shows, the same one once, whoever tells it', async () => {
    const about = await client.apply(CONFIG_MAPS, configMap('told'), { signal });
    const recorder = new EventRecorder({
      client,
      instance: 'test',
      now: Date.now,
      onFault: (error) => expect.fail(String(error)),
    });
    const telling = {
      type: 'Warning',
      reason: 'SecretMissing',
      action: 'Resolve',
      note: 'There is no Secret crm.',
    } as const;
    recorder.tell(about, telling);
    recorder.tell(about, telling);
    await recorder.flushed();
    await using another = new EventRecorder({
      client,
      instance: 'another',
      now: Date.now,
      onFault: (error) => expect.fail(String(error)),
    });
    another.tell(about, telling);
    await another.flushed();
    const described = await cluster.kubectl(['get', 'events.events.k8s.io', '-o', 'json']);
    const { items } = JSON.parse(described) as { items: { regarding: { name: string }; note: string }[] };
    expect(items.filter(({ regarding }) => regarding.name === 'told').map(({ note }) => note)).to.deep.equal([
      telling.note,
    ]);
    await recorder[Symbol.asyncDispose]();
  });
});
