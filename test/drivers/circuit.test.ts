import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { CircuitState } from '../../src/drivers/driver.ts';
import { HttpClient } from '../../src/drivers/http.ts';
import { DRIVERS } from '../../src/drivers/index.ts';

describe('the circuit of a platform', () => {
  let up = false;
  const server = createServer((_, response) => response.writeHead(up ? 200 : 500).end('{}'));
  let url: string;
  const limits = { concurrency: 1, requestsPerSecond: 1_000, timeout: 5_000 };

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => (up = false));

  it('tells when it opens, looks and closes again', async () => {
    const told: CircuitState[] = [];
    await using client = new HttpClient({
      platform: 'prod',
      url,
      limits,
      onRequest: () => {},
      onCircuit: (state) => told.push(state),
      circuit: { firstProbeAfter: 20, lastProbeAfter: 20 },
    });
    const get = () =>
      client.send({ method: 'GET', route: '/x', signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    for (let at = 0; at < 5; at++) await get();
    expect(told).to.deep.equal(['open']);
    up = true;
    const deadline = Date.now() + 5_000;
    while ((await get()) === undefined) expect(Date.now()).to.be.lessThan(deadline);
    expect(told).to.deep.equal(['open', 'half-open', 'closed']);
  });

  for (const definition of DRIVERS) {
    it(`is handed on by the driver ${definition.name}`, async () => {
      const told: CircuitState[] = [];
      await using driver = definition.connect({
        platform: 'prod',
        url,
        auth: {},
        limits,
        onRequest: () => {},
        onCircuit: (state) => told.push(state),
      });
      for (let at = 0; at < 6; at++) await driver.probe(AbortSignal.timeout(5_000)).catch(() => undefined);
      expect(told).to.deep.equal(['open']);
    });
  }
});
