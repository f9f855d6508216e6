import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import { PERMISSIONS } from '../../src/kube/permissions.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import { eventually } from './eventually.ts';
import { Shop, workflow } from './shop.ts';

const HOME = 'plumbline-system';
const TEN_MINUTES = 600_000;

describe('what people do with custom resources', function () {
  this.timeout(300_000);
  let shop: Shop;
  /** Milliseconds that the daemon's clock is ahead. */
  let ahead = 0;
  const timers = { ...SYSTEM_TIMERS, now: () => Date.now() + ahead };
  before(async () => {
    shop = await Shop.open();
    await shop.repository.commit(workflow('orders'));
    await shop.cluster.kubectl(['create', 'namespace', 'other']);
    await shop.start({ timers });
    await shop.platform('plant');
    await shop.sync('orders');
    await shop.ready('plsync/orders');
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(shop?.installation.log.split('\n').slice(-25).join('\n'));
  });
  after(() => shop?.[Symbol.asyncDispose]());

  const condition = (object: string, type: string): Promise<string> =>
    shop.field(object, `.status.conditions[?(@.type=="${type}")]`);
  const events = async (): Promise<readonly { readonly reason: string; readonly note: string }[]> => {
    const text = await shop.kubectl('get', 'events.events.k8s.io', '-o', 'json');
    return (JSON.parse(text) as { items: { reason: string; note: string }[] }).items;
  };

  it('suspend a Sync: changes wait, its object says so, and go on with it', async () => {
    await shop.set('plsync/orders', { suspend: true });
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.observedGeneration'), 'it is in force').to.equal(
        await shop.field('plsync/orders', '.metadata.generation'),
      ),
    );
    await shop.repository.commit(workflow('returns'));
    await shop.request('orders', 'while suspended');
    await eventually(async () =>
      expect(await condition('plsync/orders', 'Stalled'))
        .to.match(/"Suspended"/)
        .and.to.match(/Workflow\/returns/),
    );
    expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('while suspended');
    expect(await shop.tabs()).to.not.include('returns');
    expect(await shop.kubectl('get', 'plsync', '-o', 'wide')).to.match(/orders .* true /);
    await shop.set('plsync/orders', { suspend: false });
    await eventually(async () => expect(await shop.tabs()).to.include('returns'));
    await shop.ready('plsync/orders');
  });

  it('ask for a pass now: what was committed or changed by hand is found without waiting for the interval', async () => {
    await shop.repository.commit(workflow('asked'));
    await shop.request('orders', 'please');
    await eventually(async () => expect(await shop.tabs()).to.include('asked'));
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('please'),
    );
  });

  it('configure a Plugin in the namespace of the installation, and are told why one elsewhere does not count', async () => {
    const folder = join(dirname(shop.installation.configPath), 'no-refunds');
    await mkdir(folder, { recursive: true });
    const code = `export function execute(context) {
      const refusals = (context.changes ?? []).filter(({ key }) => key === 'Workflow/refunds')
        .map(({ key }) => ({ key, message: 'refunds are made by hand', remedy: 'Ask the office.' }));
      return refusals.length > 0 ? { refusals } : context;
    }`;
    await writeFile(join(folder, 'index.js'), code);
    const plugin = (name: string, spec: object, namespace = HOME) =>
      shop.apply('Plugin', name, { changes: {}, ...spec }, { namespace });
    await plugin('no-refunds', { folder: 'no-refunds' });
    await plugin('lost', { folder: 'nowhere' });
    await plugin('astray', { folder: 'no-refunds', platforms: ['nowhere'] });
    await plugin('elsewhere', { folder: 'no-refunds' }, 'shop');
    const told = (name: string, namespace = HOME) =>
      shop.cluster.kubectl(['describe', 'plplugin', name, '-n', namespace]);
    await shop.cluster.kubectl(['wait', 'plplugin/no-refunds', '-n', HOME, '--for=condition=Ready', '--timeout=60s']);
    await eventually(async () =>
      expect(await told('lost'))
        .to.match(/FolderUnusable/)
        .and.to.match(/nowhere/),
    );
    await eventually(async () =>
      expect(await told('astray'))
        .to.match(/PlatformMissing/)
        .and.to.match(/correct spec\.platforms/),
    );
    await eventually(async () =>
      expect(await told('elsewhere', 'shop'))
        .to.match(/ForbiddenNamespace/)
        .and.to.match(/namespace plumbline-system/),
    );
    await shop.repository.commit({ ...workflow('refunds'), ...workflow('beside') });
    await shop.request('orders', 'plugin');
    await eventually(async () => expect(await shop.tabs()).to.include('beside'));
    expect(await shop.tabs()).to.not.include('refunds');
    await eventually(async () =>
      expect(await shop.kubectl('describe', 'plsync', 'orders')).to.match(/refunds are made by hand/),
    );
    await shop.cluster.kubectl(['delete', 'plplugin', '--all', '-A']);
    await eventually(async () => expect(await shop.tabs()).to.include('refunds'));
  });

  it('are not held up by configuration files that are broken, and the other way round', async () => {
    const { configPath, log } = shop.installation;
    const files = (more: string): string =>
      [
        'apiVersion: plumbline.dev/v1alpha1',
        'kind: Platform',
        'metadata: { name: by-file }',
        `spec: { driver: node-red, url: "${shop.nodeRed.url}" }`,
        '---',
        'apiVersion: plumbline.dev/v1alpha1',
        'kind: Sync',
        'metadata: { name: by-file }',
        `spec: { source: { folder: { path: flows } }, platform: by-file${more} }`,
        '',
      ].join('\n');
    const names = () => shop.daemon.workshop.engine.roster.targets().map(({ sync }) => sync);
    await mkdir(join(dirname(configPath), 'flows'), { recursive: true });
    await writeFile(configPath, files(', interval: 2h'));
    await eventually(() => expect(names()).to.include.members(['by-file', 'shop.orders']));
    await writeFile(configPath, files(', intervall: 2h'));
    await eventually(() => expect(shop.daemon.workshop.engine.configuration.valid).to.equal(false));
    await shop.repository.commit(workflow('beside-files', 'elsewhere'));
    await shop.sync('beside', {}, 'elsewhere');
    await shop.ready('plsync/beside');
    expect(names()).to.include.members(['by-file', 'shop.orders', 'shop.beside']);
    expect(shop.daemon.workshop.engine.roster.syncNamed('by-file')?.spec.interval).to.equal(7_200_000);
    const { problems } = shop.daemon.workshop.engine.configuration;
    expect(problems.map(({ message }) => message).join()).to.match(/intervall/);
    expect(shop.installation.log.slice(log.length).match(/"configuration refused"/g), 'told once').to.have.length(1);
    await shop.set('plsync/beside', { platform: 'nowhere' });
    await eventually(async () => expect(await condition('plsync/beside', 'Stalled')).to.match(/PlatformMissing/));
    await writeFile(configPath, files(', interval: 3h'));
    await eventually(() =>
      expect(shop.daemon.workshop.engine.roster.syncNamed('by-file')?.spec.interval).to.equal(10_800_000),
    );
    expect(shop.daemon.workshop.engine.configuration.valid).to.equal(true);
    await writeFile(configPath, '');
    await eventually(() => expect(shop.daemon.workshop.engine.configuration.valid).to.equal(false));
    expect(names(), 'an emptied file is taken for an accident').to.include('by-file');
    await shop.kubectl('delete', 'plsync/beside', '--timeout=60s');
  });

  it('start although configuration files are broken, which give nothing up', async () => {
    await shop.stop();
    await writeFile(shop.installation.configPath, 'kind: [');
    await shop.start({ timers });
    await shop.repository.commit(workflow('meanwhile'));
    await shop.request('orders', 'broken files');
    await eventually(async () => expect(await shop.tabs()).to.include('meanwhile'));
    expect(shop.daemon.workshop.engine.configuration.valid).to.equal(false);
    await rm(shop.installation.configPath);
    await eventually(() => expect(shop.daemon.workshop.engine.configuration.valid).to.equal(true));
  });

  it('are not told the same Event again when another process takes over with no state of its own', async () => {
    await shop.repository.commit({ 'flows/wrong.yaml': 'kind: Workflow\n' });
    await shop.request('orders', 'wrong');
    await eventually(async () => expect((await events()).map(({ reason }) => reason)).to.include('Problem'));
    const told = async () =>
      (await events())
        .map(({ reason, note }) => `${reason} ${note}`)
        .filter((text) => /^(Problem|Withheld)/.test(text));
    const before = await told();
    await shop.stop();
    await shop.installation.loseState();
    await shop.start({ timers });
    await shop.request('orders', 'taken over');
    await eventually(async () =>
      expect(await shop.field('plsync/orders', '.status.lastHandledReconcileAt')).to.equal('taken over'),
    );
    await shop.kubectl('wait', 'plsync/orders', '--for=condition=Stalled', '--timeout=60s');
    expect((await told()).toSorted()).to.deep.equal(before.toSorted());
    await rm(join(shop.repository.path, 'flows/wrong.yaml'));
    await shop.repository.commit({});
    await shop.request('orders', 'mended');
    await shop.ready('plsync/orders');
  });

  it('read Secrets and ConfigMaps at each pass where they may only be got', async () => {
    const mayOnlyGet = async (verbs: readonly string[]): Promise<void> => {
      const watched = PERMISSIONS.watched.map((rule) =>
        rule.resources.includes('configmaps') ? { ...rule, verbs } : rule,
      );
      const rules = [...watched, ...PERMISSIONS.secrets.map((rule) => ({ ...rule, verbs }))];
      const patch = JSON.stringify({ rules });
      await shop.cluster.kubectl(['patch', 'clusterrole', 'plumbline-plumbline', '--type=merge', '-p', patch]);
    };
    await shop.stop();
    await mayOnlyGet(['get']);
    await shop.kubectl(
      'create',
      'configmap',
      'mapped',
      '--from-literal=flow.json=[{"id":"m","type":"tab","label":"mapped"}]',
    );
    await shop.apply('Workflow', 'mapped', {
      definitionFrom: { configMapKeyRef: { name: 'mapped', key: 'flow.json' } },
    });
    await shop.apply('Sync', 'custom', { source: { cluster: {} }, platform: 'plant', interval: '1h' });
    await shop.start({ timers });
    await shop.ready('plsync/custom');
    expect(await shop.tabs()).to.include('mapped');
    const secret = (token: string) =>
      shop.cluster.kubectl(
        ['apply', '-f', '-'],
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'git', namespace: 'shop' },
          stringData: { token },
        }),
      );
    const { token } = JSON.parse(await shop.field('secret/git', '.data')) as { token: string };
    await secret('wrong');
    await shop.request('orders', 'with a wrong token');
    await eventually(async () => expect(await condition('plsync/orders', 'Ready')).to.match(/"False"/));
    await secret(Buffer.from(token, 'base64').toString());
    await shop.request('orders', 'with the right token');
    await shop.ready('plsync/orders');
    await shop.kubectl('delete', 'plsync/custom', '--timeout=60s');
    await mayOnlyGet(['get', 'list', 'watch']);
  });

  it('delete a Sync whose platform is down: it waits for ten minutes and says so, then goes, and what it owned goes when the platform is back', async () => {
    const second = await startNodeRed();
    try {
      await shop.platform('second', { url: second.url, limits: { timeout: '2s' } });
      await shop.sync('doomed', { platform: 'second', deletionPolicy: 'Delete' });
      await shop.ready('plsync/doomed');
      await second.kill();
      await shop.kubectl('delete', 'plsync/doomed', '--wait=false');
      await eventually(async () => {
        const told = await shop.kubectl('describe', 'plsync', 'doomed');
        expect(told).to.match(/Deleting/);
        expect(told, 'which platform, and how long it waits').to.match(/second.*10 minutes/s);
      });
      expect(await shop.field('plsync/doomed', '.metadata.finalizers')).to.contain('plumbline.dev/finalizer');
      ahead += TEN_MINUTES;
      await shop.request('orders', 'ten minutes later');
      try {
        await shop.kubectl('annotate', '--overwrite', 'plsync/doomed', 'look=again');
      } catch (error) {
        // It may have gone by then.
        expect(String(error)).to.match(/NotFound/);
      }
      await shop.kubectl('wait', 'plsync/doomed', '--for=delete', '--timeout=90s');
      await eventually(async () =>
        expect((await events()).find(({ reason }) => reason === 'Orphaned')?.note).to.match(
          /could not be reached for 10 minutes: \d+ object\(s\) on second stay as they are until it can be/,
        ),
      );
      await second.restart();
      // It is tried again by and by, and whenever anything is put in force.
      await shop.platform('second', { url: second.url, limits: { timeout: '5s' } });
      await eventually(async () => expect(await shop.tabs(second)).to.not.include('orders'));
    } finally {
      await second.stop();
    }
  });

  it('are those of one namespace where the daemon is told so, with rights in that one only', async () => {
    await shop.stop();
    await shop.cluster.kubectl(['delete', 'clusterrolebinding', 'plumbline-plumbline']);
    const rules = [...PERMISSIONS.watched, ...PERMISSIONS.secrets];
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'watched', namespace: 'shop' },
      rules,
    };
    await shop.cluster.kubectl(['apply', '-f', '-'], JSON.stringify(role));
    await shop.kubectl('create', 'rolebinding', 'watched', '--role=watched', `--serviceaccount=${HOME}:plumbline`);
    await shop.apply('Platform', 'plant', { driver: 'node-red', url: shop.nodeRed.url }, { namespace: 'other' });
    const since = Date.now();
    const { kubeconfig } = shop.installation;
    await shop.start({ timers, cluster: { kubeconfig, watchNamespace: 'shop' } });
    await shop.repository.commit(workflow('narrow'));
    await shop.request('orders', 'narrow');
    await eventually(async () => expect(await shop.tabs()).to.include('narrow'));
    await shop.ready('platform.plumbline.dev/plant');
    expect(await shop.cluster.kubectl(['get', 'plplatform/plant', '-n', 'other', '-o', 'jsonpath={.status}'])).to.equal(
      '',
    );
    const refused = shop.cluster.requests().filter(({ at, status }) => at >= since && status === 403);
    expect(refused).to.deep.equal([]);
  });
});
