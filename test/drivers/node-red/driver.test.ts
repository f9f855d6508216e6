import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Step } from '../../../src/drivers/driver.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { RemoteObject } from '../../../src/plan/types.ts';
import { until } from './operator-node-red.ts';
import {
  type NodeRedServer,
  apply,
  connect,
  deployRaw,
  listed,
  never,
  rawFlows,
  removeStep,
  secret,
  startNodeRed,
  writeStep,
} from './server.ts';

type Entry = JsonObject & { readonly id: string };
const node = (id: string, type: string, more: JsonObject = {}): Entry => ({
  id,
  type,
  z: 't',
  x: 100,
  y: 100,
  wires: [],
  ...more,
});
const flow = (
  title: string,
  nodes: readonly Entry[],
  root: JsonObject = { type: 'tab', label: title },
): JsonObject => ({
  title,
  definition: [{ ...root, id: 't' }, ...nodes],
});
const workflow = (name: string, spec: JsonObject, at?: RemoteObject): Step =>
  writeStep({ kind: 'Workflow', name, spec }, at);

/** An endpoint that counts its calls in memory: a restart of its node starts at 1 again. */
function counter(path: string, more: JsonObject = {}): Entry[] {
  const initialize = 'context.set("n", 0);';
  const func = 'const n = context.get("n") + 1; context.set("n", n); msg.payload = `${n}`; return msg;';
  return [
    { id: `${path}-t`, type: 'tab', label: `Counter ${path}`, ...more },
    {
      id: `${path}-i`,
      type: 'http in',
      z: `${path}-t`,
      name: '',
      url: `/${path}`,
      method: 'get',
      x: 1,
      y: 1,
      wires: [[`${path}-f`]],
    },
    {
      id: `${path}-f`,
      type: 'function',
      z: `${path}-t`,
      name: 'count',
      func,
      initialize,
      outputs: 1,
      x: 2,
      y: 1,
      wires: [[`${path}-o`]],
    },
    { id: `${path}-o`, type: 'http response', z: `${path}-t`, name: '', x: 3, y: 1, wires: [] },
  ];
}

