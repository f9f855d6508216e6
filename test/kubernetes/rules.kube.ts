import { setTimeout as pause } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { RuleObjects } from '../../src/daemon/rule-objects.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { PERMISSIONS } from '../../src/kube/permissions.ts';
import { RuleStore } from '../../src/kube/rule-store.ts';
import { windowGroups } from '../../src/monitor/rules/rules.ts';
import { createLog } from '../../src/report/log.ts';
import { Place } from '../daemon/fixture.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { level } from '../monitor/levels.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { MONITORING } from './monitoring.ts';

interface Found {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  };
  readonly spec: { readonly groups: readonly unknown[] };
}

const HOME = 'home';
const RELEASE = 'release';
const MADE = 'plumbline.dev/service-level-rules';

describe('PrometheusRules of service levels', function () {
  this.timeout(300_000);
  let cluster: Cluster;
  let kubeconfig: string;
  /** Moved by hand: objects are looked at again after ten minutes, and what failed after half a minute. */
  let now = 0;
  const opened: RuleObjects[] = [];
  let said = '';

  before(async () => {
    cluster = await startCluster({ audit: true });
    await cluster.kubectl(['create', 'namespace', HOME]);
    kubeconfig = await account();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one[Symbol.asyncDispose]()));
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  /** An account with exactly what the daemon declares that this takes. */
  const account = async (): Promise<string> => {
    const metadata = { name: 'plumbline', namespace: HOME };
    const api = 'rbac.authorization.k8s.io';
    const items = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
      { apiVersion: `${api}/v1`, kind: 'Role', metadata, rules: PERMISSIONS.rules },
      {
        apiVersion: `${api}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: api, kind: 'Role', name: 'plumbline' },
        subjects: [{ kind: 'ServiceAccount', ...metadata }],
      },
    ];
    await apply({ apiVersion: 'v1', kind: 'List', items });
    return cluster.kubeconfigOf({ namespace: HOME, name: 'plumbline' });
  };
  const apply = (object: unknown): Promise<string> =>
    cluster.kubectl(['apply', '-n', HOME, '-f', '-'], JSON.stringify(object));
  const releaseRule = () =>
    apply({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: {
        name: RELEASE,
        namespace: HOME,
        labels: { role: 'alerts', 'app.kubernetes.io/managed-by': 'Helm' },
      },
      spec: { groups: [] },
    });
  const rules = async (): Promise<readonly Found[]> => {
    const text = await cluster.kubectl(['get', 'prometheusrules', '-n', HOME, '-l', MADE, '-o', 'json']);
    return (JSON.parse(text) as { items: readonly Found[] }).items;
  };
  const names = async (): Promise<readonly string[]> => (await rules()).map(({ metadata }) => metadata.name);

  /** What a replica keeps that holds these platforms, with these windows in force on them. */
  const replica = async (held: Readonly<Record<string, readonly string[]>>) => {
    const state = { held, unsettled: false };
    const client = await KubeClient.open({ kubeconfig, environment: {}, version: 'test' });
    const objects = new RuleObjects(
      {
        store: new RuleStore(client, { namespace: HOME, installation: 'test' }, RELEASE),
        log: createLog({
          level: 'info',
          format: 'json',
          redact: (text) => text,
          stream: new Writable({ write: (chunk: Buffer, _, done) => ((said += chunk.toString()), done()) }),
        }),
        timers: { ...SYSTEM_TIMERS, now: () => now },
        levels: () =>
          Object.entries(state.held).flatMap(([platform, windows]) =>
            windows.map((window) => ({ ...level(`of-${window}`, { window }), platform })),
          ),
        platforms: () => ['a', 'b'],
        settled: (platform) => Object.hasOwn(state.held, platform) && !state.unsettled,
      },
      client,
    );
    opened.push(objects);
    return { objects, state };
  };
  const own = () => cluster.requests().filter(({ user }) => user === `system:serviceaccount:${HOME}:plumbline`);
  const requests = (): number => own().length;

  it('are none where the operator is not installed, which is said once; they come when it is', async () => {
    const { objects } = await replica({ a: ['30d'] });
    for (let turn = 0; turn < 3; turn++) {
      await objects.turn();
      now += 30_000;
    }
    expect(said.match(/not in step/g)).to.have.lengthOf(1);
    expect(said).to.contain('the Prometheus operator is not installed');
    await apply({ apiVersion: 'v1', kind: 'List', items: MONITORING });
    await cluster.kubectl(['wait', 'crd/prometheusrules.monitoring.coreos.com', '--for=condition=Established']);
    await eventually(async () => {
      now += 30_000;
      await objects.turn();
      expect(said).to.contain('that they are to stand beside does not exist');
    });
    const silent = said;
    const none = await replica({ a: [] });
    await none.objects.turn();
    expect(said, 'of a replica that needs none').to.equal(silent);
    await releaseRule();
    now += 30_000;
    await objects.turn();
    expect(await names()).to.deep.equal([`${RELEASE}-service-levels-30d`]);
    // What is wrong again is said again.
    const told = (): number =>
      said.split('\n').filter((line) => line.includes('that they are to stand beside does not exist')).length;
    const before = told();
    await cluster.kubectl(['delete', 'prometheusrule', RELEASE, '-n', HOME]);
    now += 600_000;
    await objects.turn();
    expect(told()).to.equal(before + 1);
    await releaseRule();
    now += 30_000;
    await objects.turn();
    expect(await names()).to.deep.equal([`${RELEASE}-service-levels-30d`]);
  });

  it('say what "plumbline rules" says, with the labels of the rule that they stand beside, and go with it', async () => {
    const [one] = await rules();
    expect(one?.spec.groups).to.deep.equal(windowGroups('30d'));
    expect(one?.metadata.labels).to.deep.equal({
      role: 'alerts',
      'app.kubernetes.io/managed-by': 'plumbline',
      'plumbline.dev/installation': 'test',
      [MADE]: '30d',
    });
    const owner = JSON.parse(
      await cluster.kubectl(['get', 'prometheusrule', RELEASE, '-n', HOME, '-o', 'json']),
    ) as Found;
    expect(one?.metadata.ownerReferences).to.deep.equal([
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PrometheusRule',
        name: RELEASE,
        uid: owner.metadata.uid,
      },
    ]);
  });

  it('cost no request while nothing changes, no write when they are looked at again, and are put right when somebody changed them', async () => {
    const { objects } = await replica({ a: ['30d'] });
    await objects.turn();
    const before = await rules();
    const writes = (): number => own().filter(({ verb }) => verb !== 'get' && verb !== 'list').length;
    const [asked, wrote] = [requests(), writes()];
    for (let turn = 0; turn < 5; turn++) {
      now += 60_000;
      await objects.turn();
    }
    expect(requests()).to.equal(asked);
    now += 600_000;
    await objects.turn();
    expect(requests()).to.be.greaterThan(asked);
    expect(writes(), 'as it is, nothing is applied').to.equal(wrote);
    const looked = requests();
    now -= 24 * 3_600_000;
    await objects.turn();
    expect(requests(), 'by a clock that was set back').to.be.greaterThan(looked);
    now += 24 * 3_600_000;
    expect((await rules()).map(({ metadata }) => metadata.resourceVersion)).to.deep.equal(
      before.map(({ metadata }) => metadata.resourceVersion),
    );
    const name = `${RELEASE}-service-levels-30d`;
    const patch = JSON.stringify([{ op: 'replace', path: '/spec/groups', value: [] }]);
    await cluster.kubectl(['patch', 'prometheusrule', name, '-n', HOME, '--type=json', '-p', patch]);
    now += 600_000;
    await objects.turn();
    expect((await rules())[0]?.spec.groups).to.deep.equal(windowGroups('30d'));
    await cluster.kubectl(['delete', 'prometheusrule', name, '-n', HOME]);
    now += 600_000;
    await objects.turn();
    expect(await names()).to.deep.equal([name]);
  });

  it('follow the windows, and stay for as long as any replica needs them', async () => {
    const first = await replica({ a: ['30d'] });
    const second = await replica({ b: ['30d', '7d'] });
    await first.objects.turn();
    await second.objects.turn();
    const [seven, thirty] = ['7d', '30d'].map((window) => `${RELEASE}-service-levels-${window}`);
    expect(await names()).to.have.members([seven, thirty]);
    first.state.held = { a: [] };
    await first.objects.turn();
    expect(await names(), 'the other one needs it').to.have.members([seven, thirty]);
    expect((await rules()).find(({ metadata }) => metadata.name === thirty)?.spec.groups).to.deep.equal(
      windowGroups('30d'),
    );
    second.state.held = { b: ['7d'] };
    await second.objects.turn();
    expect(await names()).to.deep.equal([seven]);
    // The shard moves: who takes it over keeps what is needed there, and takes back what is not.
    second.state.held = {};
    await second.objects.turn();
    expect(await names(), 'what is held by nobody is taken back by nobody').to.deep.equal([seven]);
    first.state.held = { a: [], b: ['7d'] };
    await first.objects.turn();
    first.state.held = { a: [], b: [] };
    await first.objects.turn();
    expect(await names()).to.deep.equal([]);
  });

  it('are not deleted when somebody has come to need them since they were found', async () => {
    const first = await replica({ a: ['30d'] });
    await first.objects.turn();
    await using client = await KubeClient.open({ kubeconfig, environment: {}, version: 'test' });
    const store = new RuleStore(client, { namespace: HOME, installation: 'test' }, RELEASE);
    const { signal } = new AbortController();
    const [found] = await store.list(signal);
    const owner = await store.owner(signal);
    if (found === undefined || owner === undefined) throw new Error('they are not there');
    await store.want(RuleStore.wordOf('b'), store.make('30d', windowGroups('30d'), owner), signal);
    const refused = await store.release(RuleStore.wordOf('a'), found, signal).catch((error: unknown) => error);
    expect(refused).to.have.property('code', 'cluster-conflict');
    expect(await names()).to.deep.equal([`${RELEASE}-service-levels-30d`]);
    first.state.held = { a: [] };
    await first.objects.turn();
    expect(await names(), 'b needs it').to.deep.equal([`${RELEASE}-service-levels-30d`]);
    const other = await replica({ b: [] });
    await other.objects.turn();
    expect(await names()).to.deep.equal([]);
  });

  it('are kept while it is not known yet what is in force, as after the loss of the ledger', async () => {
    const first = await replica({ a: ['30d'] });
    await first.objects.turn();
    const after = await replica({ a: [] });
    after.state.unsettled = true;
    await after.objects.turn();
    expect(await names()).to.deep.equal([`${RELEASE}-service-levels-30d`]);
    after.state.unsettled = false;
    await after.objects.turn();
    expect(await names()).to.deep.equal([]);
  });

  it('of a platform that is configured no more are taken back by whoever is there', async () => {
    const first = await replica({ a: ['30d'] });
    await using client = await KubeClient.open({ kubeconfig, environment: {}, version: 'test' });
    const store = new RuleStore(client, { namespace: HOME, installation: 'test' }, RELEASE);
    const { signal } = new AbortController();
    const owner = await store.owner(signal);
    if (owner === undefined) throw new Error('it is not there');
    for (const window of ['30d', '14d'])
      await store.want(RuleStore.wordOf('former'), store.make(window, windowGroups(window), owner), signal);
    await first.objects.turn();
    const [left, ...others] = await rules();
    expect(others).to.deep.equal([]);
    expect(Object.keys(left?.metadata.annotations ?? {})).to.deep.equal([
      `wanted.plumbline.dev/${RuleStore.wordOf('a')}`,
    ]);
    first.state.held = { a: [] };
    await first.objects.turn();
  });

  describe('of a running daemon', () => {
    let place: Place;
    let server: NodeRedServer;
    let daemon: Daemon | undefined;
    before(async () => {
      place = await Place.create();
      server = await startNodeRed();
      await place.configurePlant(server.url, 'interval: 1s, prune: {maxDeletions: 10}');
    });
    after(async () => {
      await daemon?.stop('the test is over');
      await server?.stop();
      await place?.remove();
    });

    it('follow what is in git, to the last one', async () => {
      const api = (window: string): string => `apiVersion: plumbline.dev/v1alpha1
kind: ServiceLevel
metadata: {name: api-${window}}
spec: {selector: {kind: Platform}, window: ${window}, objectives: {errorRate: "< 1%"}}
`;
      await place.commit({ 'a.yaml': api('28d'), 'b.yaml': api('30d') });
      daemon = await place.start({ rules: { beside: RELEASE, kubeconfig, namespace: HOME } });
      await eventually(async () =>
        expect(await names()).to.have.members(['28d', '30d'].map((window) => `${RELEASE}-service-levels-${window}`)),
      );
      await place.commit({ 'b.yaml': undefined });
      await eventually(async () => expect(await names()).to.deep.equal([`${RELEASE}-service-levels-28d`]));
      await place.commit({ 'a.yaml': undefined, 'c.txt': 'so that the path is not empty' });
      await pause(0);
      await eventually(async () => expect(await names()).to.deep.equal([]));
    });
  });

  it('take no more rights than are declared for them', () => {
    expect(cluster.denied()).to.deep.equal([]);
  });
});
