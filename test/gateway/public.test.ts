import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { exchange, hmac, openDoor, standardHeaders } from './doorstep.ts';
import type { Configured, Doorstep } from './doorstep.ts';

const SECRET = 'a-secret-between-the-two';
const EVENT = '{"event_type":"order.created","data":{"id":42,"amount":10}}';
const GITHUB: Configured = { syncs: { orders: { provider: 'github', secret: SECRET } } };
const BEARER: Configured = { platforms: { prod: { scheme: 'bearer', secret: SECRET } } };
const TOKEN = { authorization: `Bearer ${SECRET}` };

function pushed(body: string, headers: Record<string, string> = {}): Record<string, string> {
  return { 'x-hub-signature-256': `sha256=${hmac(SECRET, body)}`, ...headers };
}

function standard(door: Doorstep, body: string, id?: string): Record<string, string> {
  return standardHeaders(body, { secret: SECRET, now: door.now, ...(id === undefined ? {} : { id }) });
}

async function answer(response: Promise<Response>): Promise<{ status: number; body: unknown }> {
  const got = await response;
  return { status: got.status, body: await got.json() };
}

describe('git pushes', () => {
  it('that are signed make Plumbline look again, whatever they say', async () => {
    await using door = await openDoor(GITHUB);
    for (const body of ['{"ref":"refs/heads/main"}', '{"ref":"refs/heads/other"}', 'payload=%7B%7D', 'not json'])
      expect(await answer(door.post('/hooks/git/orders', pushed(body), body))).to.deep.equal({
        status: 202,
        body: { status: 'received' },
      });
    expect(door.looks).to.deep.equal(Array(4).fill('syncs/orders'));
  });

  it('of every provider are taken over the wire', async () => {
    const syncs: Configured['syncs'] = {
      github: { provider: 'github', secret: SECRET },
      gitlab: { provider: 'gitlab', secret: SECRET },
      gitea: { provider: 'gitea', secret: SECRET },
      forgejo: { provider: 'forgejo', secret: SECRET },
      bitbucket: { provider: 'bitbucket', secret: SECRET },
      standard: { provider: 'standard-webhooks', secret: SECRET },
      generic: { provider: 'generic', secret: SECRET },
    };
    await using door = await openDoor({ syncs });
    const mac = hmac(SECRET, '{}');
    const headers: Record<string, Record<string, string>> = {
      github: { 'X-Hub-Signature-256': `sha256=${mac}` },
      gitlab: { 'X-Gitlab-Token': SECRET },
      gitea: { 'X-Gitea-Signature': mac },
      forgejo: { 'X-Forgejo-Signature': mac, 'X-Gitea-Signature': mac },
      bitbucket: { 'X-Hub-Signature': `sha256=${mac}` },
      standard: standard(door, '{}'),
      generic: { 'X-Signature-256': `sha256=${mac}` },
    };
    for (const name of Object.keys(syncs))
      expect((await door.post(`/hooks/git/${name}`, headers[name] ?? {}, '{}')).status, name).to.equal(202);
    expect((await door.post('/hooks/git/gitlab', standard(door, '{}'), '{}')).status).to.equal(202);
    expect(door.looks).to.have.length(8);
  });

  it('are acted upon once per delivery and Sync, and only when they were signed', async () => {
    const orders = { provider: 'github', secret: SECRET } as const;
    await using door = await openDoor({ syncs: { orders, invoices: orders } });
    const delivery = { 'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' };
    const wrong = { ...delivery, 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
    expect((await door.post('/hooks/git/orders', wrong, '{}')).status).to.equal(401);
    expect((await door.post('/hooks/git/orders', pushed('{}', delivery), '{}')).status).to.equal(202);
    expect(await answer(door.post('/hooks/git/orders', pushed('{}', delivery), '{}'))).to.deep.equal({
      status: 200,
      body: { status: 'duplicate' },
    });
    expect((await door.post('/hooks/git/invoices', pushed('{}', delivery), '{}')).status).to.equal(202);
    expect((await door.post('/hooks/git/orders', pushed('{}', { 'x-github-delivery': '2' }), '{}')).status).to.equal(
      202,
    );
    expect(door.looks).to.deep.equal(['syncs/orders', 'syncs/invoices', 'syncs/orders']);
  });

  it('answer a ping without looking', async () => {
    await using door = await openDoor(GITHUB);
    const ping = pushed('{"zen":""}', { 'x-github-event': 'ping' });
    expect(await answer(door.post('/hooks/git/orders', ping, '{"zen":""}'))).to.deep.equal({
      status: 200,
      body: { status: 'pong' },
    });
    expect((await door.post('/hooks/git/orders', { 'x-github-event': 'ping' }, '{"zen":""}')).status).to.equal(401);
    expect(door.looks).to.deep.equal([]);
  });

  it('of several megabytes are checked to the last byte', async () => {
    await using door = await openDoor(GITHUB);
    const body = 'x'.repeat(5 * 1024 * 1024);
    expect((await door.post('/hooks/git/orders', pushed(`${body}!`), `${body}?`)).status).to.equal(401);
    expect((await door.post('/hooks/git/orders', pushed(`${body}!`), `${body}!`)).status).to.equal(202);
  });

  it('follow the configuration as it is at that moment, and the secret as it was within the last second', async () => {
    await using door = await openDoor({});
    const status = async (): Promise<number> => (await door.post('/hooks/git/orders', pushed('{}'), '{}')).status;
    expect(await status()).to.equal(401);
    door.configured.syncs['orders'] = { provider: 'github', secret: '' };
    expect(await status(), 'the secret is missing').to.equal(401);
    door.environment['SYNC_orders'] = SECRET;
    expect(await status(), 'a failure is not kept').to.equal(202);
    door.environment['SYNC_orders'] = 'another';
    door.now += 999;
    expect(await status(), 'a secret is, for a second').to.equal(202);
    door.now += 1;
    expect(await status()).to.equal(401);
    door.configured.syncs['orders'] = { provider: 'generic', secret: '' };
    expect(await status()).to.equal(401);
  });
});

describe('the public listener', () => {
  it('has no other routes: no API, no metrics, no readiness', async () => {
    await using door = await openDoor({ ...GITHUB, ...BEARER });
    expect(await answer(fetch(`http://127.0.0.1:${door.port}/healthz`))).to.deep.equal({
      status: 200,
      body: { status: 'ok' },
    });
    for (const path of [
      '/',
      '/metrics',
      '/readyz',
      '/api/v1/status',
      '/hooks',
      '/hooks/git',
      '/hooks/git/',
      '/webhooks',
    ])
      expect((await fetch(`http://127.0.0.1:${door.port}${path}`, { headers: TOKEN })).status, path).to.equal(404);
    for (const path of ['/hooks/git/orders', '/webhooks/prod', '/webhooks/lowcode'])
      expect((await fetch(`http://127.0.0.1:${door.port}${path}`)).status, path).to.equal(404);
  });

  it('counts requests by route, not by what strangers write', async () => {
    await using door = await openDoor(GITHUB);
    await door.post('/hooks/git/orders', pushed('{}'), '{}');
    await door.post('/hooks/git/made-up', {}, '{}');
    await door.post('/also/made-up', {}, '{}');
    const metrics = await door.metrics();
    for (const [route, code] of Object.entries({ '/hooks/git/:sync': 202, none: 404 }))
      expect(metrics).to.include(
        `plumbline_gateway_requests_total{listener="public",route="${route}",code="${code}"} 1`,
      );
    expect(metrics).not.to.include('made-up');
  });

  it('says which option to change when its address is taken', async () => {
    await using door = await openDoor({});
    const error: unknown = await openDoor({ port: door.port }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).to.be.instanceOf(ReconcilerError).with.property('code', 'listen-failed');
  });

  it('finishes what it has begun before it closes', async () => {
    const door = await openDoor(BEARER);
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    // Reading the gate tells that the event has reached the intake.
    Object.defineProperty(door, 'until', { get: () => (asked.resolve(), promise) });
    const answered = answer(door.post('/webhooks/prod', TOKEN, EVENT));
    await asked.promise;
    const closed = door[Symbol.asyncDispose]();
    const deadline = Date.now() + 5_000;
    while ((await exchange(door.port, 'GET /healthz HTTP/1.1\r\nHost: hooks\r\nConnection: close\r\n\r\n')) !== '')
      if (Date.now() > deadline) expect.fail('still listening');
    resolve();
    expect(await answered).to.deep.equal({ status: 200, body: { status: 'received' } });
    await closed;
  });

  it('closes all the same when something it has begun never ends', async () => {
    const door = await openDoor({ ...BEARER, limits: { closing: 100 } });
    const asked = Promise.withResolvers<void>();
    Object.defineProperty(door, 'until', { get: () => (asked.resolve(), new Promise<void>(() => undefined)) });
    const answered = door.post('/webhooks/prod', TOKEN, EVENT).catch(() => 'cut off');
    await asked.promise;
    await door[Symbol.asyncDispose]();
    expect(await answered).to.equal('cut off');
  });
});
