import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import { networkOf } from '../../src/gateway/connections.ts';
import { Deliveries } from '../../src/gateway/hooks/deliveries.ts';
import { RefusalLimit } from '../../src/gateway/hooks/refusals.ts';
import { exchange, hmac, openDoor, requestText, standardHeaders } from './doorstep.ts';
import type { Configured, Doorstep } from './doorstep.ts';

const SECRET = 'CANARY-of-pushes-51b0';
const TOKEN = 'CANARY-of-a-platform-8f3c';
const BODY = '{"event_type":"order.created","data":{"id":42}}';
const PROVIDERS = ['github', 'gitlab', 'gitea', 'forgejo', 'bitbucket', 'standard-webhooks', 'generic'] as const;
const HEADERS = [
  ['x-hub-signature-256', 'sha256='],
  ['x-hub-signature', 'sha256='],
  ['x-signature-256', 'sha256='],
  ['x-gitea-signature', ''],
  ['x-forgejo-signature', ''],
  ['x-signature', ''],
] as const;

function everything(): Configured {
  return {
    syncs: {
      ...Object.fromEntries(PROVIDERS.map((provider) => [provider, { provider, secret: SECRET }])),
      unreadable: { provider: 'github', secret: '' },
      'not-a-key': { provider: 'standard-webhooks', secret: 'whsec_' },
    },
    platforms: {
      standard: { scheme: 'standard-webhooks', secret: TOKEN },
      mac: { scheme: 'hmac-sha256', secret: `${TOKEN}-mac` },
      bearer: { scheme: 'bearer', secret: `${TOKEN}-bearer` },
      unreadable: { scheme: 'bearer', secret: '' },
    },
  };
}

const PATHS = [
  ...PROVIDERS.map((name) => `/hooks/git/${name}`),
  '/hooks/git/unreadable',
  '/hooks/git/not-a-key',
  '/hooks/git/no-such-sync',
  '/webhooks/standard',
  '/webhooks/mac',
  '/webhooks/bearer',
  '/webhooks/unreadable',
  '/webhooks/lowcode',
  '/webhooks/no-such-platform',
];

/** All ways to be wrong that fit into headers. */
function wrongHeaders(door: Doorstep): readonly Record<string, string>[] {
  const signed = (secret: string, body: string): Record<string, string> => ({
    ...Object.fromEntries(HEADERS.map(([name, prefix]) => [name, `${prefix}${hmac(secret, body)}`])),
    ...standardHeaders(body, { secret, now: door.now }),
  });
  const at = (now: number): Record<string, string> => standardHeaders(BODY, { secret: SECRET, now });
  return [
    {},
    signed('another secret', BODY),
    signed(SECRET, `${BODY} `),
    { authorization: 'Bearer wrong', 'x-gitlab-token': 'wrong', 'x-plumbline-token': 'wrong' },
    Object.fromEntries(HEADERS.map(([name]) => [name, 'short'])),
    at(door.now - 301_000),
    at(door.now + 302_000),
    { ...standardHeaders(BODY, { secret: TOKEN, now: door.now - 3_600_000 }) },
  ];
}

const withoutDate = (answer: string): string => answer.replace(/\r\ndate: [^\r]*/i, '');

