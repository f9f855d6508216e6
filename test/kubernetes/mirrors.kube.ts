import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { KINDS } from '../../src/manifest/manifest.ts';
import { resourceOf } from '../../src/manifest/resources.ts';
import { PERMISSIONS } from '../../src/kube/permissions.ts';
import { eventually } from './eventually.ts';
import { grantPermissions } from './permissions.ts';
import { Shop, TOKEN, workflow } from './shop.ts';

const MIRROR = 'workflow.plumbline.dev/orders.orders.plant';
const ACCOUNT = { namespace: 'plumbline-system', name: 'plumbline' };
const IMPOSSIBLE = JSON.stringify([
  { id: 'odd-tab', type: 'tab', label: 'odd' },
  { id: 'odd-node', z: 'odd-tab', type: 'no-such-node', wires: [[]] },
]);

interface MirrorObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly object[];
  };
  readonly spec?: unknown;
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

describe('mirrors of what a Sync of a git repository owns', function () {
  this.timeout(300_000);
  let shop: Shop;
  before(async () => {
    shop = await Shop.open({ mirrors: true });
    await shop.repository.commit({
      ...workflow('orders'),
      ...workflow('returns'),
      ...workflow('odd'),
      'flows/odd.json': IMPOSSIBLE,
      'flows/app.yaml':
        'apiVersion: plumbline.dev/v1alpha1\nkind: Application\nmetadata: { name: shop }\nspec: { title: The shop }\n',
    });
    await shop.start();
    await shop.platform('plant');
    await shop.sync('orders', { mirror: { enabled: true } });
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(shop?.installation.log.split('\n').slice(-25).join('\n'));
  });
  after(() => shop?.[Symbol.asyncDispose]());

  const names = async (): Promise<readonly string[]> => {
    const text = await shop.kubectl(
      'get',
      KINDS.map((kind) => `${resourceOf(kind).plural}.plumbline.dev`).join(','),
      '-o',
      'name',
    );
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(line.indexOf('/') + 1))
      .toSorted();
  };
  const mirror = async (name = MIRROR): Promise<MirrorObject> =>
    JSON.parse(await shop.kubectl('get', name, '-o', 'json')) as MirrorObject;
  const condition = (type: string): Promise<string> =>
    shop.field('plsync/orders', `.status.conditions[?(@.type=="${type}")]`);
  const ALL = ['odd.orders.plant', 'orders.orders.plant', 'returns.orders.plant', 'shop.orders.plant'];
  /** Writes of the daemon to objects of desired state, as the API server counted them. */
  const writes = (): number =>
    shop.cluster
      .requests()
      .filter(
        ({ verb, resource }) =>
          ['create', 'patch', 'update', 'delete'].includes(verb) && /^(workflows|applications)/.test(resource),
      ).length;

  it('lists what is on the platform and how it is, and what should be and is not', async () => {
    await eventually(async () => expect(await names()).to.deep.equal(ALL));
    await shop.kubectl('wait', MIRROR, '--for=condition=Ready', '--timeout=60s');
    await eventually(async () =>
      expect(await condition('Mirrored'))
        .to.match(/"True".*/)
        .and.to.match(/Every object is shown/),
    );
    const shown = await shop.kubectl('get', 'workflows.plumbline.dev');
    console.log(shown.replaceAll(/^/gm, '      '));
    expect(shown).to.match(/^odd\.orders\.plant\s+False\s+\S+\s+orders\s+\S+\s+.*no-such-node/m);
    expect(shown).to.match(
      /^orders\.orders\.plant\s+True\s+\S+\s+orders\s+\S+\s+It stands on the platform as git says/m,
    );
    expect(await shop.field(MIRROR, '.status.remote')).to.not.equal('');
    expect(await shop.field('application.plumbline.dev/shop.orders.plant', '.mirror.title')).to.equal('The shop');
  });

  it('are marked as such, belong to their Sync, and hold neither a spec nor a secret', async () => {
    const { metadata, spec } = await mirror();
    expect(metadata.labels).to.deep.equal({ 'plumbline.dev/mirrored-by': 'test', 'plumbline.dev/sync': 'orders' });
    expect(spec).to.equal(undefined);
    const uid = await shop.field('plsync/orders', '.metadata.uid');
    expect(metadata.ownerReferences).to.deep.equal([
      { apiVersion: 'plumbline.dev/v1alpha1', kind: 'Sync', name: 'orders', uid },
    ]);
    expect(await shop.kubectl('get', 'plumbline', '-o', 'yaml')).to.not.contain(TOKEN);
  });

  it('are never read as desired state, whatever their labels', async () => {
    await shop.apply('Sync', 'all', { source: { cluster: {} }, platform: 'plant' });
    await shop.apply('Sync', 'some', {
      source: { cluster: { matchLabels: { 'plumbline.dev/sync': 'orders' } } },
      platform: 'plant',
    });
    for (const sync of ['plsync/all', 'plsync/some']) await shop.ready(sync);
    await shop.kubectl('label', MIRROR, 'plumbline.dev/mirrored-by-', 'plumbline.dev/sync=orders', '--overwrite');
    await eventually(async () =>
      expect((await mirror()).metadata.labels).to.have.property('plumbline.dev/mirrored-by'),
    );
    for (const sync of ['all', 'some']) {
      await shop.request(sync, 'now');
      await eventually(async () =>
        expect(await shop.field(`plsync/${sync}`, '.status.lastHandledReconcileAt')).to.equal('now'),
      );
      expect(await shop.field(`plsync/${sync}`, '.status.counts'))
        .to.match(/"owned":0/)
        .and.to.match(/"problems":0/);
    }
    await shop.kubectl('delete', 'plsync/all', 'plsync/some', '--timeout=60s');
  });

  it('are set right when somebody edits or deletes them', async () => {
    const { uid } = (await mirror()).metadata;
    await shop.kubectl('patch', MIRROR, '--type=merge', '-p', '{"mirror":{"title":"forged","sync":"other"}}');
    await eventually(async () =>
      expect(await shop.field(MIRROR, '.mirror')).to.match(/"sync":"orders".*"title":"orders"/),
    );
    for (const field of ['ownerReferences', 'annotations', 'labels'] as const) {
      await shop.kubectl('patch', MIRROR, '--type=merge', '-p', `{"metadata":{"${field}":null}}`);
      await eventually(async () => expect(Object.keys((await mirror()).metadata[field] ?? {})).to.not.deep.equal([]));
    }
    const forged = { conditions: [], revision: 'forged', remote: null };
    await shop.kubectl(
      'patch',
      MIRROR,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: forged }),
    );
    await eventually(async () => {
      expect((await mirror()).status.conditions.map(({ type, status }) => [type, status])).to.deep.equal([
        ['Ready', 'True'],
      ]);
      const status = await shop.field(MIRROR, '.status');
      expect(status).to.not.contain('forged');
      expect(status).to.contain('"remote"');
    });
    const odd = 'workflow.plumbline.dev/odd.orders.plant';
    await shop.kubectl('patch', odd, '--subresource=status', '--type=merge', '-p', '{"status":{"remote":"made up"}}');
    await eventually(async () => expect(await shop.field(odd, '.status')).to.not.contain('made up'));
    expect((await mirror()).metadata.uid).to.equal(uid);
    await shop.kubectl('delete', MIRROR);
    await eventually(async () => expect((await mirror()).metadata.uid).to.not.equal(uid));
    await shop.kubectl('wait', MIRROR, '--for=condition=Ready', '--timeout=60s');
  });

  it('cost nothing while nothing changes', async () => {
    await shop.request('orders', 'before');
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('before'),
    );
    const before = writes();
    await shop.request('orders', 'quiet');
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('quiet'),
    );
    await shop.request('orders', 'quiet again');
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('quiet again'),
    );
    expect(writes()).to.equal(before);
  });

  it('say what was changed on the platform', async () => {
    await shop.set('plsync/orders', { drift: 'report' });
    const flows = (await (await fetch(`${shop.nodeRed.url}/flows`)).json()) as {
      type: string;
      name?: string;
      z?: string;
    }[];
    const [tab] = flows.filter(
      ({ type, ...node }) => type === 'tab' && (node as { label?: string }).label === 'orders',
    );
    const changed = flows.map((node) =>
      node.type === 'inject' && node.z === (tab as { id?: string }).id ? { ...node, name: 'by hand' } : node,
    );
    await fetch(`${shop.nodeRed.url}/flows`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(changed),
    });
    await shop.request('orders', 'drifted');
    await eventually(async () =>
      expect(await shop.field(MIRROR, '.status.conditions'))
        .to.match(/"DriftReported"/)
        .and.to.match(/"status":"False"/),
    );
    await shop.set('plsync/orders', { drift: 'revert', gracePeriod: '0s' });
    await shop.kubectl('wait', MIRROR, '--for=condition=Ready', '--timeout=60s');
  });

  it('go and come with what they show', async () => {
    for (const file of ['returns.yaml', 'returns.json', 'odd.yaml', 'odd.json'])
      await rm(join(shop.repository.path, 'flows', file));
    await shop.repository.commit(workflow('invoices'), 'Second');
    await shop.request('orders', 'second');
    await eventually(async () =>
      expect(await names()).to.deep.equal(['invoices.orders.plant', 'orders.orders.plant', 'shop.orders.plant']),
    );
  });

  it('are bounded, and the Sync says what was left out', async () => {
    await shop.set('plsync/orders', { mirror: { enabled: true, maxObjects: 1 } });
    await eventually(async () => expect(await names()).to.have.length(1));
    await eventually(async () =>
      expect(await condition('Mirrored'))
        .to.match(/"False"/)
        .and.to.match(/2 object\(s\) are not shown/),
    );
    expect(await condition('Ready')).to.match(/"True"/);
    await shop.set('plsync/orders', { mirror: { enabled: true, maxObjects: 500 } });
    await eventually(async () => expect(await names()).to.have.length(3));
  });

  it('say of a missing right what to do, and come when it is granted', async () => {
    await grantPermissions(shop.cluster, ACCOUNT);
    await shop.repository.commit(workflow('late'), 'Third');
    await shop.request('orders', 'third');
    await eventually(async () =>
      expect(await shop.kubectl('describe', 'plsync', 'orders'))
        .to.match(/Forbidden/)
        .and.to.match(/customResources\.mirrors=true/),
    );
    expect(await shop.tabs()).to.include('late');
    await shop.ready('plsync/orders');
    await grantPermissions(shop.cluster, { ...ACCOUNT, mirrors: true });
    await eventually(async () => expect(await names()).to.include('late.orders.plant'));
    await eventually(async () => expect(await condition('Mirrored')).to.match(/Every object is shown/));
  });

  it('go when they are switched off, also while nothing runs, and those of other installations stay', async () => {
    const foreign = {
      apiVersion: 'plumbline.dev/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'a.b.c', namespace: 'shop', labels: { 'plumbline.dev/mirrored-by': 'another' } },
      mirror: { name: 'a', title: 'a', sync: 'b', platform: 'c' },
    };
    await shop.cluster.kubectl(['apply', '-f', '-'], JSON.stringify(foreign));
    await shop.stop();
    await shop.set('plsync/orders', { mirror: null });
    expect(await names()).to.have.length(5);
    await shop.start();
    await eventually(async () => expect(await names()).to.deep.equal(['a.b.c']));
    await shop.set('plsync/orders', { mirror: { enabled: true } });
    await eventually(async () => expect(await names()).to.have.length(5));
  });

  it('go with their Sync', async () => {
    await shop.kubectl('delete', 'plsync', 'orders', '--timeout=60s');
    await eventually(async () => expect(await names()).to.deep.equal(['a.b.c']));
    expect(await shop.tabs()).to.include('orders');
  });

  it('have names that nobody can give to an object of desired state, and no spec', async () => {
    const refusal = (kind: string, name: string, more: object): Promise<string> => {
      const object = { apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name }, ...more };
      return shop.cluster
        .kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(object))
        .then(() => 'accepted', String);
    };
    const shows = { name: 'a', title: 'a', sync: 'b', platform: 'c' };
    expect(await refusal('Workflow', 'a.b.c', { spec: { definition: [] } })).to.match(/DNS label without dots/);
    expect(await refusal('Application', 'a.b.c', {})).to.match(/DNS label without dots/);
    expect(await refusal('Application', 'a', { mirror: shows })).to.match(/DNS label without dots/);
    expect(await refusal('Workflow', 'a.b.c', { spec: { definition: [] }, mirror: shows })).to.match(
      /Give spec, and no mirror/,
    );
    expect(await refusal('Workflow', 'a', {})).to.match(/Give spec, and no mirror/);
    expect(await refusal('Workflow', 'a.b.c', { mirror: shows })).to.equal('accepted');
  });

  it('take rights to every kind that there is', () => {
    const [rule] = PERMISSIONS.mirrors;
    expect(rule?.resources).to.have.members(KINDS.map((kind) => resourceOf(kind).plural));
  });
});
