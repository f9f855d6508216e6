import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createSecureServer } from 'node:http2';
import { Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect } from 'chai';
import { FormData } from 'undici';
import { ReconcilerError } from '../../src/errors.ts';
import { listen as listenToDirectus } from '../../src/drivers/directus/events.ts';
import { notHolder } from '../../src/drivers/fenced.ts';
import { HttpClient } from '../../src/drivers/http.ts';
import type { HttpRequest } from '../../src/drivers/http.ts';
import { listen as listenToNodeRed } from '../../src/drivers/node-red/events.ts';
import { FlowCaller } from '../../src/drivers/node-red/flow-call.ts';
import { RuntimeWatch } from '../../src/drivers/node-red/runtime.ts';

/** A fence that a test opens and closes; it counts how often it was asked. */
class Gate {
  open = true;
  asked = 0;
  left = 60_000;
  /** Closes when it is asked for the time of that number. */
  closesAt = Infinity;
  /** Whether the code that asked last still runs: nothing else can have happened since. */
  fresh = false;

  permit(): number {
    this.asked += 1;
    if (!this.open || this.asked >= this.closesAt) throw notHolder('prod', 'replica b');
    const asked = this.asked;
    const stale = (): void => {
      if (this.asked === asked) this.fresh = false;
    };
    this.fresh = true;
    process.nextTick(stale);
    queueMicrotask(stale);
    return this.left;
  }
}

/** Watches what this process hands to the sockets of a port. @returns for each request, whether the gate had just been asked at its first byte */
function firstBytes(port: number, gate: Gate): { readonly fresh: boolean[] } & Disposable {
  const fresh: boolean[] = [];
  const note = (socket: Socket, bytes: unknown): void => {
    if (socket.remotePort === port && /^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(String(bytes))) fresh.push(gate.fresh);
  };
  const { prototype } = Socket;
  const kept = Object.getOwnPropertyDescriptors(prototype);
  for (const name of ['_write', '_writev'] as const) {
    const write = kept[name]?.value as (this: Socket, what: unknown, ...rest: unknown[]) => void;
    const value = function (this: Socket, what: unknown, ...rest: unknown[]): void {
      note(this, Array.isArray(what) ? (what[0] as { chunk: unknown }).chunk : what);
      write.call(this, what, ...rest);
    };
    Object.defineProperty(prototype, name, { ...kept[name], value });
  }
  return {
    fresh,
    [Symbol.dispose]: () => {
      for (const name of ['_write', '_writev'] as const) Object.defineProperty(prototype, name, kept[name] ?? {});
    },
  };
}

