import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { Repository, serveGit, temporaryFolder } from '../source/git-fixture.ts';
import type { GitServer } from '../source/git-fixture.ts';
import { CHART } from './chart.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { startPod } from './pod.ts';
import type { Pod } from './pod.ts';
import { workflow } from './shop.ts';

const HOME = 'home';
const TOKEN = 'canary-Pods-3b1f';
const SETTINGS = 'replicas=2,leases.duration=6s,leases.retry=1s,customResources.mirrors=true';

describe('two pods of the chart that share custom resources', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let nodeRed: NodeRedServer;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let git: GitServer;
  let pods: Pod[] = [];
  before(async () => {
    cluster = await startCluster({ audit: true });
    nodeRed = await startNodeRed();
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'served/repo'));
    await repository.commit(workflow('orders'), 'First');
    git = await serveGit(join(folder.path, 'served'), () => TOKEN);
    for (const namespace of [HOME, 'shop', 'other']) await cluster.kubectl(['create', 'namespace', namespace]);
    await cluster.helm(['install', 'plumbline', CHART, '-n', HOME, '--set', SETTINGS]);
    await shop('create', 'secret', 'generic', 'git', `--from-literal=token=${TOKEN}`);
    await mkdir(join(folder.path, 'pods'));
    pods = [await start(), await start()];
    await eventually(async () => expect(await shares(), 'each has its share').to.deep.equal([2, 2]));
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed')
      for (const pod of pods) console.log(pod.log().split('\n').slice(-15).join('\n'));
  });
  after(async () => {
    for (const pod of pods) await pod.stop();
    await git?.[Symbol.asyncDispose]();
    await nodeRed?.stop();
    await folder?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const start = (): Promise<Pod> =>
    startPod(cluster, 'deployment/plumbline', { namespace: HOME, folder: join(folder.path, 'pods') });
  /** How many shards each pod holds. */
  const shares = async (): Promise<readonly number[]> => {
    const { items } = JSON.parse(await cluster.kubectl(['get', 'leases', '-n', HOME, '-o', 'json'])) as {
      readonly items: readonly {
        readonly metadata: { readonly name: string };
        readonly spec: { readonly holderIdentity?: string };
      }[];
    };
    const counts = new Map<string, number>();
    for (const { metadata, spec } of items) {
      if (!metadata.name.includes('-of-4') || spec.holderIdentity === undefined) continue;
      counts.set(spec.holderIdentity, (counts.get(spec.holderIdentity) ?? 0) + 1);
    }
    return [...counts.values()];
  };
  const shop = (...args: readonly string[]): Promise<string> => cluster.kubectl([...args, '-n', 'shop']);
  const apply = (kind: string, name: string, spec: object, namespace = 'shop'): Promise<string> =>
    cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name, namespace }, spec }),
    );
  const source = (path: string, secret = 'git') => ({
    git: {
      url: `${git.origin}/repo/.git`,
      path,
      auth: { token: { valueFrom: { secretKeyRef: { name: secret, key: 'token' } } } },
    },
  });
  const sync = (more: object = {}) => ({
    source: source('flows'),
    platform: 'plant',
    interval: '1h',
    retryInterval: '1s',
    mirror: { enabled: true },
    ...more,
  });
  const tabs = async (): Promise<readonly unknown[]> =>
    ((await (await fetch(`${nodeRed.url}/flows`)).json()) as readonly { type: string; label?: string }[]).flatMap(
      ({ type, label }) => (type === 'tab' ? [label] : []),
    );
  /** Tokens by which somebody wrote objects of a kind. */
  const writersOf = (resource: RegExp): readonly string[] => {
    const written = cluster
      .requests()
      .filter((one) => ['create', 'patch', 'delete'].includes(one.verb) && resource.test(one.resource));
    return [...new Set(written.filter(({ status }) => status < 300).map(({ credential }) => credential))];
  };

  it('bring a Platform and a Sync to Ready, and show what stands there; one of them writes, and nothing is forbidden to either', async () => {
    await apply('Platform', 'plant', { driver: 'node-red', url: nodeRed.url });
    await apply('Sync', 'orders', sync());
    await shop('wait', 'plsync/orders', '--for=condition=Ready', '--timeout=120s');
    await shop('wait', 'platforms.plumbline.dev/plant', '--for=condition=Ready', '--timeout=120s');
    expect(await tabs()).to.include('orders');
    await eventually(async () =>
      expect(await shop('get', 'workflows.plumbline.dev')).to.match(/orders\.orders\.plant\s+True/),
    );
    expect(writersOf(/^workflows/)).to.have.length(1);
    expect(writersOf(/^(syncs|platforms)/)).to.have.length(1);
    expect(cluster.denied()).to.deep.equal([]);
  });

  it('tell of every refusal that a user can provoke what to do, whichever of them it concerns', async () => {
    const refusals: readonly [name: string, spec: object, reason: string, says: RegExp, namespace?: string][] = [
      [
        'bad-url',
        sync({ source: { git: { url: 'https://127.0.0.1:1/none.git' } } }),
        'SourceUnreachable',
        /127\.0\.0\.1:1/,
      ],
      [
        'no-secret',
        sync({ source: source('private', 'absent') }),
        'SecretMissing',
        /There is no Secret absent[^]*kubectl create secret/,
      ],
      ['no-platform', sync({ platform: 'plan' }), 'PlatformMissing', /by the name plan in the namespace shop[^]*plant/],
      ['forbidden', sync({ platformNamespace: 'shop' }), 'PlatformForbidden', /spec\.allowedNamespaces/, 'other'],
      [
        'not-selected',
        sync({ platform: undefined, platformSelector: { matchLabels: { stage: 'none' } } }),
        'PlatformMissing',
        /matches no Platform/,
      ],
      ['daemon-file', sync({ source: { folder: { path: '/etc' } } }), 'Invalid', /folders are those of the machine/],
      [
        'twice-shown',
        sync({ source: { cluster: {} } }),
        'Invalid',
        /spec\.mirror has no meaning beside spec\.source\.cluster/,
      ],
      ['waits', sync({ dependsOn: ['nobody'] }), 'DependencyMissing', /no Sync nobody/],
    ];
    for (const [name, spec, , , namespace] of refusals) await apply('Sync', name, spec, namespace);
    await apply('Platform', 'strange', { driver: 'zapier', url: 'https://zapier.example.com' });
    await apply('Platform', 'away', { driver: 'node-red', url: 'http://127.0.0.1:1' });
    for (const [name, , reason, says, namespace = 'shop'] of refusals) {
      await eventually(async () =>
        expect(await cluster.kubectl(['describe', 'plsync', name, '-n', namespace]), name)
          .to.match(says)
          .and.to.contain(reason),
      );
    }
    await eventually(async () =>
      expect(await shop('describe', 'plplatform', 'strange')).to.match(/no driver zapier[^]*UnknownDriver/),
    );
    await eventually(async () => expect(await shop('describe', 'plplatform', 'away')).to.match(/127\.0\.0\.1:1/));
    const misspelt = await apply('Workflov', 'a', {}).then(() => 'accepted', String);
    expect(misspelt, 'a kind that does not exist never reaches Plumbline').to.match(/no matches for kind "Workflov"/);
    const wrongKind = {
      ...workflow('orders'),
      'wrong/orders.yaml': 'apiVersion: plumbline.dev/v1alpha1\nkind: Workflov\nmetadata: { name: a }\n',
    };
    await repository.commit(wrongKind, 'A kind that does not exist');
    await apply('Sync', 'wrong-kind', sync({ source: source('wrong') }));
    await eventually(async () =>
      expect(await shop('describe', 'plsync', 'wrong-kind')).to.match(/orders\.yaml:2[^]*Workflov/),
    );
    expect(await shop('get', 'plsync/orders')).to.match(/orders\s+True/);
    expect(cluster.denied()).to.deep.equal([]);
    for (const [name, , , , namespace = 'shop'] of refusals)
      await cluster.kubectl(['delete', 'plsync', name, '-n', namespace]);
    await shop('delete', 'plsync/wrong-kind', 'plplatform/strange', 'plplatform/away');
  });

  it('go on with one of them, which shows as the other did', async () => {
    const [first] = pods;
    if (first === undefined) throw new Error('there is no pod');
    const version = (): Promise<string> =>
      shop('get', 'workflows.plumbline.dev/orders.orders.plant', '-o', 'jsonpath={.metadata.resourceVersion}');
    const before = await version();
    expect(await first.stop()).to.equal(0);
    await repository.commit(workflow('returns'), 'More');
    await eventually(async () => {
      await shop('annotate', '--overwrite', 'plsync/orders', `plumbline.dev/reconcile-requested-at=${Date.now()}`);
      expect(await tabs()).to.include('returns');
    });
    await eventually(async () =>
      expect(await shop('get', 'workflows.plumbline.dev')).to.match(/returns\.orders\.plant\s+True/),
    );
    expect(await version(), 'what is no news is not written by who takes over').to.equal(before);
    expect(await shop('get', 'plumbline,events', '-o', 'yaml')).to.not.contain(TOKEN);
    expect(cluster.denied()).to.deep.equal([]);
  });
});
