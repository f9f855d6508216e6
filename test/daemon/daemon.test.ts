import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { daemonOf } from '../../src/daemon/remote-api.ts';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import type { Operations } from '../../src/daemon/operations.ts';
import { Place, ask, until } from './fixture.ts';

const CANARY = 'kanarienvogel-password-93d1';

const CONFIGURATION = (repo: string, more = ''): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: dev}
spec: {driver: node-red, hosted: {port: 0}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: dead}
spec: {driver: node-red, url: "http://127.0.0.1:9", auth: {token: {valueFrom: {env: DEAD_TOKEN}}}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec:
  source: {git: {url: "file://${repo}"}}
  platform: dev
  gracePeriod: 0s
  secrets: {env: [ORDERS_*]}
  dependsOn: [${more}]
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: elsewhere}
spec: {source: {git: {url: "file://${repo}"}}, platform: dead, retryInterval: 1h, interval: 1h}
`;

const workflow = (repeat: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: orders}
spec:
  title: Orders
  active: true
  definition:
    - {id: t1, type: tab, label: Orders, disabled: false, info: ""}
    - {id: n1, type: inject, z: t1, name: every, props: [], repeat: "${repeat}", crontab: "", once: true, onceDelay: 0.1, topic: "", x: 100, y: 100, wires: [[n2]]}
    - {id: n2, type: debug, z: t1, name: out, active: true, tosidebar: true, console: false, tostatus: false, complete: "false", x: 300, y: 100, wires: []}
`;
const ACCESS = `
apiVersion: plumbline.dev/v1alpha1
kind: AccessRole
metadata: {name: operator}
spec: {title: Operator, permissions: [{on: workflow, verbs: [read, run]}]}
---
apiVersion: plumbline.dev/v1alpha1
kind: AccessGrant
metadata: {name: alice}
spec:
  role: operator
  subjects: [{user: alice, password: {valueFrom: {env: ORDERS_ALICE}}}]
  scope: {platform: true}
  justification: on call
`;

