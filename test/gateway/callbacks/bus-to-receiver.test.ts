import { Writable } from 'node:stream';
import { expect } from 'chai';
import { Dispatcher } from '../../../src/gateway/bus/dispatcher.ts';
import { BusIntake } from '../../../src/gateway/bus/intake.ts';
import { createLog } from '../../../src/report/log.ts';
import { Metrics } from '../../../src/report/metrics.ts';
import { ManualTimers } from '../../daemon/manual-timers.ts';
import { event } from '../../ledger/bus-samples.ts';
import { until } from '../bus/bus-place.ts';
import { CallbackOffice } from './office.ts';
import { Receiver } from './receiver.ts';

/** The whole way of an event: taken in, kept, routed, posted. */
class Way implements AsyncDisposable {
  readonly office = new CallbackOffice();
  readonly metrics = new Metrics({ version: '0' });
  readonly timers = new ManualTimers(Date.now());
  readonly intake: BusIntake;
  readonly dispatcher: Dispatcher;
  said = '';

  constructor() {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.said += chunk.toString();
        done();
      },
    });
    const { bus } = this.office.ledger;
    const log = createLog({ level: 'debug', format: 'json', redact: (text) => text, stream });
    this.dispatcher = new Dispatcher({ bus, timers: this.timers, reports: this.metrics.gateway, log });
    this.intake = new BusIntake({ bus, onStored: () => this.dispatcher.wake() });
  }

  start(): void {
    this.dispatcher.setHandlers(this.office.callbacks.handlers());
    this.dispatcher.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.dispatcher.stop(0);
    this.timers.advance(0);
    await stopped;
    await this.office[Symbol.asyncDispose]();
  }
}

describe('An event on its way to receivers', () => {
  it('reaches one although another never answers, and one that is down gets it once it is up, in order', async () => {
    await using way = new Way();
    await using silent = await Receiver.start();
    await using prompt = await Receiver.start();
    await using down = await Receiver.start();
    silent.answer = () => undefined;
    down.answer = (response) => response.writeHead(500).end();
    for (const receiver of [silent, prompt, down]) way.office.register(receiver.url());
    way.start();
    const ids = Array.from({ length: 60 }, (_, n) => String(n));
    await Promise.all(ids.map((id) => way.intake.accept(event(id, { subject: `order/${Number(id) % 3}` }))));
    await until('the prompt one has all', () => prompt.received.length === 60);
    expect(silent.received, 'one of each subject').to.have.lengthOf(3);
    await until('the other was tried', () => down.received.length === 3);
    down.received.splice(0);
    down.answer = (response) => response.writeHead(204).end();
    await until('its failures are written down', () =>
      way.office.ledger.bus.list({ limit: 1000 }).some(({ attempts, state }) => attempts === 1 && state === 'pending'),
    );
    way.timers.advance(10_000);
    await until('it has all', () => down.received.length === 60);
    for (const { received } of [prompt, down]) {
      const sent = received.map(({ body }) => Number((JSON.parse(String(body)) as { id: string }).id));
      for (let s = 0; s < 3; s++) {
        const own = sent.filter((n) => n % 3 === s);
        expect(own).to.deep.equal(own.toSorted((a, b) => a - b));
      }
    }
  });

  it('tells no secret on the way: neither the key, nor the URL, nor what the event holds, nor what was answered', async () => {
    await using way = new Way();
    await using receiver = await Receiver.start();
    receiver.answer = (response) => response.writeHead(410, { 'x-answer': 'canary-header' }).end('canary-answer');
    const secret = 'canary-signing-secret';
    way.office.register(receiver.url('/canary-path?token=canary-query'), { secret });
    way.office.register('http://10.0.0.1/canary-path?token=canary-query', { secret });
    way.start();
    await way.intake.accept(event('a', { data: { password: 'canary-data' } }));
    await until('both are given up', () => way.office.ledger.bus.standing().dead === 2);
    const told = [way.said, await way.metrics.text(), JSON.stringify(way.office.ledger.bus.list())];
    expect(told.join('\n').match(/canary-\w+/g)).to.equal(null);
    expect(told[2]).to.include('answered 410').and.include('10.0.0.1 is not a public address');
    expect(told[1]).to.include('result="dead"');
  });
});
