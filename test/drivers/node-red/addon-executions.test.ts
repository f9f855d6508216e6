import { expect } from 'chai';
import type { Driver } from '../../../src/drivers/driver.ts';
import { driverNamed } from '../../../src/drivers/index.ts';
import { SecretStore } from '../../../src/secrets/store.ts';
import type { ExecutionPage } from '../../../src/drivers/node-red/addon-runs.ts';
import { bcryptHash, call, login, type OperatorNodeRed, startOperatorNodeRed, until } from './operator-node-red.ts';

function driverFor(url: string): Driver {
  return driverNamed('node-red').connect({
    platform: 'red',
    url,
    username: 'admin',
    auth: { password: async () => new SecretStore({ env: {}, hashKey: new Uint8Array(32) }).hold('secret') },
    limits: { concurrency: 2, requestsPerSecond: 1_000, timeout: 10_000 },
    onRequest: () => {},
  });
}

type Node = Readonly<Record<string, unknown>>;

const KEEP = 60;
const httpIn = (z: string, to: string): Node => ({
  id: `${z}-in`,
  z,
  type: 'http in',
  url: `/${z}`,
  method: 'get',
  wires: [[to]],
});
const answer = (z: string): Node => ({ id: `${z}-out`, z, type: 'http response', statusCode: '', wires: [] });
const code = (z: string, func: string, to: readonly string[], id = `${z}-fn`): Node => ({
  id,
  z,
  type: 'function',
  func,
  outputs: 1,
  wires: [to],
});
// A node without a place on the canvas is a config node to the runtime.
const placed = (node: Node): Node => ('z' in node ? { ...node, x: 100, y: 100 } : node);
const tab = (id: string): Node => ({ id, type: 'tab', label: id });

/** Tabs start in this order: when the last one answers, all are up. */
const FLOWS: readonly Node[] = [
  ...['caught', 'thrown', 'parts', 'inside', 'slow', 'caller', 'callee', 'hung', 'late', 'branches', 'plain'].map(tab),
  httpIn('plain', 'plain-fn'),
  code('plain', 'return msg;', ['plain-out']),
  answer('plain'),
  httpIn('caught', 'caught-fn'),
  code('caught', 'throw new Error("customer 4711");', []),
  { id: 'caught-catch', z: 'caught', type: 'catch', scope: null, wires: [['caught-out']] },
  answer('caught'),
  httpIn('thrown', 'thrown-fn'),
  code('thrown', 'node.error("customer 4711"); return msg;', ['thrown-out']),
  answer('thrown'),
  httpIn('parts', 'parts-make'),
  code('parts', 'msg.payload = [1, 2, 3]; return msg;', ['parts-split'], 'parts-make'),
  {
    id: 'parts-split',
    z: 'parts',
    type: 'split',
    arraySplt: 1,
    arraySpltType: 'len',
    spltType: 'str',
    splt: '\\n',
    wires: [['parts-fn']],
  },
  code('parts', 'return msg;', ['parts-join']),
  { id: 'parts-join', z: 'parts', type: 'join', mode: 'auto', wires: [['parts-out']] },
  answer('parts'),
  {
    id: 'sub',
    type: 'subflow',
    name: 'sub',
    in: [{ wires: [{ id: 'sub-fn' }] }],
    out: [{ wires: [{ id: 'sub-fn', port: 0 }] }],
  },
  code('sub', 'return msg;', []),
  httpIn('inside', 'inside-sub'),
  { id: 'inside-sub', z: 'inside', type: 'subflow:sub', wires: [['inside-out']] },
  answer('inside'),
  httpIn('slow', 'slow-delay'),
  {
    id: 'slow-delay',
    z: 'slow',
    type: 'delay',
    pauseType: 'delay',
    timeout: '300',
    timeoutUnits: 'milliseconds',
    wires: [['slow-out']],
  },
  answer('slow'),
  httpIn('caller', 'caller-call'),
  {
    id: 'caller-call',
    z: 'caller',
    type: 'link call',
    links: ['callee-in'],
    linkType: 'static',
    timeout: '5',
    wires: [['caller-out']],
  },
  answer('caller'),
  { id: 'callee-in', z: 'callee', type: 'link in', links: [], wires: [['callee-fn']] },
  code('callee', 'return msg;', ['callee-back']),
  { id: 'callee-back', z: 'callee', type: 'link out', mode: 'return', links: [], wires: [] },
  httpIn('hung', 'hung-fn'),
  code('hung', 'node.send(msg); if (false) node.done();', ['hung-out']),
  answer('hung'),
  httpIn('late', 'late-fn'),
  code('late', 'setTimeout(() => node.send(msg), 60);', ['late-out']),
  answer('late'),
  {
    id: 'branches-inject',
    z: 'branches',
    type: 'inject',
    props: [{ p: 'payload' }],
    repeat: '',
    once: false,
    wires: [['branches-a', 'branches-b']],
  },
  code('branches', 'return msg;', ['branches-debug'], 'branches-a'),
  code('branches', 'return msg;', ['branches-debug'], 'branches-b'),
  {
    id: 'branches-debug',
    z: 'branches',
    type: 'debug',
    active: false,
    complete: 'payload',
    targetType: 'msg',
    wires: [],
  },
];