describe('daemon with a git repository and a real Node-RED', function () {
  this.timeout(90_000);
  let place: Place;
  let daemon: Daemon;
  let operations: Operations;
  let token: string;

  const environment = { ...process.env, ORDERS_ALICE: CANARY, DEAD_TOKEN: 'kanarienvogel-token-12' };
  const authorized = (): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const api = (path: string, body?: string) => ask(`${daemon.url}/api/v1${path}`, authorized(), body);
  const standing = async () => (await operations.status({ sync: 'orders' })).syncs[0];
  const metrics = async (): Promise<string> => (await ask(`${daemon.url}/metrics`)).text;
  const inOrder = (seconds: string) =>
    until(async () => {
      const [planned] = await operations.plan({ sync: 'orders' });
      const status = await standing();
      return planned?.plan?.stages.length === 0 && status?.conditions[0]?.status === 'True' && status;
    }, `in order after ${seconds}`);

  before(async () => {
    place = await Place.create();
    await place.commit({ 'orders.yaml': workflow('1'), 'access.yaml': ACCESS });
    await place.configure(CONFIGURATION(place.repo));
    daemon = await place.start({ environment });
    token = (await readFile(join(place.state, 'token'), 'utf8')).trim();
    operations = remoteOperations(place.state);
    await inOrder('the start');
  });
  after(async () => {
    await daemon?.stop('test');
    await place?.remove();
  });

  it('is ready when every Sync was tried, and no Sync waits for a platform that is dead', async () => {
    await until(async () => (await ask(`${daemon.url}/readyz`)).status === 200, 'ready');
    const { syncs } = await operations.status({});
    expect(syncs.map(({ sync, conditions }) => [sync, conditions[0]?.reason])).to.have.deep.members([
      ['orders', 'Synced'],
      ['elsewhere', 'PlatformUnreachable'],
    ]);
  });

  it('answers with one shape of status, its inventory from the ledger', async () => {
    const answer = await api('/status?sync=orders');
    const body = JSON.parse(answer.text) as { syncs: readonly Record<string, unknown>[] };
    expect(body.syncs[0]).to.include.keys(
      'sync',
      'platform',
      'revision',
      'lastChange',
      'lastSuccess',
      'conditions',
      'counts',
      'problems',
      'withheld',
      'inventory',
    );
    const inventory = (await standing())?.inventory.map(({ key }) => key);
    expect(inventory).to.include.members(['AccessGrant/alice', 'AccessRole/operator', 'Workflow/orders']);
  });

  it('refuses whoever has no token, always in the same words, and says nothing of what exists', async () => {
    const wrong = [
      {},
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${token.slice(0, -1)}` },
      { authorization: `Bearer ${token}x` },
      { authorization: `Basic ${token}` },
      { ...authorized(), origin: 'https://evil.example' },
    ];
    const answers = await Promise.all(
      wrong.flatMap((headers) => [
        ask(`${daemon.url}/api/v1/status`, headers),
        ask(`${daemon.url}/api/v1/operations/apply`, headers, '{"sync":"orders"}'),
        ask(`${daemon.url}/api/v1/operations/none`, headers, '{}'),
      ]),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).to.equal(1);
    expect(answers[0]?.status).to.equal(401);
    expect((await stat(join(place.state, 'token'))).mode & 0o777).to.equal(0o600);
    expect((await stat(join(place.state, 'daemon.json'))).mode & 0o777).to.equal(0o600);
  });

  it('refuses a name that is not of this machine, so that no web page gets in by its own name', async () => {
    for (const path of ['/metrics', '/healthz', '/api/v1/status']) {
      expect((await ask(`${daemon.url}${path}`, { ...authorized(), host: 'evil.example:8480' })).status, path).to.equal(
        403,
      );
    }
    expect((await ask(`${daemon.url}/healthz`, { host: 'localhost:1' })).status).to.equal(200);
  });

  it('bounds what it reads, and says what is wrong with a request', async () => {
    expect((await api('/operations/plan', JSON.stringify({ sync: 'x'.repeat(2_000_000) }))).status).to.equal(413);
    expect((await ask(`${daemon.url}/healthz`, { 'x-long': 'x'.repeat(20_000) })).status).to.equal(431);
    expect((await api('/operations/plan', '{"sync"')).status).to.equal(400);
    const unknown = await api('/operations/plan', '{"sync":"orders","dryRun":true}');
    expect([unknown.status, JSON.parse(unknown.text).error.code]).to.deep.equal([400, 'invalid-arguments']);
    expect((await api('/operations/plan', '{"sync":"none"}')).status).to.equal(404);
    expect((await api('/operations/none', '{}')).status).to.equal(404);
  });

  it('brings a commit live without being asked, and tells who wrote it', async () => {
    await place.commit({ 'orders.yaml': workflow('2') });
    await until(async () => {
      const [last] = await operations.history({ sync: 'orders', key: 'Workflow/orders', limit: 1 });
      return last?.changes[0]?.cause === 'changed' && last.author?.includes('Ada');
    }, 'the commit in the history');
    await inOrder('the commit');
  });

  it('stops and resumes at a word, and says so', async () => {
    await operations.suspend({ sync: 'orders', reason: 'release freeze', by: 'ada' });
    expect(await metrics()).to.include('plumbline_sync_suspended{sync="orders"} 1');
    await place.commit({ 'orders.yaml': workflow('3') });
    await until(
      async () => (await standing())?.withheld.some(({ code }) => code === 'suspended'),
      'withheld by suspension',
    );
    expect((await standing())?.conditions[0]?.reason).to.equal('Suspended');
    expect(await operations.resume({ sync: 'orders' })).to.deep.equal({ resumed: true });
    await inOrder('the suspension');
    expect(await operations.resume({ sync: 'orders' })).to.deep.equal({ resumed: false });
  });

  it('puts an archived copy back and holds it, until it is resumed', async () => {
    const { platforms } = daemon.workshop.engine;
    const driver = await platforms.driver('dev', AbortSignal.timeout(10_000));
    const [owned] =
      (await operations.tree({ sync: 'orders' }))[0]?.objects.filter(({ key }) => key === 'Workflow/orders') ?? [];
    const url = (await platforms.url('dev')) ?? '';
    await renameByHand(url, place, owned?.remote ?? '');
    const reverted = await until(async () => {
      await operations.reconcile({ sync: 'orders' });
      return (await operations.archived({ key: 'Workflow/orders' }))[0];
    }, 'the drift archived');
    await inOrder('the drift');
    await until(
      async () => (await operations.events({ sync: 'orders' })).some(({ type }) => type === 'drift-reverted'),
      'the drift told',
    );

    const restored = await operations.restore({ archiveId: reverted.id });
    expect(restored).to.deep.include({ key: 'Workflow/orders', restored: reverted.id });
    expect(restored.replaced).to.match(/^a\d+$/);
    const there = async (): Promise<string> => {
      let text = '';
      for await (const item of driver.observe({ kinds: ['Workflow'] }, AbortSignal.timeout(10_000)))
        text += JSON.stringify(item);
      return text;
    };
    expect(await there()).to.include('by-hand');
    await operations.apply({ sync: 'orders' });
    expect(await there(), 'held').to.include('by-hand');
    expect((await standing())?.withheld.map(({ code }) => code)).to.deep.equal(['held']);
    expect(await operations.resume({ sync: 'orders', key: 'Workflow/orders' })).to.deep.equal({ resumed: true });
    await inOrder('the hold');
    expect(await there()).not.to.include('by-hand');
  });

  it('counts runs by the name that git gives the workflow', async () => {
    await until(
      async () =>
        /plumbline_workflow_executions_total\{platform="dev",workflow="orders",result="success"\} [1-9]/.test(
          await metrics(),
        ),
      'runs counted',
    );
    expect(await metrics()).to.match(
      /plumbline_workflow_execution_duration_seconds_bucket\{le="30",platform="dev",workflow="orders",result="success"\} [1-9]/,
    );
  });

  it('checks each platform, and tells what is wrong with which', async () => {
    const checks = await operations.check({});
    expect(checks.map(({ platform, ok }) => [platform, ok])).to.have.deep.members([
      ['dev', true],
      ['dead', false],
    ]);
  });

  it('keeps the last good configuration when the new one is broken, and says so', async () => {
    await place.configure(CONFIGURATION(place.repo).replace('platform: dev', 'platform: dve'));
    await until(async () => !(await operations.status({})).configuration.valid, 'refused');
    expect(await metrics()).to.include('plumbline_configuration_valid 0');
    expect((await operations.status({})).configuration.problems[0]?.message).to.include('dve');
    expect((await standing())?.conditions[0]?.status).to.equal('True');
    await place.configure('');
    expect(await daemon.reload()).to.equal(false);
    expect((await standing())?.inventory.length).to.be.above(0);
    await place.configure(CONFIGURATION(place.repo));
    await until(async () => (await operations.status({})).configuration.valid, 'accepted');
  });

  it('lets a Sync wait for those it depends on', async () => {
    await place.configure(CONFIGURATION(place.repo, 'elsewhere'));
    await until(async () => (await standing())?.conditions[0]?.reason === 'DependencyNotReady', 'waiting');
    await place.configure(CONFIGURATION(place.repo));
    await inOrder('the dependency');
  });

  it('releases what a Sync owned when the Sync goes, and forgets its series', async () => {
    const both = CONFIGURATION(place.repo);
    await place.configure(
      both.slice(0, both.indexOf('---\napiVersion: plumbline.dev/v1alpha1\nkind: Sync\nmetadata: {name: orders}')) +
        both.slice(both.lastIndexOf('---')),
    );
    await until(async () => (await operations.status({})).syncs.every(({ sync }) => sync !== 'orders'), 'retired');
    expect(await metrics()).not.to.include('sync="orders"');
    const driver = await daemon.workshop.engine.platforms.driver('dev', AbortSignal.timeout(10_000));
    let found = 0;
    for await (const item of driver.observe({ kinds: ['Workflow'] }, AbortSignal.timeout(10_000)))
      if (!('listed' in item)) found += 1;
    expect(found, 'the workflow stays').to.equal(1);
  });

  it('lets no secret out: not in log, metrics, status, events, history, plans or errors', async () => {
    const outputs = await Promise.all([
      metrics(),
      ...['status', 'events', 'history', 'tree', 'archived', 'check'].map(
        async (name) => (await api(`/operations/${name}`, '{}')).text,
      ),
    ]);
    for (const secret of [CANARY, 'kanarienvogel', token]) {
      for (const text of [...outputs, place.log])
        expect(text.includes(secret), `${secret} in ${text.slice(0, 80)}`).to.equal(false);
    }
    expect(place.log.length).to.be.above(1000);
  });

  it('tells commands where it is, stops gracefully and leaves nothing behind', async () => {
    expect(daemonOf(place.state)?.address).to.equal(daemon.url);
    await daemon.stop('test');
    expect(daemonOf(place.state)).to.equal(undefined);
    expect(await ask(`${daemon.url}/healthz`).catch(() => 'refused')).to.equal('refused');
    expect(() => remoteOperations(place.state)).to.throw('No plumbline daemon');
  });
});

/** What a maker does in the editor, done through the same API: a node gets another name. */
async function renameByHand(url: string, { state }: Place, tab: string): Promise<void> {
  const { password } = JSON.parse(await readFile(join(state, 'node-red', 'dev', 'keys.json'), 'utf8')) as {
    password: string;
  };
  const login = { client_id: 'node-red-admin', grant_type: 'password', scope: '*', username: 'plumbline', password };
  const { access_token } = JSON.parse((await ask(`${url}/auth/token`, {}, JSON.stringify(login))).text) as {
    access_token: string;
  };
  const headers = { authorization: `Bearer ${access_token}`, 'node-red-api-version': 'v2' };
  const { rev, flows } = JSON.parse((await ask(`${url}/flows`, headers)).text) as {
    rev: string;
    flows: readonly Record<string, unknown>[];
  };
  const changed = flows.map((node) =>
    node['z'] === tab && node['type'] === 'debug' ? { ...node, name: 'by-hand' } : node,
  );
  const answer = await ask(`${url}/flows`, headers, JSON.stringify({ rev, flows: changed }));
  expect(answer.status, answer.text).to.equal(200);
}
