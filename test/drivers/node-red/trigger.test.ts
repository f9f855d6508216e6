import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { ReconcilerError } from '../../../src/errors.ts';
import type { Execution, RequestObserver, Triggered } from '../../../src/drivers/driver.ts';
import { MOST_UNANSWERED } from '../../../src/drivers/node-red/flow-call.ts';
import type { NodeRedDriver } from '../../../src/drivers/node-red/node-red.ts';
import type { JsonValue } from '../../../src/manifest/manifest.ts';
import { FaultProxy } from '../fault-proxy.ts';
import { freePort } from '../../platforms/processes.ts';
import { until } from './operator-node-red.ts';
import { type NodeRedServer, connect, deployRaw, never, startNodeRed } from './server.ts';
import { FLOWS, code, httpIn, tab } from './trigger-flows.ts';

const CANARY = 'canary-Order-4711';

interface Seen {
  readonly count: number;
  readonly payload?: JsonValue;
  readonly topic?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
}

describe('Running a workflow of Node-RED on demand', () => {
  let server: NodeRedServer;
  let proxy: FaultProxy;
  let driver: NodeRedDriver;

  before(async () => {
    server = await startNodeRed({ addon: true, addonOptions: '{executions: {settleMs: 100}}' });
    await deployRaw(server.url, FLOWS);
    proxy = await FaultProxy.start(server.url);
    await until(async () => (await fetch(`${server.url}/seen`)).ok);
  });
  beforeEach(() => {
    proxy.rules.clear();
    proxy.forget();
    driver = connect(proxy.url);
  });
  afterEach(async () => driver[Symbol.asyncDispose]());
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server.stop();
  });

  const run = (
    remote: string,
    input: JsonValue = {},
    more: { entry?: string; correlation?: string } = {},
  ): Promise<Triggered> => driver.trigger({ remote, input, correlation: randomUUID(), ...more }, never());
  const silent = (by: NodeRedDriver): Promise<Triggered> =>
    by.trigger({ remote: 'silent', input: {}, correlation: randomUUID() }, never());
  const failure = async (running: Promise<unknown>): Promise<ReconcilerError> => {
    const error = await running.then(
      (value) => new Error(`it answered ${JSON.stringify(value)}`),
      (thrown: unknown) => thrown,
    );
    if (error instanceof ReconcilerError) return error;
    throw error;
  };
  const seen = async (): Promise<Readonly<Record<string, Seen>>> =>
    (await (await fetch(`${server.url}/seen`)).json()) as Record<string, Seen>;
  const count = async (flow: string): Promise<number> => (await seen())[flow]?.count ?? 0;
  const requests = (path: RegExp): number => proxy.writes.filter((request) => path.test(request.path)).length;
  const ended = (correlation: string): Promise<Execution> =>
    until(async () =>
      (await driver.executions(undefined, never())).executions.find((one) => one.correlation === correlation),
    );

  it('posts the input to its http in node and tells what it answered', async () => {
    const input = { customer: 'Žižek & Söhne 🦊', lines: [1, { two: null }] };
    const { answer } = await run('orders', input);
    expect(answer).to.deep.equal({ status: 200, body: { got: input } });
    expect((await seen())['orders']?.payload).to.deep.equal(input);
    expect(requests(/^\/orders$/)).to.equal(1);
  });

  it('tells the execution at once, which is running first and is found again by its correlation when it has ended', async () => {
    const correlation = randomUUID();
    const { execution, answer } = await run('slow', {}, { correlation });
    expect(answer, 'slower than anybody waits').to.equal(undefined);
    const running = await driver.execution(execution ?? '', never());
    expect(running).to.deep.include({ id: execution, workflow: 'slow', status: 'running', correlation });
    expect(running).not.to.have.property('endedAt');
    const page = (await (await fetch(`${server.url}/plumbline/executions`)).json()) as { open: Execution[] };
    expect(page.open.map(({ id }) => id)).to.include(execution);
    await fetch(`${server.url}/open`);
    const done = await ended(correlation);
    expect(done).to.deep.include({ id: execution, workflow: 'slow', status: 'success', correlation });
    expect(await driver.execution(execution ?? '', never())).to.deep.equal(done);
    expect(requests(/^\/slow$/)).to.equal(1);
  });

  it('an execution that nobody knows is undefined', async () => {
    expect(await driver.execution('feed-1', never())).to.equal(undefined);
  });

  it('fills the parameters of the url from the fields of the input', async () => {
    const { answer } = await run('lines', { id: 'a/b ä', line: 3, more: true });
    expect(answer?.status).to.equal(200);
    const last = (await seen())['lines'];
    expect(last?.params).to.deep.equal({ id: 'a/b ä', line: '3' });
    expect(last?.payload, 'the input stays whole').to.deep.equal({ id: 'a/b ä', line: 3, more: true });
  });

  it('refuses an input that lacks a parameter of the url, or would leave the path', async () => {
    for (const input of [
      { id: 'a' },
      { id: 'a', line: {} },
      { id: 'a', line: '' },
      [],
      { id: '..', line: '..' },
      { id: 'a', line: '\ud800' },
    ]) {
      const error = await failure(run('lines', input));
      expect(error, JSON.stringify(input)).to.include({ code: 'not-triggerable', retry: 'never' });
    }
    expect((await failure(run('lines', { id: CANARY }))).message)
      .to.contain('"line"')
      .and.not.contain(CANARY);
    expect(requests(/^(?!\/plumbline)/), 'nothing was sent').to.equal(0);
  });

  it('hands the input to an inject node as its payload, beside what is set up there', async () => {
    const correlation = randomUUID();
    const { execution, answer } = await run('injected', { text: 'größer' }, { correlation });
    expect(answer).to.equal(undefined);
    expect((await seen())['injected']).to.deep.include({
      count: 1,
      payload: { text: 'größer' },
      topic: 'as set up',
      said: { correlation },
    });
    expect((await ended(correlation)).id).to.equal(execution);
    expect(requests(/inject/)).to.equal(1);
  });

  it('runs the entry that is named', async () => {
    expect((await run('several', {}, { entry: 'Second way' })).answer?.body).to.equal('/second');
    expect((await run('several', {}, { entry: 'First way' })).answer?.body).to.equal('/first');
    const before = await count('several');
    await run('several', {}, { entry: 'By hand' });
    expect(await count('several')).to.equal(before + 1);
    expect(requests(/inject/)).to.equal(1);
  });

  it('takes any input to an inject node, and objects and lists to an http in node', async () => {
    for (const input of [0, '', false, null, 'ö', []]) {
      await run('injected', input);
      expect((await seen())['injected']?.payload).to.deep.equal(input);
    }
    expect((await run('orders', [1])).answer?.body).to.deep.equal({ got: [1] });
    for (const input of [1, CANARY, null])
      expect((await failure(run('orders', input))).code).to.equal('not-triggerable');
    expect(requests(/^\/orders$/)).to.equal(1);
  });

  it('names the entries there are when there are several, or none by that name', async () => {
    for (const error of [await failure(run('several')), await failure(run('several', {}, { entry: 'Third way' }))]) {
      expect(error).to.include({ code: 'not-triggerable', retry: 'never' });
      expect(error.remedy).to.contain('"First way"').and.contain('"Second way"').and.not.contain('Reading');
    }
    expect((await failure(run('several', {}, { entry: 'Reading' }))).message).to.contain('takes no input');
  });

  it('says what to add to a workflow that has no entry', async () => {
    const error = await failure(run('none'));
    expect(error).to.include({ code: 'not-triggerable', retry: 'never' });
    expect(error.message).to.contain('"The none"');
    expect(error.remedy).to.contain('Add an inject node');
  });

  it('refuses a workflow that is not active, a subflow, and one that is not there', async () => {
    const off = await failure(run('off'));
    expect(off).to.include({ code: 'not-triggerable', retry: 'never', remedy: 'Set spec.active to true and sync.' });
    expect(await failure(run('part'))).to.include({ code: 'not-triggerable', remedy: 'Run a tab that uses it.' });
    expect(requests(/./), 'nothing was sent').to.equal(0);
    expect(await failure(run('gone'))).to.include({ code: 'not-found', retry: 'never' });
    expect((await failure(run('orders-fn'))).code).to.equal('not-found');
  });

  it('an answer of the flow is an answer, whatever its status', async () => {
    expect((await run('failing')).answer).to.deep.equal({ status: 500, body: { wrong: 'stock' } });
    expect((await run('unknown')).answer).to.deep.equal({ status: 404, body: { no: 'such order' } });
  });

  it('cuts an answer that is too large, at a character', async () => {
    const { answer } = await run('huge');
    expect(answer?.status).to.equal(200);
    expect(answer?.body).to.equal(`x${'ä'.repeat((64 * 1024 - 2) / 2)}`);
  });

  it('does not wait for a flow that never answers, and holds a bounded number of such requests', async () => {
    const before = await count('silent');
    await using patient = connect(server.url);
    const one = (): Promise<Triggered> => silent(patient);
    const all = await Promise.all(Array.from({ length: MOST_UNANSWERED }, one));
    expect(new Set(all.map(({ execution }) => execution)).size).to.equal(MOST_UNANSWERED);
    expect(all.every(({ answer }) => answer === undefined)).to.equal(true);
    expect(await failure(one())).to.include({ code: 'too-many-requests', retry: 'backoff' });
    expect(await count('silent')).to.equal(before + MOST_UNANSWERED);
  });

  it('goes on with a request when nobody waits for its answer any more', async () => {
    const told: string[] = [];
    const onRequest: RequestObserver = ({ route, code: status }) => void told.push(`${route} ${status}`);
    await using patient = connect(server.url, { onRequest });
    await patient.trigger({ remote: 'slow', input: {}, correlation: randomUUID() }, AbortSignal.timeout(10_000));
    expect(told.join()).not.to.contain('/:endpoint');
    await fetch(`${server.url}/open`);
    await until(() => told.includes('/:endpoint 200'));
  });

  it('gives a request up after its timeout, so that others find room', async () => {
    await using hasty = connect(server.url, { limits: { concurrency: 4, requestsPerSecond: 1_000, timeout: 3_000 } });
    await Promise.all(Array.from({ length: MOST_UNANSWERED }, () => silent(hasty)));
    await until(async () => (await silent(hasty).catch(() => undefined)) !== undefined);
  });

  it('never sends a request twice whose connection breaks after it was sent: its outcome is unknown', async () => {
    for (const [remote, path] of [
      ['orders', /^\/orders$/],
      ['lines', /^\/orders\/1/],
      ['injected', /inject/],
    ] as const) {
      const before = await count(remote);
      proxy.rules.add({ path, writes: true, times: 5, action: { do: 'reset', when: 'after' } });
      const error = await failure(run(remote, { id: 1, line: 2, note: CANARY }));
      expect(error, remote).to.include({ code: 'outcome-unknown', retry: 'never' });
      await proxy.idle();
      expect(requests(path), remote).to.equal(1);
      expect(await count(remote), remote).to.equal(before + 1);
    }
  });

  it('a request that is stopped while it waits has an unknown outcome', async () => {
    const stop = new AbortController();
    proxy.rules.add({ path: /^\/orders$/, action: { do: 'hold', at: 'sent', tell: () => stop.abort() } });
    const running = driver.trigger({ remote: 'orders', input: {}, correlation: randomUUID() }, stop.signal);
    expect((await failure(running)).code).to.equal('outcome-unknown');
  });

  it('a server that is not there is unreachable', async () => {
    await using nobody = connect(`http://127.0.0.1:${await freePort()}`);
    const error = await failure(nobody.trigger({ remote: 'orders', input: {}, correlation: randomUUID() }, never()));
    expect(error).to.include({ code: 'platform-unreachable', retry: 'backoff' });
  });

  it('an endpoint that refuses the connection was not reached: nothing was started', async () => {
    const own = await FaultProxy.start(server.url);
    let closed: Promise<void> | undefined;
    await using cut = connect(own.url, {
      onRequest: ({ route }) => {
        if (route === '/plumbline/correlations') closed = own[Symbol.asyncDispose]();
      },
    });
    const before = await count('orders');
    const running = cut.trigger({ remote: 'orders', input: {}, correlation: randomUUID() }, never());
    expect(await failure(running)).to.include({ code: 'platform-unreachable', retry: 'backoff' });
    await closed;
    expect(await count('orders')).to.equal(before);
  });

  it('tells how long a flow took to answer, under a name that holds no address', async () => {
    const told: string[] = [];
    await using observed = connect(server.url, {
      onRequest: ({ method, route, code: status }) => void told.push(`${method} ${route} ${status}`),
    });
    await observed.trigger({ remote: 'failing', input: {}, correlation: randomUUID() }, never());
    await until(() => told.includes('POST /:endpoint 500'));
    expect(told.join()).not.to.contain('/failing');
  });

  it('when the connection breaks while the run is announced, nothing is started', async () => {
    const before = await count('orders');
    proxy.rules.add({ path: /correlations/, action: { do: 'reset', when: 'after' } });
    expect(await failure(run('orders'))).to.include({ code: 'platform-unreachable', retry: 'backoff' });
    expect(await count('orders')).to.equal(before);
  });

  it('a correlation that was not announced, or for another workflow, is not recorded', async () => {
    const [stranger, elsewhere] = [randomUUID(), randomUUID()];
    const announced = await fetch(`${server.url}/plumbline/correlations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ correlation: elsewhere, workflow: 'failing', entry: 'failing-in/failing' }),
    });
    expect(announced.status).to.equal(201);
    const post = (correlation: string): Promise<Response> =>
      fetch(`${server.url}/orders`, { method: 'POST', headers: { 'x-plumbline-correlation': correlation } });
    const last = randomUUID();
    await run('orders', {}, { correlation: last });
    await ended(last);
    const { cursor } = await driver.executions(undefined, never());
    for (const correlation of [stranger, elsewhere, `${stranger}'`, 'x'.repeat(5_000)]) await post(correlation);
    const told = await until(async () => {
      const { executions } = await driver.executions(cursor, never());
      return executions.filter(({ workflow }) => workflow === 'orders').length >= 4 && executions;
    });
    expect(told.filter(({ correlation }) => correlation !== undefined)).to.deep.equal([]);
  });

  it('a correlation is recorded once: who repeats it has no part in it, and the same trigger is refused', async () => {
    const correlation = randomUUID();
    const { execution } = await run('orders', {}, { correlation });
    const before = await count('orders');
    await fetch(`${server.url}/orders`, { method: 'POST', headers: { 'x-plumbline-correlation': correlation } });
    expect(await failure(run('orders', {}, { correlation }))).to.include({ code: 'already-triggered', retry: 'never' });
    const last = randomUUID();
    await run('orders', {}, { correlation: last });
    await ended(last);
    const { executions } = await driver.executions(undefined, never());
    expect(executions.filter((one) => one.correlation === correlation).map(({ id }) => id)).to.deep.equal([execution]);
    expect(await count('orders')).to.equal(before + 2);
  });

  it('refuses an endpoint that another workflow could answer, or that leads to the admin API', async () => {
    const error = await failure(run('wide', { id: 'new' }));
    expect(error.code).to.equal('not-triggerable');
    expect(error.message).to.contain('"The rival"');
    expect((await run('wide', { id: 'old' })).answer?.status).to.equal(200);
    for (const area of ['flow', 'FLOW', 'inject']) {
      expect((await failure(run('astray', { area, what: 'orders' }))).message, area).to.contain('admin API');
    }
    expect(requests(/^\/(flow|inject)/i)).to.equal(0);
  });

  it('says why when a missing node type stops all flows', async () => {
    await using other = await startWith([
      tab('t'),
      httpIn('t', '/t'),
      ...code('t', 'return msg;'),
      { id: 'x', type: 'not there', z: 't', x: 1, y: 1, wires: [] },
    ]);
    const error = await failure(other.driver.trigger({ remote: 't', input: {}, correlation: randomUUID() }, never()));
    expect(error.code).to.equal('not-triggerable');
    expect(error.message).to.contain('not there');
  });
});

/** A server without the add-on. */
async function startWith(
  flows: Parameters<typeof deployRaw>[1],
  settings = '',
): Promise<AsyncDisposable & { readonly driver: NodeRedDriver; readonly url: string }> {
  const server = await startNodeRed({ settings });
  await deployRaw(server.url, flows);
  const driver = connect(server.url);
  return {
    driver,
    url: server.url,
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