describe('The fence of the drivers', () => {
  let server: Server;
  let port: number;
  let arrived: string[];
  let client: HttpClient;
  let gate: Gate;
  let answerAfter: number;

  beforeEach(async () => {
    arrived = [];
    answerAfter = 0;
    gate = new Gate();
    server = createServer((request, response) => {
      arrived.push(`${request.method} ${request.url}`);
      setTimeout(() => response.end('{"ok":true}'), answerAfter);
    }).listen(0, '127.0.0.1');
    server.on('upgrade', (request, socket) => {
      arrived.push(`upgrade ${request.url}`);
      socket.destroy();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    ({ port } = server.address() as AddressInfo);
    client = new HttpClient({
      platform: 'prod',
      url: `http://127.0.0.1:${port}`,
      limits: { concurrency: 1, requestsPerSecond: 1_000, timeout: 5_000 },
      onRequest: () => undefined,
      fence: gate,
    });
  });
  afterEach(async () => {
    await client[Symbol.asyncDispose]();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const never = new AbortController().signal;
  const codeOf = (error: unknown): unknown => (error instanceof ReconcilerError ? error.code : error);
  const write = (route = '/things', what: Partial<HttpRequest> = { body: { a: 1 } }) =>
    client.send({ method: 'POST', route, ...what, signal: never }).then(({ status }) => status, codeOf);
  const call = (timeout = 5_000) => {
    const url = new URL(`http://127.0.0.1:${port}/flow`);
    const calls = new FlowCaller(timeout, () => undefined, gate);
    return calls.send({ method: 'POST', url, what: 'The flow', text: '{"a":1}', headers: {} }, never);
  };
  const status = (answer: Awaited<ReturnType<typeof call>>): unknown => (answer === 'waiting' ? answer : answer.status);

  it('lets requests through while it is open, and none once it is closed', async () => {
    expect(await write()).to.equal(200);
    gate.open = false;
    expect(await write()).to.equal('not-holder');
    expect(arrived).to.deep.equal(['POST /things']);
  });

  it('is asked again when the connection stands: what was called for in time and comes late is not sent', async () => {
    gate.closesAt = 2;
    expect(await write()).to.equal('not-holder');
    expect(arrived, 'a new connection').to.deep.equal([]);
    gate.closesAt = Infinity;
    expect(await write()).to.equal(200);
    gate.asked = 0;
    gate.closesAt = 2;
    expect(await write()).to.equal('not-holder');
    expect(arrived, 'a connection that was open').to.deep.equal(['POST /things']);
  });

  it('lies right before the first byte, whatever the body is: nothing happens between the question and it', async () => {
    using sent = firstBytes(port, gate);
    const form = new FormData();
    form.append('policy', 'fail');
    form.append('package', new Blob(['a'.repeat(200_000)]), 'flows.bin');
    answerAfter = 20;
    const all = [write(), write('/bare', {}), write('/text', { text: '"a"' }), write('/form', { form }), write()];
    expect(await Promise.all(all)).to.deep.equal([200, 200, 200, 200, 200]);
    expect(status(await call())).to.equal(200);
    expect(arrived).to.deep.equal([
      'POST /things',
      'POST /bare',
      'POST /text',
      'POST /form',
      'POST /things',
      'POST /flow',
    ]);
    expect(sent.fresh).to.deep.equal([true, true, true, true, true, true]);
  });

  it('is asked by what calls a flow when its connection stands', async () => {
    gate.closesAt = 2;
    expect(await call().catch(codeOf)).to.equal('not-holder');
    expect(arrived).to.deep.equal([]);
    gate.closesAt = Infinity;
    [gate.left, answerAfter] = [80, 3_000];
    const begun = performance.now();
    expect(await call()).to.equal('waiting');
    expect(performance.now() - begun).to.be.lessThan(1_900);
  });

  it('keeps websockets from being opened', async () => {
    gate.open = false;
    const terms = {
      url: `http://127.0.0.1:${port}`,
      fence: gate,
      token: async () => 'token',
      onEvent: () => undefined,
    };
    const opened = async (open: () => AsyncDisposable | Disposable): Promise<void> => {
      const before = gate.asked;
      await using _socket = open();
      for (let wait = 0; gate.asked === before && wait < 2_000; wait++) await pause(5);
      expect(gate.asked).to.be.greaterThan(before);
      await pause(50);
    };
    for (const open of [
      () => listenToNodeRed(terms, never),
      () => listenToDirectus(terms, never),
      () => new RuntimeWatch(terms.url, undefined, gate),
    ]) {
      gate.open = false;
      await opened(open);
      expect(arrived).to.deep.equal([]);
      gate.open = true;
      await opened(open);
      expect(arrived.splice(0)).to.have.length(1);
    }
  });

  it('holds on the way to servers that speak HTTP/2: one request at a time and connection, written at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fence-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject];
    execFileSync('openssl', made, { stdio: 'ignore' });
    const versions: string[] = [];
    const secure = createSecureServer(
      { key: readFileSync(key), cert: readFileSync(cert), allowHTTP1: true },
      (request, response) => {
        versions.push(request.httpVersion);
        response.end('{"ok":true}');
      },
    ).listen(0, '127.0.0.1');
    const known = getCACertificates();
    setDefaultCACertificates([...known, readFileSync(cert, 'utf8')]);
    try {
      await new Promise((resolve) => secure.once('listening', resolve));
      await using over = new HttpClient({
        platform: 'prod',
        url: `https://127.0.0.1:${(secure.address() as AddressInfo).port}`,
        limits: { concurrency: 1, requestsPerSecond: 1_000, timeout: 5_000 },
        onRequest: () => undefined,
        fence: gate,
      });
      expect((await over.send({ method: 'GET', route: '/', signal: never })).status).to.equal(200);
      expect(versions).to.deep.equal(['1.1']);
    } finally {
      setDefaultCACertificates(known);
      secure.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('holds for requests that waited for their turn', async () => {
    answerAfter = 100;
    const first = write('/first');
    const second = write('/second');
    await pause(50);
    gate.open = false;
    expect([await first, await second]).to.deep.equal([200, 'not-holder']);
    expect(arrived).to.deep.equal(['POST /first']);
  });

  it('ends a request that would outlast what is left', async () => {
    answerAfter = 3_000;
    gate.left = 80;
    const begun = performance.now();
    expect(await write()).to.equal('outcome-unknown');
    expect(performance.now() - begun).to.be.lessThan(2_500);
  });

  it('says who may write, and does not open the circuit', async () => {
    gate.open = false;
    for (let time = 0; time < 8; time++) expect(await write()).to.equal('not-holder');
    gate.open = true;
    expect(await write()).to.equal(200);
    expect(notHolder('prod', 'replica b').message).to.contain('replica b');
  });
});
