import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { ReconcilerError } from '../../../src/errors.ts';
import type { Connection, Triggered } from '../../../src/drivers/driver.ts';
import type { NodeRedDriver } from '../../../src/drivers/node-red/node-red.ts';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';
import { bcryptHash, call, login, until } from './operator-node-red.ts';
import { type NodeRedOptions, connect, deployRaw, never, secret, startNodeRed } from './server.ts';
import { KEEP, code, endpoint, httpIn, inject, tab } from './trigger-flows.ts';

const PASSWORD = 'correct horse';
const CANARY = 'canary-Order-4711';

const ORDERS = [
  tab('orders'),
  httpIn('orders', '/orders'),
  ...code('orders', `${KEEP} msg.payload = {got: msg.payload}; return msg;`),
];
const INJECTED = [tab('injected'), inject('injected'), ...code('injected', `${KEEP} return msg;`)];
const SEEN = [
  tab('seen'),
  httpIn('seen', '/seen', { method: 'get' }),
  ...code('seen', `msg.payload = global.get('seen') || {}; return msg;`),
];

function trigger(driver: NodeRedDriver, remote: string, input: JsonValue = {}): Promise<Triggered> {
  return driver.trigger({ remote, input, correlation: randomUUID() }, never());
}

async function failure(running: Promise<unknown>): Promise<ReconcilerError> {
  const error: unknown = await running.then(
    (value) => new Error(`it answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof ReconcilerError) return error;
  throw error;
}

async function start(
  options: NodeRedOptions,
  more: Partial<Connection> = {},
): Promise<AsyncDisposable & { readonly url: string; readonly driver: NodeRedDriver; restart(): Promise<void> }> {
  const server = await startNodeRed(options);
  const driver = connect(server.url, more);
  return {
    url: server.url,
    driver,
    restart: () => server.restart(),
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

describe('Running a workflow of a Node-RED without the add-on', () => {
  let server: Awaited<ReturnType<typeof start>>;
  const gate = `function (req, res, next) {
    if (req.path !== '/locked') return next();
    res.set('WWW-Authenticate', 'Basic realm="Authorization Required"'); res.sendStatus(401); }`;

  before(async () => {
    server = await start({ settings: `httpNodeRoot: '/hooks', httpNodeAuth: ${gate}` });
    const noSuch = `msg.statusCode = 404; msg.payload = 'no such order'; return msg;`;
    const login_ = `msg.statusCode = 401; msg.payload = 'who are you?'; return msg;`;
    await deployRaw(server.url, [
      ...ORDERS,
      ...INJECTED,
      ...SEEN,
      ...endpoint('locked', '/locked', 'return msg;'),
      ...endpoint('missing', '/missing', noSuch),
      ...endpoint('closed', '/closed', login_),
      // Express matches what is on the wire, where this letter is encoded: the route is never found.
      ...endpoint('never', '/größe', 'return msg;'),
      ...endpoint('silent', '/silent', 'return null;'),
    ]);
    await until(async () => (await fetch(`${server.url}/hooks/seen`)).ok);
  });
  after(async () => server[Symbol.asyncDispose]());

  it('finds its endpoints below httpNodeRoot, and tells the answer without an execution', async () => {
    expect(await trigger(server.driver, 'orders', { a: 1 })).to.deep.equal({
      answer: { status: 200, body: { got: { a: 1 } } },
    });
    expect(await server.driver.execution('1', never())).to.equal(undefined);
  });

  it('hands the correlation to the flow all the same', async () => {
    const correlation = randomUUID();
    await server.driver.trigger({ remote: 'orders', input: {}, correlation }, never());
    expect(await server.driver.trigger({ remote: 'injected', input: { b: 2 }, correlation }, never())).to.deep.equal(
      {},
    );
    const seen = (await (await fetch(`${server.url}/hooks/seen`)).json()) as Record<string, JsonObject>;
    expect(seen['orders']?.['headers']).to.include({ 'x-plumbline-correlation': correlation });
    expect(seen['injected']).to.deep.include({ payload: { b: 2 }, said: { correlation } });
  });

  it('says nothing of an answer when the flow gives none in time', async () => {
    expect(await trigger(server.driver, 'silent')).to.deep.equal({});
  });

  it("knows a flow's own 404 and 401 from those of the server", async () => {
    expect((await trigger(server.driver, 'missing')).answer).to.deep.equal({ status: 404, body: 'no such order' });
    expect((await trigger(server.driver, 'closed')).answer).to.deep.equal({ status: 401, body: 'who are you?' });
    expect(await failure(trigger(server.driver, 'never'))).to.include({ code: 'not-triggerable', retry: 'never' });
    const locked = await failure(trigger(server.driver, 'locked'));
    expect(locked).to.include({ code: 'unauthorized', retry: 'never' });
    expect(locked.remedy).to.contain('httpNodeAuth').and.contain('inject node');
  });

  it('refuses a correlation that is no UUID', async () => {
    const bad = server.driver.trigger({ remote: 'orders', input: {}, correlation: 'a\r\nb: c' }, never());
    expect((await failure(bad)).code).to.equal('bad-correlation');
  });
});

describe('Running a workflow of a Node-RED with access control', () => {
  let server: Awaited<ReturnType<typeof start>>;
  let token: string | undefined;
  const auth = { password: async () => secret(PASSWORD) };
  const users = `adminAuth: {type: 'credentials', users: [
    {username: 'admin', password: '${bcryptHash(PASSWORD)}', permissions: '*'},
    {username: 'reader', password: '${bcryptHash(PASSWORD)}', permissions: 'read'},
    {username: 'runner', password: '${bcryptHash(PASSWORD)}', permissions: ['read', 'inject.write']}]},`;
  const gate = `httpNodeMiddleware: function (req, res, next) { if (req.path === '/barred') res.sendStatus(202); else if (req.path !== '/held') next(); },
    httpNodeAuth: function (req, res, next) { req.path === '/locked' ? res.sendStatus(401) : next(); },`;
  const as = (username: string): NodeRedDriver => connect(server.url, { username, auth });
  const seen = async (): Promise<Record<string, JsonObject>> =>
    (await (await fetch(new URL('/red/seen', server.url))).json()) as Record<string, JsonObject>;

  before(async () => {
    server = await start(
      {
        addon: true,
        addonOptions: '{executions: {settleMs: 100, announced: {keepMs: 60000}}}',
        adminRoot: '/admin',
        settings: `${users} httpNodeRoot: '/red', apiMaxLength: '20kb', ${gate}`,
      },
      { username: 'admin', auth },
    );
    token = await login(server.url, 'admin', PASSWORD);
    const deployed = await call(server.url, token, [
      'POST',
      '/flows',
      [
        ...ORDERS,
        ...INJECTED,
        ...SEEN,
        ...endpoint('locked', '/locked', 'return msg;'),
        ...endpoint('barred', '/barred', 'return msg;'),
        ...endpoint('held', '/held', 'return msg;'),
        ...endpoint('outside', '/flows', 'return msg;'),
      ],
    ]);
    expect(deployed.status).to.equal(204);
    await until(async () => (await fetch(new URL('/red/seen', server.url))).ok);
  });
  after(async () => server[Symbol.asyncDispose]());

  it('finds its endpoints beside the admin API, and shows no flow a credential', async () => {
    const { answer, execution } = await trigger(server.driver, 'orders', { a: 1 });
    expect(answer?.body).to.deep.equal({ got: { a: 1 } });
    expect(execution).to.be.a('string');
    expect((await seen())['orders']?.['headers']).not.to.have.property('authorization');
    expect((await trigger(server.driver, 'outside')).answer?.status, 'the admin API is elsewhere').to.equal(200);
  });

  it('an answer by something before the flow is no answer of the flow, whatever its status', async () => {
    expect(await failure(trigger(server.driver, 'locked'))).to.include({ code: 'unauthorized', retry: 'never' });
    expect(await failure(trigger(server.driver, 'barred'))).to.include({ code: 'refused', retry: 'never' });
    const large = await failure(trigger(server.driver, 'orders', { text: CANARY.repeat(2_000) }));
    expect(large).to.include({ code: 'refused' });
    const injected = await failure(trigger(server.driver, 'injected', { text: CANARY.repeat(2_000) }));
    expect(injected).to.include({ code: 'refused', retry: 'never' });
    expect(injected.message).to.contain('413');
    expect(inspect([large, injected], { depth: 9 })).not.to.contain(CANARY);
  });

  it('a request that something before the flow holds back has an unknown outcome', async () => {
    expect(await failure(trigger(server.driver, 'held'))).to.include({ code: 'outcome-unknown', retry: 'never' });
  });

  it('needs the right to inject for an inject node, and the right to announce to be recognised', async () => {
    await using reader = as('reader');
    const refused = await failure(trigger(reader, 'injected', { text: CANARY }));
    expect(refused).to.include({ code: 'unauthorized', retry: 'never' });
    expect(inspect(refused, { depth: 9 }))
      .not.to.contain(CANARY)
      .and.not.contain(PASSWORD);
    await using runner = as('runner');
    expect(await trigger(runner, 'injected', { text: 'by runner' })).to.deep.equal({});
    expect((await seen())['injected']?.['payload']).to.deep.equal({ text: 'by runner' });
  });

  it('tells strangers nothing of executions, and takes no announcement from them', async () => {
    const { execution = '' } = await trigger(server.driver, 'orders', {});
    const announcement = { correlation: randomUUID(), workflow: 'orders', entry: 'orders-in/orders' };
    const reader = await login(server.url, 'reader', PASSWORD);
    for (const [path, body] of [
      ['/plumbline/executions'],
      [`/plumbline/executions/${execution}`],
      [`/plumbline/correlations/${announcement.correlation}`],
      ['/plumbline/correlations', announcement],
    ] as const) {
      const request = [body === undefined ? 'GET' : 'POST', path, body] as const;
      expect((await call(server.url, undefined, request)).status, path).to.equal(401);
      if (body !== undefined) expect((await call(server.url, reader, request)).status, 'reading only').to.equal(401);
    }
    expect((await call(server.url, token, ['GET', `/plumbline/executions/${execution}`])).status).to.equal(200);
  });

  it('no error holds the input, the password or the token', async () => {
    await server.restart();
    const errors = [
      await failure(trigger(server.driver, 'gone', CANARY)),
      await failure(trigger(server.driver, 'orders', CANARY)),
    ];
    await using wrong = connect(server.url, {
      username: 'admin',
      auth: { password: async () => secret(`${CANARY}-password`) },
    });
    errors.push(await failure(trigger(wrong, 'orders', {})));
    expect(errors.map(({ code: word }) => word)).to.deep.equal(['not-found', 'not-triggerable', 'unauthorized']);
    expect(inspect(errors, { depth: 9 }))
      .not.to.contain(CANARY)
      .and.not.contain(PASSWORD)
      .and.not.contain(token ?? '');
  });
});

describe('Running a workflow of a Node-RED whose endpoints are closed', () => {
  it('tells that httpNodeAuth asks for a login', async () => {
    const basic = `httpNodeAuth: {user: 'guest', pass: '${bcryptHash(PASSWORD)}'},`;
    await using server = await start({ settings: basic });
    await deployRaw(server.url, [...ORDERS, ...INJECTED]);
    await until(async () => (await fetch(`${server.url}/orders`)).status === 401);
    const refused = await failure(trigger(server.driver, 'orders'));
    expect(refused).to.include({ code: 'unauthorized', retry: 'never' });
    expect(refused.remedy).to.contain('httpNodeAuth').and.contain('inject node');
    expect(await trigger(server.driver, 'injected')).to.deep.equal({});
    expect((await server.driver.probe(never())).notes.join(), 'that is no add-on').to.contain('not installed');
  });

  it('tells that httpNodeRoot is false, before anything is sent', async () => {
    await using server = await start({ addon: true, settings: 'httpNodeRoot: false,' });
    await deployRaw(server.url, [...ORDERS, ...INJECTED]);
    const refused = await failure(trigger(server.driver, 'orders'));
    expect(refused).to.include({ code: 'not-triggerable', retry: 'never' });
    expect(refused.message).to.contain('httpNodeRoot is false');
    // A deploy is answered before its nodes run.
    await until(async () => {
      const triggered = await trigger(server.driver, 'injected').catch(() => undefined);
      return typeof triggered?.execution === 'string';
    });
  });
});

describe('Announcements of runs', () => {
  it('expire, and are bounded', async () => {
    await using server = await start({
      addon: true,
      addonOptions: '{executions: {settleMs: 50, announced: {keepMs: 1500, most: 2}}}',
    });
    await deployRaw(server.url, [...ORDERS, ...SEEN]);
    await until(async () => (await fetch(`${server.url}/seen`)).ok);
    const announce = async (correlation: string, workflow: JsonValue = 'orders'): Promise<number> =>
      (
        await call(server.url, undefined, [
          'POST',
          '/plumbline/correlations',
          { correlation, workflow, entry: 'orders-in/orders' },
        ])
      ).status;
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    expect([await announce(first), await announce(first), await announce(second), await announce(third)]).to.deep.equal(
      [201, 409, 201, 503],
    );
    expect(await trigger(server.driver, 'orders', {}), 'it runs all the same').to.deep.equal({
      answer: { status: 200, body: { got: {} } },
    });
    await until(
      async () => (await call(server.url, undefined, ['GET', `/plumbline/correlations/${second}`])).status === 404,
    );
    await fetch(`${server.url}/orders`, { method: 'POST', headers: { 'x-plumbline-correlation': first } });
    const { executions } = await until(async () => {
      const page = await server.driver.executions(undefined, never());
      return page.executions.filter(({ workflow }) => workflow === 'orders').length === 2 && page;
    });
    expect(executions.map(({ correlation }) => correlation)).not.to.include(first);
    expect(await announce(third)).to.equal(201);
    for (const [bad, workflow] of [['x'], [`${third}\n`], [randomUUID(), 7], [randomUUID(), '']] as const) {
      expect(await announce(bad, workflow), bad).to.equal(422);
    }
  });
});