describe('executions of a Node-RED with the add-on', () => {
  let red: OperatorNodeRed;
  let token: string | undefined;
  let cursor: string;

  before(async () => {
    const auth = `{type: 'credentials', users: [{username: 'admin', password: '${bcryptHash('secret')}', permissions: '*'}]}`;
    red = await startOperatorNodeRed(
      `{adminAuth: ${auth}}`,
      `{executions: {settleMs: 150, idleMs: 1200, keep: ${KEEP}}}`,
    );
    token = await login(red.url, 'admin', 'secret');
    const deployed = await call(red.url, token, ['POST', '/flows', FLOWS.map(placed)]);
    expect(deployed.status).to.equal(204);
    await until(async () => (await fetch(`${red.url}/plain`)).status === 200);
    await until(async () => (await read()).executions.length > 0);
  });
  beforeEach(async () => {
    cursor = (await read()).next;
  });
  after(() => red.stop());

  const read = async (after?: string): Promise<ExecutionPage> => {
    const query = after === undefined ? '' : `?after=${after}`;
    return (await call(red.url, token, ['GET', `/plumbline/executions${query}`])).json as ExecutionPage;
  };
  /** Everything that ended since the test began, once nothing is running any more. */
  const settled = (): Promise<ExecutionPage> =>
    until(async () => {
      const page = await read(cursor);
      return page.running === 0 && page.executions.length > 0 && page;
    });

  for (const [flow, what] of [
    ['plain', 'a request through http in, function and http response'],
    ['parts', 'a message that is split and joined'],
    ['inside', 'a message through a subflow, on the tab of its instance'],
    ['late', 'a message that a function sends after it has returned'],
  ] as const) {
    it(`${what} is one execution that succeeded`, async () => {
      expect((await fetch(`${red.url}/${flow}`)).status).to.equal(200);
      const { executions } = await settled();
      expect(executions.map(({ workflow, status, unfinished }) => ({ workflow, status, unfinished }))).to.deep.equal([
        { workflow: flow, status: 'success', unfinished: undefined },
      ]);
    });
  }

  it('an error that a catch node deals with still counts as an error, without the text of the error', async () => {
    await fetch(`${red.url}/caught`);
    const { executions } = await settled();
    expect(executions).to.have.length(1);
    expect(executions[0]).to.deep.include({ workflow: 'caught', status: 'error', caught: true });
    expect(executions[0]?.error).to.equal('Error in function caught-fn');
    expect(JSON.stringify(executions)).not.to.contain('4711');
  });

  it('an error that a node only logs counts for the execution it was working on', async () => {
    await fetch(`${red.url}/thrown`);
    const { executions } = await settled();
    expect(executions).to.have.length(1);
    expect(executions[0]).to.deep.include({ workflow: 'thrown', status: 'error' });
  });

  it('a delay belongs to the duration, the time in which nothing happened any more does not', async () => {
    await fetch(`${red.url}/slow`);
    const { executions } = await settled();
    expect(executions).to.have.length(1);
    const [one] = executions;
    expect(one?.durationMs).to.be.at.least(290);
    expect((one?.endedAt ?? 0) - (one?.startedAt ?? 0)).to.be.closeTo(one?.durationMs ?? 0, 1);
  });

  it('a link call is one execution on each of the two tabs', async () => {
    await fetch(`${red.url}/caller`);
    const { executions } = await settled();
    expect(executions.map(({ workflow }) => workflow).toSorted()).to.deep.equal(['callee', 'caller']);
  });

  it('two branches of one inject are one execution', async () => {
    await call(red.url, token, ['POST', '/inject/branches-inject']);
    const { executions } = await settled();
    expect(executions.map(({ workflow }) => workflow)).to.deep.equal(['branches']);
  });

  it('a node that never says done does not keep an execution for ever: it ends as success, marked as unfinished', async () => {
    await fetch(`${red.url}/hung`);
    const { executions } = await settled();
    expect(executions).to.have.length(1);
    expect(executions[0]).to.deep.include({ workflow: 'hung', status: 'success', unfinished: true });
    expect(executions[0]?.durationMs).to.be.lessThan(1200);
  });

  it('requests that overlap are counted apart', async () => {
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${red.url}/slow`)));
    const { executions } = await settled();
    expect(executions).to.have.length(20);
    expect(new Set(executions.map(({ id }) => id)).size).to.equal(20);
  });

  it('a reader that hands back its cursor sees each execution once, and is told how many it missed', async () => {
    const sent = KEEP + 15;
    await Promise.all(Array.from({ length: sent }, () => fetch(`${red.url}/plain`)));
    const page = await until(async () => {
      const now = await read(cursor);
      return now.running === 0 && now.executions.length + now.lost === sent && now;
    });
    expect(page.lost).to.equal(15);
    await using driver = driverFor(red.url);
    const signal = AbortSignal.timeout(10_000);
    expect(await driver.executions?.(cursor, signal)).to.include({ cursor: page.next, lost: 15 });
    expect((await driver.executions?.(undefined, signal))?.lost, 'nobody asked before').to.equal(0);
    const next = await read(page.next);
    expect(next.executions).to.deep.equal([]);
    expect(next.lost).to.equal(0);
  });

  it('after a restart a reader is told that the cursor is of another time', async () => {
    await red.restart();
    token = await login(red.url, 'admin', 'secret');
    const page = await read(cursor);
    expect(page.restarted).to.equal(true);
    expect(page.executions).to.deep.equal([]);
    expect((await read(page.next)).restarted).to.equal(false);
  });
});
