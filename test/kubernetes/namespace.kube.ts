import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { eventually } from './eventually.ts';
import { Shop, TOKEN, workflow } from './shop.ts';

const USER = { username: 'admin', password: 'correct horse' };

describe('a namespace that is deleted with a Platform, its Secret and a Sync in it', function () {
  this.timeout(300_000);
  let shop: Shop;
  let guarded: NodeRedServer;
  before(async () => {
    shop = await Shop.open({ mirrors: true });
    guarded = await startNodeRed({ adminAuth: true });
    await shop.start();
  });
  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(shop?.installation.log.split('\n').slice(-25).join('\n'));
  });
  after(async () => {
    await guarded?.stop();
    await shop?.[Symbol.asyncDispose]();
  });

  const tabs = async (): Promise<readonly string[]> => {
    const body = new URLSearchParams({ client_id: 'node-red-admin', grant_type: 'password', scope: '*', ...USER });
    const login = await fetch(`${guarded.url}/auth/token`, { method: 'POST', body });
    const { access_token: token } = (await login.json()) as { access_token: string };
    const flows = await fetch(`${guarded.url}/flows`, { headers: { authorization: `Bearer ${token}` } });
    return ((await flows.json()) as { type: string; label?: string }[]).flatMap(({ type, label }) =>
      type === 'tab' ? [label ?? ''] : [],
    );
  };
  const inventories = (): Promise<string> =>
    shop.cluster.kubectl(['get', 'configmaps', '-A', '-l', 'plumbline.dev/inventory=true', '-o', 'name']);

  /** A namespace with a Platform, its Secret and a Sync that shows by a mirror what it has applied. */
  const furnish = async (name: string): Promise<void> => {
    const { cluster } = shop;
    const inside = (...args: readonly string[]) => cluster.kubectl([...args, '-n', name]);
    const apply = (kind: string, object: string, spec: object) =>
      cluster.kubectl(
        ['apply', '-f', '-'],
        JSON.stringify({
          apiVersion: 'plumbline.dev/v1alpha1',
          kind,
          metadata: { name: object, namespace: name },
          spec,
        }),
      );
    const key = (secret: string, of: string) => ({ valueFrom: { secretKeyRef: { name: secret, key: of } } });
    await shop.repository.commit(workflow(name, name));
    await cluster.kubectl(['create', 'namespace', name]);
    await inside('create', 'secret', 'generic', 'git', `--from-literal=token=${TOKEN}`);
    await inside('create', 'secret', 'generic', 'plant', `--from-literal=password=${USER.password}`);
    const auth = { username: USER.username, password: key('plant', 'password') };
    await apply('Platform', 'plant', { driver: 'node-red', url: guarded.url, auth });
    await apply('Sync', 'flows', {
      source: { git: { url: `${shop.git.origin}/repo/.git`, path: name, auth: { token: key('git', 'token') } } },
      platform: 'plant',
      interval: '1h',
      retryInterval: '1s',
      prune: { maxDeletions: '100%' },
      deletionPolicy: 'Delete',
      mirror: { enabled: true },
    });
    await inside('wait', 'plsync/flows', '--for=condition=Ready', '--timeout=90s');
    await eventually(async () => expect(await inside('get', 'plwf', '-o', 'name')).to.match(/workflow/));
    expect(await tabs()).to.include(name);
  };

  // The namespace controller takes the kinds in an order of its own, and from the first moment on nothing can be created there any more.
  for (const order of [
    ['secret', 'platform.plumbline.dev', 'plsync'],
    ['secret', 'plsync', 'platform.plumbline.dev'],
    ['platform.plumbline.dev', 'secret', 'plsync'],
    ['plsync', 'secret', 'platform.plumbline.dev'],
  ]) {
    it(`is held up by nothing, and what it owned goes from the platform: ${order.join(', ')}`, async () => {
      const name = `gone-${order.map((kind) => kind.slice(0, 3)).join('-')}`;
      const { cluster } = shop;
      const inside = (...args: readonly string[]) => cluster.kubectl([...args, '-n', name]);
      await furnish(name);
      await cluster.kubectl(['delete', 'namespace', name, '--wait=false']);
      for (const kind of [...order, 'plwf']) {
        await inside('delete', kind, '--all', '--wait=false');
        // Long enough for the daemon to act on what is gone before the next one goes.
        await pause(2_000);
      }
      await inside('wait', 'plsync/flows', '--for=delete', '--timeout=120s');
      expect(await tabs()).to.not.include(name);
      for (const kind of ['plsync', 'platform.plumbline.dev', 'plwf', 'secret'])
        await eventually(async () => expect(await inside('get', kind, '-o', 'name'), kind).to.equal(''));
      expect(await inventories()).to.equal('');
    });
  }

  it('goes by itself under a real controller manager, which takes its kinds in an order of its own', async () => {
    await furnish('whole');
    await shop.cluster.collect();
    await shop.cluster.kubectl(['delete', 'namespace', 'whole', '--timeout=120s']);
    expect(await tabs()).to.not.include('whole');
    expect(await inventories()).to.equal('');
  });

  it('loses the mirrors of a Sync that is let go while nothing runs to the garbage collector', async () => {
    await furnish('owned');
    await shop.stop();
    const inside = (...args: readonly string[]) => shop.cluster.kubectl([...args, '-n', 'owned']);
    await inside('patch', 'plsync/flows', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await inside('delete', 'plsync/flows', '--timeout=60s');
    await eventually(async () => expect(await inside('get', 'plwf', '-o', 'name')).to.equal(''));
    expect(await tabs()).to.include('owned');
  });
});