describe('a stranger', () => {
  it('gets the same bytes whatever is asked for and whatever is wrong about it', async () => {
    await using door = await openDoor(everything());
    const answers = new Set<string>();
    for (const path of PATHS)
      for (const headers of wrongHeaders(door)) {
        const answer = await exchange(door.port, requestText(path, headers, BODY));
        answers.add(withoutDate(answer));
        expect(answer, `${path} ${JSON.stringify(headers)}`).to.match(/^HTTP\/1\.1 401 /);
      }
    expect([...answers]).to.have.length(1);
    expect(door.events).to.deep.equal([]);
    expect(door.looks).to.deep.equal([]);
  });

  it('is not told the reason, which metrics and log are', async () => {
    await using door = await openDoor(everything());
    const tell = (path: string, headers: Record<string, string> = {}): Promise<string> =>
      exchange(door.port, requestText(path, headers, BODY));
    await tell('/hooks/git/no-such-sync');
    await tell('/hooks/git/unreadable');
    await tell('/hooks/git/not-a-key', standardHeaders(BODY, { secret: 'x', now: door.now }));
    await tell('/hooks/git/github');
    await tell('/hooks/git/standard-webhooks', standardHeaders(BODY, { secret: SECRET, now: door.now - 301_000 }));
    const metrics = await door.metrics();
    for (const [reason, times] of Object.entries({ unknown: 1, secret: 2, signature: 1, stale: 1 }))
      expect(metrics).to.include(`plumbline_gateway_refused_total{listener="public",reason="${reason}"} ${times}`);
    expect(door.log()).to.include('SYNC_unreadable is empty').and.to.include('"target":"syncs/not-a-key"');
    expect(door.log(), 'what a stranger made up').not.to.include('no-such-sync');
  });

  it('cannot fill the log: a reason is told once a minute, and then how often it was', async () => {
    await using door = await openDoor(everything());
    const lines = (): number => door.log().split('\n').length - 1;
    for (let count = 0; count < 20; count += 1) await door.post('/hooks/git/github', {}, BODY);
    expect(lines()).to.equal(1);
    door.now += 60_000;
    await door.post('/hooks/git/github', {}, BODY);
    expect(lines()).to.equal(2);
    expect(door.log()).to.include('"suppressed":19');
  });

  it('who repeats a signed request changes nothing: the delivery is known, the event is kept once, the time runs out', async () => {
    await using door = await openDoor(everything());
    const headers = standardHeaders(BODY, { secret: SECRET, now: door.now });
    const push = requestText('/hooks/git/standard-webhooks', headers, BODY);
    const event = requestText('/webhooks/standard', standardHeaders(BODY, { secret: TOKEN, now: door.now }), BODY);
    for (const request of [push, push, event, event]) await exchange(door.port, request);
    expect([door.looks.length, door.events.length]).to.deep.equal([1, 1]);
    door.now += 301_000;
    for (const request of [push, event]) expect(await exchange(door.port, request)).to.match(/^HTTP\/1\.1 401 /);
    expect([door.looks.length, door.events.length]).to.deep.equal([1, 1]);
  });

  it('who repeats it under another id, platform or Sync is refused', async () => {
    await using door = await openDoor(everything());
    const headers = standardHeaders(BODY, { secret: TOKEN, now: door.now });
    for (const [path, changed] of [
      ['/webhooks/standard', { ...headers, 'webhook-id': 'msg_2' }],
      ['/webhooks/mac', headers],
      ['/webhooks/bearer', headers],
      ['/hooks/git/standard-webhooks', headers],
    ] as const)
      expect((await door.post(path, changed, BODY)).status, path).to.equal(401);
  });

  it('never sees a secret, and neither do log and metrics, even when it is in what was sent', async () => {
    await using door = await openDoor(everything());
    const mistyped = 'CANARY-of-a-mistyped-token-77aa';
    const seen: string[] = [];
    for (const canary of [SECRET, TOKEN, `${TOKEN}-bearer`, mistyped])
      for (const path of [
        '/hooks/git/github',
        '/webhooks/mac',
        `/webhooks/${canary}`,
        `/${canary}`,
        `/hooks/git/%zz${canary}`,
      ])
        for (const body of [BODY, JSON.stringify({ event_type: canary, data: canary })]) {
          const headers = { authorization: `Bearer ${canary}`, 'x-signature': canary, 'x-gitlab-token': canary };
          seen.push(await exchange(door.port, requestText(path, headers, body)));
        }
    const genuine = { authorization: `Bearer ${TOKEN}-bearer` };
    for (const body of [`{"event_type":"${TOKEN}-bearer"}`, `{"${TOKEN}-bearer":1}`, `${TOKEN}-bearer`])
      seen.push(await exchange(door.port, requestText('/webhooks/bearer', genuine, body)));
    seen.push(await exchange(door.port, `${SECRET} / HTTP/1.1\r\n\r\n`));
    expect(seen.join('\n')).not.to.include('CANARY');
    expect(door.log()).not.to.include('CANARY');
    expect(await door.metrics()).not.to.include('CANARY');
  });
});

