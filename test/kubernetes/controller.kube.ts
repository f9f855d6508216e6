import { join } from 'node:path';
import { expect } from 'chai';
import type { Daemon } from '../../src/daemon/service.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { Repository, serveGit, temporaryFolder } from '../source/git-fixture.ts';
import type { GitServer } from '../source/git-fixture.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { Installation } from './installation.ts';

const CANARY = 'canary-Token-5f1c';
const flow = (name: string): string =>
  JSON.stringify([
    { id: `${name}-tab`, type: 'tab', label: name },
    { id: `${name}-in`, z: `${name}-tab`, type: 'inject', wires: [[]] },
  ]);
const workflow = (name: string): string =>
  [
    'apiVersion: plumbline.dev/v1alpha1',
    'kind: Workflow',
    `metadata: { name: ${name} }`,
    `spec: { definitionFrom: { file: ${name}.json } }`,
    '',
  ].join('\n');

describe('an installation that is configured by custom resources', () => {
  let cluster: Cluster;
  let installation: Installation;
  let nodeRed: NodeRedServer;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: Repository;
  let git: GitServer;
  let daemon: Daemon;

  before(async () => {
    cluster = await startCluster();
    installation = await Installation.create(cluster);
    nodeRed = await startNodeRed({ adminAuth: true });
    folder = await temporaryFolder();
    repository = await Repository.create(join(folder.path, 'served/repo'));
    await repository.commit({ 'flows/orders.yaml': workflow('orders'), 'flows/orders.json': flow('orders') }, 'First');
    git = await serveGit(join(folder.path, 'served'), () => CANARY);
    for (const namespace of ['shop', 'other']) await cluster.kubectl(['create', 'namespace', namespace]);
    await secret('node-red', { password: 'correct horse' });
    await secret('git', { token: CANARY });
    daemon = await installation.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(installation.log.split('\n').slice(-60).join('\n'));
  });
  after(async () => {
    await daemon?.stop('test');
    await git?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
    await nodeRed?.stop();
    await installation?.remove();
    await cluster?.[Symbol.asyncDispose]();
  });

  const secret = (name: string, values: Readonly<Record<string, string>>, namespace = 'shop') =>
    cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: values }),
    );
  const apply = (kind: string, name: string, spec: object, namespace = 'shop') =>
    cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name, namespace }, spec }),
    );
  const key = (name: string, of: string) => ({ valueFrom: { secretKeyRef: { name, key: of } } });
  const platform = (more: object = {}) => ({
    driver: 'node-red',
    url: nodeRed.url,
    auth: { username: 'admin', password: key('node-red', 'password') },
    ...more,
  });
  const fromGit = (more: object = {}, auth: object = { token: key('git', 'token') }) => ({
    source: { git: { url: `${git.origin}/repo/.git`, path: 'flows', auth } },
    platform: 'plant',
    interval: '1h',
    retryInterval: '1s',
    ...more,
  });
  const describeSync = (name: string, namespace = 'shop') =>
    cluster.kubectl(['describe', 'plsync', name, '-n', namespace]);
  const ready = (kind: string, name: string, namespace = 'shop') =>
    cluster.kubectl(['wait', `${kind}/${name}`, '-n', namespace, '--for=condition=Ready', '--timeout=60s']);
  const labels = async (): Promise<string[]> => {
    const login = await fetch(`${nodeRed.url}/auth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'node-red-admin',
        grant_type: 'password',
        scope: '*',
        username: 'admin',
        password: 'correct horse',
      }),
    });
    const { access_token: token } = (await login.json()) as { access_token: string };
    const flows = await fetch(`${nodeRed.url}/flows`, { headers: { authorization: `Bearer ${token}` } });
    return ((await flows.json()) as { type: string; label?: string }[]).flatMap(({ type, label }) =>
      type === 'tab' ? [label ?? ''] : [],
    );
  };

  it('brings a real platform to what git says, and "kubectl wait" returns', async () => {
    await apply('Platform', 'plant', platform());
    await apply('Sync', 'orders', fromGit({ deletionPolicy: 'Delete' }));
    await ready('plsync', 'orders');
    await ready('platform.plumbline.dev', 'plant');
    expect(await labels()).to.include('orders');
    const shown = await cluster.kubectl(['get', 'plsync', 'orders', '-n', 'shop']);
    expect(shown)
      .to.match(/READY\s+SINCE\s+REVISION\s+OWNED/)
      .and.to.match(/orders\s+True/);
    const told = await describeSync('orders');
    expect(told).to.contain('Workflow/orders').and.to.contain('The platform stands as revision');
    expect(told).to.match(/Normal\s+Applied/);
  });

  it('tells of every refusal what to do, where people look, and leaves the others alone', async () => {
    const refusals: readonly [name: string, spec: object, says: RegExp][] = [
      ['bad-url', fromGit({ source: { git: { url: 'https://127.0.0.1:1/none.git' } } }), /127\.0\.0\.1:1/],
      [
        'missing-secret',
        fromGit({}, { token: key('absent', 'token') }),
        /There is no Secret absent in the namespace shop.*kubectl create secret/s,
      ],
      ['missing-key', fromGit({}, { token: key('git', 'tokn') }), /has no key tokn.*there is token/s],
      ['no-platform', fromGit({ platform: 'plan' }), /by the name plan in the namespace shop.*plant/s],
      ['daemon-file', fromGit({ source: { folder: { path: '/etc' } } }), /folders are those of the machine/],
      [
        'daemon-variable',
        fromGit({}, { token: { valueFrom: { env: 'DAEMON_TOKEN' } } }),
        /the daemon's own.*secretKeyRef/s,
      ],
      ['file-url', fromGit({ source: { git: { url: 'file:///etc' } } }), /no https or ssh URL/],
    ];
    for (const [name, spec] of refusals) await apply('Sync', name, spec);
    await apply('Sync', 'elsewhere', fromGit({ platformNamespace: 'shop' }), 'other');
    for (const [name, , says] of refusals) {
      await eventually(async () => expect(await describeSync(name), name).to.match(says));
    }
    await eventually(async () =>
      expect(await describeSync('elsewhere', 'other'))
        .to.match(/PlatformForbidden/)
        .and.to.match(/allowedNamespaces/),
    );
    await apply('Platform', 'strange', { driver: 'zapier', url: 'https://zapier.example.com' });
    await apply('Platform', 'away', platform({ url: 'http://127.0.0.1:1' }));
    await apply('Platform', 'keyless', platform({ auth: { username: 'admin', password: key('none', 'password') } }));
    const told = (name: string) => cluster.kubectl(['describe', 'platform.plumbline.dev', name, '-n', 'shop']);
    await eventually(async () => expect(await told('strange')).to.match(/no driver zapier.*node-red/s));
    await eventually(async () =>
      expect(await told('away'))
        .to.match(/127\.0\.0\.1:1/)
        .and.to.match(/Ready/),
    );
    await eventually(async () => expect(await told('keyless')).to.match(/There is no Secret none/));
    await ready('plsync', 'orders');
    for (const [name] of refusals) await cluster.kubectl(['delete', 'plsync', name, '-n', 'shop']);
    await cluster.kubectl(['delete', 'plsync', 'elsewhere', '-n', 'other']);
    await cluster.kubectl(['delete', 'platform.plumbline.dev', 'strange', 'away', 'keyless', '-n', 'shop']);
  });

  it('keeps the last good state of an object that was broken', async () => {
    const broken = { spec: { source: { git: { url: 'file:///etc' } } } };
    await cluster.kubectl(['patch', 'plsync', 'orders', '-n', 'shop', '--type=merge', '-p', JSON.stringify(broken)]);
    await cluster.kubectl(['wait', 'plsync/orders', '-n', 'shop', '--for=condition=Stalled', '--timeout=60s']);
    const is = [
      'get',
      'plsync',
      'orders',
      '-n',
      'shop',
      '-o',
      'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
    ];
    expect(await cluster.kubectl(is), 'Ready').to.equal('False');
    expect(await labels()).to.include('orders');
    expect(daemon.workshop.engine.roster.syncNamed('shop.orders')?.spec.source.git?.url).to.contain('127.0.0.1');
    await apply('Sync', 'orders', fromGit({ deletionPolicy: 'Delete' }));
    await ready('plsync', 'orders');
  });

  it('uses a Platform of another namespace when that allows it, and stops when it does not any more', async () => {
    await repository.commit(
      { 'other/invoices.yaml': workflow('invoices'), 'other/invoices.json': flow('invoices') },
      'Other',
    );
    await secret('git', { token: CANARY }, 'other');
    const source = { git: { url: `${git.origin}/repo/.git`, path: 'other', auth: { token: key('git', 'token') } } };
    await apply('Platform', 'plant', platform({ allowedNamespaces: ['other'] }));
    await apply('Sync', 'invoices', fromGit({ source, platformNamespace: 'shop' }), 'other');
    await ready('plsync', 'invoices', 'other');
    expect(await labels()).to.include.members(['orders', 'invoices']);
    await apply('Platform', 'plant', platform());
    await eventually(async () => expect(await describeSync('invoices', 'other')).to.match(/PlatformForbidden/));
    expect(daemon.workshop.engine.roster.syncNamed('other.invoices')).to.equal(undefined);
    expect(await labels()).to.include('invoices');
    await apply('Platform', 'plant', platform({ allowedNamespaces: ['other'] }));
    await ready('plsync', 'invoices', 'other');
  });

  it('looks again when a person asks by annotation, and says which request it has obeyed', async () => {
    const requested = 'plumbline.dev/reconcile-requested-at=2026-01-01T00:00:00Z';
    await cluster.kubectl(['annotate', 'plsync', 'orders', '-n', 'shop', requested]);
    await eventually(async () => {
      const handled = await cluster.kubectl([
        'get',
        'plsync',
        'orders',
        '-n',
        'shop',
        '-o',
        'jsonpath={.status.lastHandledReconcileAt}',
      ]);
      expect(handled).to.equal('2026-01-01T00:00:00Z');
    });
  });

  it('sees a Secret that changes', async () => {
    await secret('git', { token: 'wrong' });
    await eventually(async () => expect(await describeSync('orders')).to.match(/Ready[^]*False|SourceStale/));
    await secret('git', { token: CANARY });
    await ready('plsync', 'orders');
  });

  it('applies custom resources as desired state, and tells each how it stands', async () => {
    await apply('Sync', 'custom', {
      source: { cluster: { matchLabels: { team: 'a' } } },
      platform: 'plant',
      interval: '1h',
      prune: { maxDeletions: '100%' },
    });
    const object = (name: string, spec: object, own: object = { team: 'a' }) =>
      cluster.kubectl(
        ['apply', '-f', '-'],
        JSON.stringify({
          apiVersion: 'plumbline.dev/v1alpha1',
          kind: 'Workflow',
          metadata: { name, namespace: 'shop', labels: own },
          spec,
        }),
      );
    const definition = (name: string) => JSON.parse(flow(name)) as object;
    await object('inline', { definition: definition('inline') });
    await object('stranger', { definition: definition('stranger') }, { team: 'b' });
    await cluster.kubectl([
      'create',
      'configmap',
      'flows',
      '-n',
      'shop',
      `--from-literal=mapped.json=${flow('mapped')}`,
    ]);
    await object('mapped', { definitionFrom: { configMapKeyRef: { name: 'flows', key: 'mapped.json' } } });
    await object('lost', { definitionFrom: { configMapKeyRef: { name: 'nowhere', key: 'a.json' } } });
    await cluster.kubectl([
      'wait',
      'plwf/inline',
      'plwf/mapped',
      '-n',
      'shop',
      '--for=condition=Ready',
      '--timeout=60s',
    ]);
    expect(await labels())
      .to.include.members(['inline', 'mapped'])
      .and.not.to.include('stranger');
    await eventually(async () =>
      expect(await cluster.kubectl(['describe', 'plwf', 'lost', '-n', 'shop'])).to.match(
        /There is no ConfigMap nowhere/,
      ),
    );
    expect(await describeSync('custom')).to.match(/shop\/Workflow\/lost/);
    await cluster.kubectl(['delete', 'plwf', 'lost', 'inline', '-n', 'shop']);
    await ready('plsync', 'custom');
    await eventually(async () => expect(await labels()).not.to.include('inline'));
    expect(await labels()).to.include('mapped');
  });

  it('survives a restart of the API server, and sees what was written after it', async () => {
    await cluster.restart();
    await repository.commit(
      { 'flows/returns.yaml': workflow('returns'), 'flows/returns.json': flow('returns') },
      'Second',
    );
    await cluster.kubectl([
      'annotate',
      '--overwrite',
      'plsync',
      'orders',
      '-n',
      'shop',
      'plumbline.dev/reconcile-requested-at=after',
    ]);
    await eventually(async () => expect(await labels()).to.include('returns'));
  });

  it('deletes or leaves what a Sync owned as its deletionPolicy says, and only then lets it go', async () => {
    await cluster.kubectl(['delete', 'plsync', 'orders', '-n', 'shop', '--timeout=60s']);
    expect(await labels()).not.to.include.members(['orders']);
    expect(await labels()).to.include.members(['invoices', 'mapped']);
    await cluster.kubectl(['delete', 'plsync', 'invoices', '-n', 'other', '--timeout=60s']);
    expect(await labels()).to.include('invoices');
  });

  it('honours a deletionPolicy although its own state was lost meanwhile', async () => {
    await apply('Sync', 'orders', fromGit({ deletionPolicy: 'Delete' }));
    await ready('plsync', 'orders');
    await daemon.stop('test');
    await installation.loseState();
    await cluster.kubectl(['delete', 'plsync', 'orders', '-n', 'shop', '--wait=false']);
    daemon = await installation.start();
    await cluster.kubectl(['wait', 'plsync/orders', '-n', 'shop', '--for=delete', '--timeout=60s']);
    expect(await labels()).not.to.include('orders');
  });

  it('holds no deletion up when the Platform is gone', async () => {
    await apply('Sync', 'orders', fromGit({ deletionPolicy: 'Delete' }));
    await ready('plsync', 'orders');
    await daemon.stop('test');
    await cluster.kubectl(['delete', 'plsync', 'orders', '-n', 'shop', '--wait=false']);
    await cluster.kubectl(['delete', 'platform.plumbline.dev', 'plant', '-n', 'shop']);
    daemon = await installation.start();
    await cluster.kubectl(['wait', 'plsync/orders', '-n', 'shop', '--for=delete', '--timeout=60s']);
    const events = await cluster.kubectl(['get', 'events.events.k8s.io', '-n', 'shop']);
    expect(events).to.match(/Orphaned/);
    expect(await labels()).to.include('orders');
  });

  it('shows no secret anywhere', async () => {
    const everything = await cluster.kubectl(['get', 'plumbline,events', '-A', '-o', 'yaml']);
    expect(everything).not.to.contain(CANARY).and.not.to.contain('correct horse');
    expect(installation.log).not.to.contain(CANARY).and.not.to.contain('correct horse');
  });
});
