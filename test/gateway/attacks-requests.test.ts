import { expect } from 'chai';
import { exchange, hmac, openDoor, requestText } from './doorstep.ts';
import type { Configured } from './doorstep.ts';

const SECRET = 'what-both-sides-know';
const CONFIGURED: Configured = {
  syncs: { orders: { provider: 'github', secret: SECRET } },
  platforms: { prod: { scheme: 'bearer', secret: SECRET } },
};
const SIGNED = { 'x-hub-signature-256': `sha256=${hmac(SECRET, '{}')}`, authorization: `Bearer ${SECRET}` };
const EVENT = '{"event_type":"order.created","data":1}';

describe('headers', () => {
  const flood = (count: number, length: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-${index}`, 'x'.repeat(length)]));
  for (const [what, headers] of [
    ['one of 20 kB', flood(1, 20_000)],
    ['a hundred of 1 kB', flood(100, 1_000)],
    ['a hundred and fifty short ones', flood(150, 1)],
    ['two thousand empty ones', flood(2_000, 0)],
  ] as const) {
    it(`are refused when they are ${what}, though the request is signed`, async () => {
      await using door = await openDoor(CONFIGURED);
      const request = requestText('/hooks/git/orders', { ...headers, ...SIGNED }, '{}');
      expect(await exchange(door.port, request)).to.match(/^HTTP\/1\.1 431 [^\r]*\r\n.*"headers-too-large"/s);
      expect(door.looks).to.deep.equal([]);
      expect(await door.metrics()).to.include('plumbline_gateway_refused_total{listener="public",reason="size"} 1');
    });
  }

  it('without the name of a host are refused in the same form', async () => {
    await using door = await openDoor(CONFIGURED);
    const request = requestText('/hooks/git/orders', SIGNED, '{}').replace(/Host: hooks\r\n/, '');
    expect(await exchange(door.port, request)).to.match(/^HTTP\/1\.1 400 .*nosniff.*\{"error":\{"code":"malformed"/s);
    expect(door.looks).to.deep.equal([]);
  });

  it('that stand twice prove nothing, even when one of them is right', async () => {
    await using door = await openDoor(CONFIGURED);
    for (const second of [SIGNED['x-hub-signature-256'], 'sha256=00']) {
      const request = requestText('/hooks/git/orders', SIGNED, '{}').replace(
        'x-hub',
        `X-Hub-Signature-256: ${second}\r\nx-hub`,
      );
      expect(await exchange(door.port, request)).to.match(/^HTTP\/1\.1 401 /);
    }
    expect(door.looks).to.deep.equal([]);
  });
});

describe('paths', () => {
  const tricks = [
    '/hooks/git/../..',
    '/hooks/git/orders/../orders',
    '/hooks/git/./orders',
    '/hooks/git/..%2forders',
    '/hooks/git/%2e%2e/orders',
    '/hooks/git/orders%2f..%2forders',
    '/hooks/git/orders/',
    '/hooks/git//orders',
    '//hooks/git/orders',
    '/hooks/git/orders%00',
    '/hooks/git/%00',
    '/hooks/git/orders%0d%0aX-A:b',
    '/hooks/git/orders%20',
    '/hooks/git/%c3%28',
    '/hooks/git/%zz',
    '/hooks/git/%',
    '/hooks/git/%E2%80%AEsredro',
    '/hooks/git/ｏｒｄｅｒｓ',
    '/hooks/git/ORDERS',
    '/Hooks/Git/orders',
    '/hooks/git/orders;x=1',
    '/hooks/git/__proto__',
    '/hooks/git/constructor',
    '/hooks/git/toString',
    `/hooks/git/${'a'.repeat(256)}`,
    `/hooks/git/${'a'.repeat(5_000)}`,
    '/hooks/git/:sync',
    '/hooks/git/*',
    '/webhooks/__proto__',
    '/webhooks/../webhooks/prod',
    '/webhooks/prod%2f',
    '/webhooks/LOWCODE',
    '/webhooks/lowcode/',
    '*',
    'hooks/git/orders',
  ];
  for (const path of tricks) {
    it(`lead nowhere: ${path.slice(0, 40)}`, async () => {
      await using door = await openDoor(CONFIGURED);
      const answer = await exchange(door.port, requestText(path, SIGNED, '{}'));
      expect(answer).to.match(/^HTTP\/1\.1 (400|401|404) /);
      expect(answer.split('\r\n\r\n')[1]).to.match(/^\{"error":\{"code":"(malformed|unauthorized|not-found)"/);
      expect([door.looks, door.events]).to.deep.equal([[], []]);
      expect((await door.post('/hooks/git/orders', SIGNED, '{}')).status).to.equal(202);
    });
  }
});

describe('methods', () => {
  it('other than the one of a route lead nowhere', async () => {
    await using door = await openDoor(CONFIGURED);
    const methods = [
      'GET',
      'HEAD',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'TRACE',
      'PROPFIND',
      'SEARCH',
      'post',
      'FOO',
      'CONNECT',
    ];
    for (const method of methods) {
      const request = requestText('/hooks/git/orders', { ...SIGNED, 'X-HTTP-Method-Override': 'POST' }, '{}');
      const answer = await exchange(door.port, request.replace(/^POST/, method));
      expect(answer, method).to.match(/^(HTTP\/1\.1 (400|404) |$)/);
      expect(answer, method).not.to.match(/^(allow|access-control|server|x-powered-by):/im);
    }
    expect(door.looks).to.deep.equal([]);
    for (const method of ['POST', 'HEAD', 'DELETE'])
      expect(await exchange(door.port, requestText('/healthz', {}, '').replace(/^POST/, method))).to.match(
        /^HTTP\/1\.1 404 /,
      );
  });
});

describe('a request that two servers may read in two ways', () => {
  const hidden = requestText('/hooks/git/orders', SIGNED, '{}');
  const head = (lines: string): string => `POST /webhooks/prod HTTP/1.1\r\nHost: hooks\r\n${lines}\r\n\r\n`;
  const shapes: Readonly<Record<string, string>> = {
    'with a length and chunks': `${head('Content-Length: 5\r\nTransfer-Encoding: chunked')}0\r\n\r\n${hidden}`,
    'with chunks and a length': `${head('Transfer-Encoding: chunked\r\nContent-Length: 5')}0\r\n\r\n${hidden}`,
    'with two lengths': `${head('Content-Length: 0\r\nContent-Length: 5')}${hidden}`,
    'with a list of lengths': `${head('Content-Length: 0, 5')}${hidden}`,
    'with a signed length': `${head('Content-Length: +0')}${hidden}`,
    'with a hexadecimal length': `${head('Content-Length: 0x0')}${hidden}`,
    'with an unknown coding': `${head('Transfer-Encoding: xchunked')}0\r\n\r\n${hidden}`,
    'with chunks not last': `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n${hidden}`,
    'with a space before a colon': `${head('Content-Length : 0')}${hidden}`,
    'with a folded header': `${head('X-A: b\r\n Content-Length: 5')}${hidden}`,
    'with bare line feeds': `POST /webhooks/prod HTTP/1.1\nHost: hooks\nContent-Length: 0\n\n${hidden}`,
    'with a bare carriage return': `${head('X-A: b\rContent-Length: 5')}${hidden}`,
    'with a null byte in a header': `${head('X-A: \0\r\nContent-Length: 0')}${hidden}`,
    'with an overflowing chunk size': `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\n${hidden}`,
  };
  for (const [what, bytes] of Object.entries(shapes)) {
    it(`is refused and the connection ended: ${what}`, async () => {
      await using door = await openDoor(CONFIGURED);
      const answer = await exchange(door.port, bytes);
      expect(answer).to.match(/^HTTP\/1\.1 400 /);
      expect(answer).to.include('{"error":{"code":"malformed"');
      expect(answer.match(/HTTP\/1\.1/g), 'one answer').to.have.length(1);
      expect(door.looks).to.deep.equal([]);
    });
  }
});

describe('JSON', () => {
  const nested = (depth: number): string => `{"event_type":"a","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const refused: Readonly<Record<string, string>> = {
    'with __proto__': '{"event_type":"a","data":{"__proto__":{"polluted":true}}}',
    'with __proto__ in escapes': '{"event_type":"a","data":{"__pr\\u006fto__":{"polluted":true}}}',
    'with __proto__ at the top': '{"event_type":"a","__proto__":{"data":1}}',
    'with constructor.prototype': '{"event_type":"a","data":{"constructor":{"prototype":{"polluted":true}}}}',
    'with a name twice': '{"event_type":"a","event_type":"b"}',
    'with a name twice, once in escapes': '{"event_type":"a","data":{"id":1,"\\u0069d":2}}',
    'nested 32 levels deep': nested(32),
    'nested half a million levels deep': nested(500_000),
    'of a million brackets': '['.repeat(1_000_000),
    'with a byte order mark': '\ufeff{"event_type":"a"}',
    'with NaN': '{"event_type":"a","data":NaN}',
    'with a comment': '{"event_type":"a"/**/}',
    'followed by more': `${EVENT}${EVENT}`,
  };
  for (const [what, body] of Object.entries(refused)) {
    it(`is refused ${what}`, async () => {
      await using door = await openDoor(CONFIGURED);
      const { status } = await door.post('/webhooks/prod', { authorization: SIGNED.authorization }, body);
      expect(status).to.be.oneOf([400, 422]);
      expect(door.events).to.deep.equal([]);
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    });
  }

  it('that is not UTF-8 is refused', async () => {
    await using door = await openDoor(CONFIGURED);
    const body = Buffer.concat([Buffer.from('{"event_type":"a","data":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}')]);
    expect((await door.post('/webhooks/prod', { authorization: SIGNED.authorization }, body)).status).to.equal(400);
  });

  it('of a stranger is not looked at: whatever it is, the answer is the same', async () => {
    await using door = await openDoor(CONFIGURED);
    for (const body of [...Object.values(refused), EVENT])
      expect((await door.post('/webhooks/prod', { authorization: 'Bearer guess' }, body)).status).to.equal(401);
  });

  it('that only looks like an attack is taken as it is', async () => {
    await using door = await openDoor(CONFIGURED);
    const data = {
      constructor: 'Ferrari',
      prototype: 1,
      text: '"__proto__": {[[[ \\" \\\\',
      same: [{ id: 1 }, { id: 1 }],
      deep: JSON.parse(`${'['.repeat(30)}${']'.repeat(30)}`) as unknown,
      long: '\\"'.repeat(200_000),
    };
    const body = JSON.stringify({ event_type: 'a', data });
    expect((await door.post('/webhooks/prod', { authorization: SIGNED.authorization }, body)).status).to.equal(200);
    expect(door.events[0]?.data).to.deep.equal(data);
  });
});