describe('guessing', () => {
  const guess = (
    door: Doorstep,
    path: string,
    token: string,
    headers: Record<string, string> = {},
  ): Promise<Response> => door.post(path, { authorization: `Bearer ${token}`, ...headers }, BODY);

  it('ends after thirty tries a minute, also for who then guesses right, and only for what was guessed at', async () => {
    await using door = await openDoor(everything());
    for (let count = 0; count < 30; count += 1)
      expect((await guess(door, '/webhooks/bearer', `guess-${count}`)).status).to.equal(401);
    const waiting = await guess(door, '/webhooks/bearer', `${TOKEN}-bearer`);
    expect([waiting.status, waiting.headers.get('retry-after')]).to.deep.equal([429, '60']);
    expect((await guess(door, '/webhooks/lowcode', `${TOKEN}-bearer`)).status).to.equal(200);
    door.now += 60_000;
    expect((await guess(door, '/webhooks/bearer', `${TOKEN}-bearer`)).status).to.equal(200);
    expect(await door.metrics()).to.include('plumbline_gateway_refused_total{listener="public",reason="rate"} 1');
  });

  it('is as slow for many guesses that are all let in before the first is found wrong', async () => {
    await using door = await openDoor(everything());
    const headers = { Authorization: 'Bearer x', Expect: '100-continue' };
    const [head = '', body = ''] = requestText('/webhooks/bearer', headers, BODY).split(/(?<=\r\n\r\n)/);
    const guesses = Array.from({ length: 40 }, () => connect(door.port, '127.0.0.1'));
    for (const socket of guesses) socket.write(head);
    for (const socket of guesses) expect(String(await once(socket, 'data'))).to.match(/^HTTP\/1\.1 100 /);
    const answers = guesses.map(async (socket) => {
      socket.write(body);
      return String(await once(socket, 'data')).slice(9, 12);
    });
    const statuses = (await Promise.all(answers)).sort();
    expect(statuses).to.deep.equal([...Array<string>(30).fill('401'), ...Array<string>(10).fill('429')]);
    for (const socket of guesses) socket.destroy();
  });

  it('tells nothing about what exists: what does not is guessed at as slowly', async () => {
    await using door = await openDoor(everything());
    const answers = async (path: string): Promise<readonly number[]> => {
      const statuses: number[] = [];
      for (let count = 0; count < 32; count += 1) statuses.push((await guess(door, path, 'x')).status);
      return statuses;
    };
    expect(await answers('/webhooks/bearer')).to.deep.equal(await answers('/webhooks/made-up'));
    expect(await answers('/hooks/git/github')).to.deep.equal(await answers('/hooks/git/made-up'));
  });

  it('is counted by the caller’s own address: a header changes it only when it comes from a proxy that is trusted', async () => {
    const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });
    await using alone = await openDoor(everything());
    for (let count = 0; count < 30; count += 1) await guess(alone, '/webhooks/bearer', 'x', from(`192.0.2.${count}`));
    expect((await guess(alone, '/webhooks/bearer', 'x', from('192.0.2.99'))).status).to.equal(429);
    await using behind = await openDoor({ ...everything(), trustedProxies: ['127.0.0.0/8'] });
    for (let count = 0; count < 30; count += 1) await guess(behind, '/webhooks/bearer', 'x', from('192.0.2.1'));
    expect((await guess(behind, '/webhooks/bearer', 'x', from('203.0.113.7, 192.0.2.1'))).status).to.equal(429);
    expect((await guess(behind, '/webhooks/bearer', 'x', from('192.0.2.2'))).status).to.equal(401);
  });

  it('is counted by network, in a table that nobody can be pushed out of', () => {
    expect(networkOf('2001:db8:0:1:ffff::1')).to.equal(networkOf('2001:db8::1:2:3:4:5'));
    expect(networkOf('2001:db8:0:2::1')).not.to.equal(networkOf('2001:db8:0:1::1'));
    expect(networkOf('::1')).not.to.equal(networkOf('1::'));
    expect(networkOf('::ffff:192.0.2.1')).to.equal('192.0.2.1');
    expect(networkOf('fe80::1%eth0')).to.equal('fe80:0:0:0::/64');
    const limit = new RefusalLimit(3);
    const start = 1_700_000_000_000;
    for (let count = 0; count < 3; count += 1) limit.record('192.0.2.1', 'a', start);
    for (let count = 0; count < 20_000; count += 1)
      limit.record(`10.0.${count >> 8}.${count & 255}`, `${count}`, start);
    expect(limit.waitFor('192.0.2.1', 'a', start)).to.equal(60);
    expect(limit.waitFor('192.0.2.1', 'a', start + 30_000), 'the rest of the minute').to.equal(30);
    expect(limit.waitFor('192.0.2.1', 'a', start + 60_000)).to.equal(undefined);
    for (let count = 0; count < 3; count += 1) limit.record('192.0.2.1', 'a', start + 60_000);
    expect(limit.waitFor('192.0.2.1', 'a', start), 'a clock that was set back').to.equal(undefined);
  });

  it('of deliveries leaves no more behind than a bounded number of names', () => {
    const deliveries = new Deliveries(2);
    for (const id of ['1', '2', '3']) deliveries.add('orders', id);
    expect(['1', '2', '3'].map((id) => deliveries.has('orders', id))).to.deep.equal([false, true, true]);
  });
});
