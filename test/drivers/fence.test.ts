import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { notHolder } from '../../src/drivers/fenced.ts';
import { HttpClient } from '../../src/drivers/http.ts';

/** A fence that a test opens and closes; it counts how often it was asked. */
class Gate {
  open = true;
  asked = 0;
  left = 60_000;
  /** Closes when it is asked for the time of that number. */
  closesAt = Infinity;

  permit(): number {
    this.asked += 1;
    if (!this.open || this.asked >= this.closesAt) throw notHolder('prod', 'replica b');
    return this.left;
  }
}

describe('The fence of the drivers’ HTTP client', () => {
  let server: Server;
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
    await new Promise((resolve) => server.once('listening', resolve));
    client = new HttpClient({
      platform: 'prod',
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
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

  const write = (route = '/things') =>
    client.send({ method: 'POST', route, body: { a: 1 }, signal: new AbortController().signal }).then(
      ({ status }) => status,
      (error: unknown) => (error instanceof ReconcilerError ? error.code : error),
    );

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

  it('holds for requests that waited for their turn', async () => {
    answerAfter = 100;
    const first = write('/first');
    const second = write('/second');
    await new Promise((resolve) => setTimeout(resolve, 50));
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