describe('The Node-RED driver on a real Node-RED', () => {
  let server: NodeRedServer;
  before(async () => {
    server = await startNodeRed();
  });
  after(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    await deployRaw(server.url, []);
  });
  const call = async (path: string): Promise<string> => (await fetch(`${server.url}/${path}`)).text();
  const find = async (driver: ReturnType<typeof connect>, title: string): Promise<RemoteObject> => {
    const found = (await listed(driver)).find((object) => object.title === title);
    if (found === undefined) throw new Error(`no ${title}`);
    return found;
  };

  it('leaves flows that are not ours running, untouched and in their order', async () => {
    const others = [...counter('one'), ...counter('two')];
    await deployRaw(server.url, others);
    await until(async () => (await call('one')) === '1');
    await using driver = connect(server.url);
    await listed(driver);
    expect(await apply(driver, [workflow('ours', flow('Ours', [node('c', 'comment')]))])).to.deep.equal(['applied']);
    expect(await call('one')).to.equal('2');
    const { flows } = await rawFlows(server.url);
    const ids = new Set(others.map(({ id }) => id));
    expect(flows.filter(({ id }) => ids.has(id))).to.deep.equal(others);
    const ours = await find(driver, 'Ours');
    expect(await apply(driver, [removeStep('delete', ours, 'ours')])).to.deep.equal(['applied']);
    expect((await rawFlows(server.url)).flows).to.deep.equal(others);
    expect(await call('one')).to.equal('3');
  });

  it('runs a flow that is written by hand, without places on the canvas, and finds nothing to do afterwards', async () => {
    await using driver = connect(server.url);
    const bare = {
      title: 'By hand',
      definition: [
        { id: 'ask', type: 'http in', url: '/by-hand', method: 'get', wires: [['say']] },
        { id: 'say', type: 'function', func: 'msg.payload = "hello"; return msg;', outputs: 1, wires: [['tell']] },
        { id: 'tell', type: 'http response' },
      ],
    };
    expect(await apply(driver, [workflow('by-hand', bare)])).to.deep.equal(['applied']);
    await until(async () => (await call('by-hand')) === 'hello');
    const { active: _, ...there } = (await find(driver, 'By hand')).value;
    expect(there).to.deep.equal(driver.normalize('Workflow', bare));
  });

  it('sees the difference to the same flow whose nodes have no place there, and gives them one', async () => {
    await using driver = connect(server.url);
    const nodes = [
      { id: 'e1', type: 'http in', url: '/unplaced', method: 'get', wires: [['e2']] },
      { id: 'e2', type: 'http response', wires: [] },
    ];
    const tab = { id: 'e0', type: 'tab', label: 'Unplaced' };
    await deployRaw(server.url, [tab, ...nodes.map((entry) => ({ ...entry, z: 'e0' }))]);
    const there = await find(driver, 'Unplaced');
    const wanted = { title: 'Unplaced', definition: nodes };
    const { active: _, ...seen } = there.value;
    expect(seen).to.not.deep.equal(driver.normalize('Workflow', wanted));
    expect(await apply(driver, [workflow('unplaced', wanted, there)])).to.deep.equal(['applied']);
    await until(async () => (await fetch(`${server.url}/unplaced`)).ok);
  });

  it('keeps the ids of nodes that stay, so that an update restarts only what changed', async () => {
    await using driver = connect(server.url);
    const [, ...nodes] = counter('mine').map((entry): Entry => ({ ...entry, z: 't' }));
    const title = 'Mine';
    expect(await apply(driver, [workflow('mine', flow(title, nodes))])).to.deep.equal(['applied']);
    await until(async () => (await call('mine')) === '1');
    const more = flow(title, [node('new', 'comment', { name: 'first of all', x: 0, y: 0 }), ...nodes]);
    expect(await apply(driver, [workflow('mine', more, await find(driver, title))])).to.deep.equal(['applied']);
    expect(await call('mine')).to.equal('2');
  });

  it('merges anew when somebody deployed since it looked, and keeps what they did', async () => {
    await using driver = connect(server.url);
    await listed(driver);
    await deployRaw(server.url, counter('late'));
    expect(await apply(driver, [workflow('ours', flow('Ours', [node('c', 'comment')]))])).to.deep.equal(['applied']);
    expect((await listed(driver)).map(({ title }) => title)).to.have.members(['Counter late', 'Ours']);
  });

  it('does not write over an object that somebody changed since it was looked at', async () => {
    await using driver = connect(server.url);
    await apply(driver, [workflow('ours', flow('Ours', [node('c', 'comment')]))]);
    const ours = await find(driver, 'Ours');
    const { flows } = await rawFlows(server.url);
    await deployRaw(
      server.url,
      flows.map((entry) => (entry['type'] === 'comment' ? { ...entry, name: 'theirs' } : entry)),
    );
    const steps = [workflow('ours', flow('Ours', []), ours), workflow('other', flow('Other', []))];
    const [ours1, other] = await apply(driver, steps);
    expect(ours1).to.match(/^failed: stale-write/);
    expect(other).to.equal('applied');
    expect(JSON.stringify(await rawFlows(server.url))).to.include('theirs');
  });

  it('refuses before the first write what would stop every flow or lead nowhere', async () => {
    await deployRaw(server.url, [{ id: 'abcdef0123456789', type: 'tls-config', z: '', name: 'TLS' }]);
    await using driver = connect(server.url);
    const before = await rawFlows(server.url);
    const inner = { type: 'subflow', name: 'A' };
    const steps = [
      workflow('unknown', flow('Unknown', [node('n', 'no-such-node', { name: 'Odd' })])),
      workflow('dangling', flow('Dangling', [node('n', 'mqtt in', { broker: '@integration/mqtt-broker/Main' })])),
      workflow('lost', flow('Lost', [node('n', 'subflow:@workflow/Gone')])),
      workflow('link', flow('Link', [node('n', 'link out', { links: ['@link/Gone/in'] })])),
      workflow('number', flow('Number', [node('n', 'http request', { tls: 'abcdef0123456789' })])),
      workflow('wire', flow('Wire', [node('n', 'inject', { wires: [['gone']] })])),
      workflow('a', flow('A', [node('n', 'subflow:@workflow/B')], inner)),
      workflow('b', flow('B', [node('n', 'subflow:@workflow/A')], { type: 'subflow', name: 'B' })),
      workflow('fine', flow('Fine', [node('n', 'http request', { tls: '@integration/tls-config/TLS' })])),
      writeStep({ kind: 'Integration', name: 'i', spec: { title: 'I', type: 'no-such-config', settings: {} } }),
    ];
    const refusals = await driver.preflight(steps, never());
    expect(refusals.map(({ key }) => key.split('/')[1])).to.deep.equal([
      'unknown',
      'dangling',
      'lost',
      'link',
      'number',
      'wire',
      'a',
      'b',
      'i',
    ]);
    expect(refusals[0]?.because).to.include('Odd').and.include('no-such-node');
    expect(refusals[0]?.remedy).to.include('Install');
    for (const { because, remedy } of refusals) expect(because.length * remedy.length).to.be.greaterThan(0);
    expect(await rawFlows(server.url)).to.deep.equal(before);
  });

  it('puts back what stood there when the flows do not run, and fails only the culprit', async () => {
    await deployRaw(server.url, counter('alive'));
    await until(async () => (await call('alive')) === '1');
    await using driver = connect(server.url);
    // Preflight is left out, as if the module had been removed between the two.
    const steps = [
      workflow('good', flow('Good', [node('c', 'comment')])),
      workflow('bad', flow('Bad', [node('n', 'no-such-node')])),
    ];
    const [good, bad] = await apply(driver, steps);
    expect(good).to.equal('applied');
    expect(bad).to.match(/^failed: effect-failed .*no-such-node/);
    expect((await listed(driver)).map(({ title }) => title)).to.have.members(['Counter alive', 'Good']);
    expect(await until(async () => /^\d+$/.test(await call('alive')))).to.equal(true);
  });

  it("is not held up by a broken flow of somebody else's, and names it", async () => {
    await deployRaw(server.url, [
      { id: 't0', type: 'tab', label: 'Theirs' },
      { id: 'n0', type: 'gone-module', z: 't0', name: 'Relic', x: 1, y: 1, wires: [] },
    ]);
    await using driver = connect(server.url);
    const { notes } = await driver.probe(never());
    expect(notes.join()).to.include('Relic').and.include('gone-module');
    expect(await apply(driver, [workflow('ours', flow('Ours', []))])).to.deep.equal(['applied']);
  });

  it('writes secrets, tells which are set, and refuses those the type does not have', async () => {
    await using driver = connect(server.url);
    const spec = {
      title: 'Main',
      type: 'mqtt-broker',
      settings: { broker: 'localhost', port: '1883', autoConnect: false },
    };
    const step = writeStep({ kind: 'Integration', name: 'main', spec, secrets: { user: 'bob', password: 'hunter22' } });
    expect(await apply(driver, [step])).to.deep.equal(['applied']);
    const main = await find(driver, 'Main');
    expect(main.secretsSet).to.deep.equal({ user: true, password: true });
    expect(JSON.stringify(main)).to.not.include('hunter22');
    const changed = { ...spec, settings: { ...spec.settings, port: '1884' } };
    expect(await apply(driver, [writeStep({ kind: 'Integration', name: 'main', spec: changed }, main)])).to.deep.equal([
      'applied',
    ]);
    const again = await find(driver, 'Main');
    expect(again.secretsSet).to.deep.equal({ user: true, password: true });
    const wrong = writeStep({ kind: 'Integration', name: 'main', spec: changed, secrets: { token: 'abc' } }, again);
    expect((await apply(driver, [wrong]))[0]).to.match(/^failed: unknown-secret .*token/);
  });

  it('does not take a config node or subflow away under a node that uses it', async () => {
    await using driver = connect(server.url);
    const retry = flow('Retry', [], { type: 'subflow', name: 'Retry', in: [], out: [] });
    const tls = writeStep({
      kind: 'Integration',
      name: 'tls',
      spec: { title: 'TLS', type: 'tls-config', settings: {} },
    });
    expect(await apply(driver, [tls, workflow('retry', retry)])).to.deep.equal(['applied', 'applied']);
    const user = flow('User', [
      node('a', 'subflow:@workflow/Retry'),
      node('b', 'http request', { tls: '@integration/tls-config/TLS', y: 200 }),
    ]);
    expect(await apply(driver, [workflow('user', user)])).to.deep.equal(['applied']);
    const [there, inUse] = [await find(driver, 'TLS'), await find(driver, 'Retry')];
    const outcomes = await apply(driver, [removeStep('delete', there, 'tls'), removeStep('delete', inUse, 'retry')]);
    for (const outcome of outcomes) expect(outcome).to.match(/^failed: in-use .*"User"/);
    const all = [
      removeStep('delete', await find(driver, 'User'), 'user'),
      removeStep('delete', there, 'tls'),
      removeStep('delete', inUse, 'retry'),
    ];
    expect(await apply(driver, all)).to.deep.equal(['applied', 'applied', 'applied']);
    expect((await rawFlows(server.url)).flows).to.deep.equal([]);
  });

  it('links flows that are written in different stages, in both directions', async () => {
    await using driver = connect(server.url);
    const a = flow('A', [node('out', 'link out', { name: 'to B', links: ['@link/B/from A'] })]);
    const b = flow('B', [node('in', 'link in', { name: 'from A', links: ['@link/A/to B'] })]);
    expect(await apply(driver, [workflow('a', a)])).to.deep.equal(['applied']);
    expect(await apply(driver, [workflow('b', b)])).to.deep.equal(['applied']);
    for (const [title, spec] of [
      ['A', a],
      ['B', b],
    ] as const) {
      const { active: _, ...seen } = (await find(driver, title)).value;
      expect(seen).to.deep.equal(driver.normalize('Workflow', spec));
    }
    const { flows } = await rawFlows(server.url);
    const ids = new Map(flows.map((entry) => [entry['name'], entry.id]));
    expect(flows.find((entry) => entry['name'] === 'to B')?.['links']).to.deep.equal([ids.get('from A')]);
  });

  it('leaves whether a flow is active alone unless it is told, and switches it when it is', async () => {
    await using driver = connect(server.url);
    const spec = flow('Switch', [node('c', 'comment')]);
    await apply(driver, [workflow('s', { ...spec, active: false })]);
    expect((await find(driver, 'Switch')).value['active']).to.equal(false);
    await apply(driver, [
      workflow('s', flow('Switch', [node('c', 'comment', { name: 'new' })]), await find(driver, 'Switch')),
    ]);
    expect((await find(driver, 'Switch')).value['active']).to.equal(false);
    await apply(driver, [workflow('s', { ...spec, active: true }, await find(driver, 'Switch'))]);
    expect((await find(driver, 'Switch')).value['active']).to.equal(true);
  });

  it('says again that something changed after the server was away', async () => {
    await using driver = connect(server.url);
    let count = 0;
    await using _ = driver.events(() => (count += 1), never());
    const deploy = async (): Promise<void> =>
      deployRaw(server.url, [{ id: 't9', type: 'tab', label: `T${Math.random()}` }]);
    await until(async () => {
      await deploy();
      await sleep(20);
      return count > 0;
    });
    await server.restart();
    const before = count;
    await until(async () => {
      await deploy();
      await sleep(50);
      return count > before;
    });
  });
});

