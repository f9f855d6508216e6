import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { exchange, hmac, openDoor, requestText } from './doorstep.ts';
import type { Configured, Doorstep } from './doorstep.ts';

const SECRET = 'what-both-sides-know';
const GITHUB: Configured = {
  syncs: { orders: { provider: 'github', secret: SECRET } },
  platforms: { prod: { scheme: 'bearer', secret: SECRET } },
};
const SIGNED = { 'x-hub-signature-256': `sha256=${hmac(SECRET, '{}')}` };
/** Every path of the listener that takes a body. */
const PATHS = ['/hooks/git/orders', '/webhooks/prod', '/webhooks/lowcode'];
const MEGABYTE = 1024 * 1024;

async function isServing(door: Doorstep): Promise<boolean> {
  const looks = door.looks.length;
  const { status } = await door.post('/hooks/git/orders', SIGNED, '{}');
  return status === 202 && door.looks.length === looks + 1;
}

/** Sends the same bytes over and over until the server ends the connection or `most` are sent. @returns what was sent and received. */
async function flood(port: number, head: string, { piece, most }: { readonly piece: Buffer; readonly most: number }) {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(head);
  let sent = 0;
  let peak = 0;
  while (sent < most && !socket.destroyed) {
    sent += piece.length;
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
  }
  socket.end();
  await closed;
  return { sent, answer, peak };
}

describe('a body of 100 MB', () => {
  it('that is announced is refused before any of it is read', async () => {
    await using door = await openDoor(GITHUB);
    for (const path of PATHS) {
      const head = `POST ${path} HTTP/1.1\r\nHost: hooks\r\nContent-Length: ${100 * MEGABYTE}\r\n\r\n`;
      expect(await exchange(door.port, head), path).to.match(/^HTTP\/1\.1 413 /);
    }
    expect(await door.metrics()).to.include('plumbline_gateway_refused_total{listener="public",reason="size"} 3');
    expect(await isServing(door)).to.equal(true);
  });

  it('is not asked for: 100 Continue is said only to what will be read', async () => {
    await using door = await openDoor(GITHUB);
    const head = (length: number): string =>
      requestText('/hooks/git/orders', { ...SIGNED, Expect: '100-continue', 'Content-Length': String(length) }, '');
    expect(await exchange(door.port, head(100 * MEGABYTE))).to.match(/^HTTP\/1\.1 413 /);
    expect(await exchange(door.port, `${head(2)}{}`)).to.match(/^HTTP\/1\.1 100 .*\r\n\r\nHTTP\/1\.1 202 /s);
  });

  it('that comes in chunks is cut at the limit, and memory stays', async () => {
    await using door = await openDoor(GITHUB);
    const data = Buffer.alloc(64 * 1024, 'x');
    const piece = Buffer.concat([Buffer.from('10000\r\n'), data, Buffer.from('\r\n')]);
    for (const path of PATHS) {
      const head = `POST ${path} HTTP/1.1\r\nHost: hooks\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const before = process.memoryUsage().arrayBuffers;
      const floods = await Promise.all(
        Array.from({ length: 8 }, () => flood(door.port, head, { piece, most: 100 * MEGABYTE })),
      );
      expect(Math.max(...floods.map(({ sent }) => sent)), path).to.be.below(60 * MEGABYTE);
      // Eight pushes would be 200 MB if they were kept; what has been freed but not collected yet is seen as well.
      expect(Math.max(...floods.map(({ peak }) => peak)) - before, path).to.be.below(100 * MEGABYTE);
    }
    expect(await door.metrics()).to.include('plumbline_gateway_refused_total{listener="public",reason="size"} 24');
    expect(door.events.length + door.looks.length).to.equal(0);
    expect(await isServing(door)).to.equal(true);
  });

  it('to a path that is not there is not read at all', async () => {
    await using door = await openDoor(GITHUB);
    const head = 'POST /nothing HTTP/1.1\r\nHost: hooks\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
    expect(await exchange(door.port, head)).to.match(/^HTTP\/1\.1 404 .*connection: close/is);
  });
});

describe('a slow sender', () => {
  const slowly: readonly (readonly [string, string])[] = [
    ['who sends nothing', ''],
    ['of headers', 'POST /hooks/git/orders HTTP/1.1\r\nHost: hooks\r\nX-A: '],
    ['of a push', 'POST /hooks/git/orders HTTP/1.1\r\nHost: hooks\r\nContent-Length: 100000\r\n\r\n'],
    ['of an event', 'POST /webhooks/prod HTTP/1.1\r\nHost: hooks\r\nContent-Length: 100000\r\n\r\n'],
    ['of chunks', 'POST /webhooks/prod HTTP/1.1\r\nHost: hooks\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n'],
  ];
  for (const [what, head] of slowly) {
    it(`${what} is cut off, while others are served`, async () => {
      await using door = await openDoor({ ...GITHUB, limits: { receive: 300, checkEvery: 50 } });
      const socket = connect(door.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      const drip = setInterval(() => head !== '' && socket.write('x'), 20);
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      try {
        socket.write(head);
        expect(await isServing(door)).to.equal(true);
        await closed;
      } finally {
        clearInterval(drip);
      }
      expect(answer === '' || answer.startsWith('HTTP/1.1 408 '), answer).to.equal(true);
      expect(await isServing(door)).to.equal(true);
    });
  }

  it('who keeps a connection open for nothing is cut off as well', async () => {
    await using door = await openDoor({ ...GITHUB, limits: { idle: 200 } });
    // Sending half of a request and then nothing: the socket’s own silence ends it.
    const socket = connect(door.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write('POST /webhooks/prod HTTP/1.1\r\nHost: hooks\r\nContent-Length: 9\r\n\r\n');
    await once(socket, 'close');
    expect(await isServing(door)).to.equal(true);
  });
});

describe('many connections', () => {
  async function open(port: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  it('from one address are capped, and a closed one makes room', async () => {
    await using door = await openDoor({ ...GITHUB, limits: { connectionsPerAddress: 3 } });
    const held = [await open(door.port), await open(door.port), await open(door.port)];
    expect(await exchange(door.port, requestText('/hooks/git/orders', SIGNED, '{}')), 'no answer').to.equal('');
    expect(await door.metrics()).to.include('reason="overload"} 1');
    for (const socket of held) socket.destroy();
    await untilServed(door);
  });

  it('of a trusted proxy are capped only with all others', async () => {
    const trustedProxies = ['127.0.0.1'];
    await using door = await openDoor({
      ...GITHUB,
      trustedProxies,
      limits: { connectionsPerAddress: 1, connections: 3 },
    });
    const held = [await open(door.port), await open(door.port)];
    expect(await exchange(door.port, requestText('/hooks/git/orders', SIGNED, '{}'))).to.match(/^HTTP\/1\.1 202 /);
    held.push(await open(door.port));
    expect(await exchange(door.port, requestText('/hooks/git/orders', SIGNED, '{}'))).to.equal('');
    for (const socket of held) socket.destroy();
    await untilServed(door);
  });

  /** The server hears of a closed connection a little later than who closed it. */
  async function untilServed(door: Doorstep): Promise<void> {
    const deadline = Date.now() + 5_000;
    for (;;) {
      const answer = await exchange(door.port, requestText('/hooks/git/orders', SIGNED, '{}'));
      if (answer.startsWith('HTTP/1.1 202 ')) return;
      if (Date.now() > deadline) expect.fail(`not served again: ${answer}`);
    }
  }
});