describe('The Node-RED driver and the limits of a server', () => {
  let server: NodeRedServer;
  before(async () => {
    server = await startNodeRed({ adminAuth: true, settings: "apiMaxLength: '2kb'," });
  });
  after(async () => {
    await server.stop();
  });
  const auth = { password: async () => secret('correct horse') };

  it('logs in with user name and password, and says whose account it is', async () => {
    const routes: string[] = [];
    await using driver = connect(server.url, {
      username: 'admin',
      auth,
      onRequest: ({ route }) => void routes.push(route),
    });
    const facts = await driver.probe(never());
    expect(facts).to.deep.include({ account: 'admin', rights: ['*'] });
    expect(facts.capabilities.Workflow.create).to.equal('manage');
    expect(facts.capabilities.AccessRole.create).to.have.property('unsupported');
    expect(routes.filter((route) => route === '/auth/token')).to.have.lengthOf(1);
  });

  it('says that a password is wrong without repeating it', async () => {
    await using driver = connect(server.url, {
      username: 'admin',
      auth: { password: async () => secret('wrong-password') },
    });
    const error: unknown = await driver.probe(never()).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'unauthorized', retry: 'never' });
    expect(String(error)).to.not.include('wrong-password');
  });

  it('names apiMaxLength when a set of flows is too large, and writes what fits', async () => {
    await using driver = connect(server.url, { username: 'admin', auth });
    const big = flow('Big', [node('c', 'comment', { info: 'x'.repeat(5_000) })]);
    const [large, small] = await apply(driver, [workflow('big', big), workflow('small', flow('Small', []))]);
    expect(large).to.match(/^failed: too-large /);
    expect(small).to.equal('applied');
  });
});
