import { Writable } from 'node:stream';
import { expect } from 'chai';
import { contentHash } from '../../src/manifest/canonical.ts';
import { BusFeed, type BusFeedParts } from '../../src/daemon/bus-feed.ts';
import type { SeenRun } from '../../src/daemon/executions.ts';
import type { Execution } from '../../src/drivers/driver.ts';
import type { BusEvent } from '../../src/ledger/bus-event.ts';
import type { LedgerEvent } from '../../src/ledger/events.ts';
import { createLog } from '../../src/report/log.ts';
import { BusPlace } from '../gateway/bus/bus-place.ts';

const AT = Date.parse('2027-01-01T00:00:00Z');
const told = (more: Partial<LedgerEvent> = {}): LedgerEvent => ({
  at: AT,
  type: 'applied',
  sync: 'orders',
  platform: 'prod',
  message: 'Updated.',
  ...more,
});
const ended = (id: string, more: Partial<Execution> = {}): SeenRun => ({
  name: 'orders',
  execution: { id, workflow: 'tab-1', status: 'success', startedAt: AT, endedAt: AT + 1500, ...more },
});

describe('what Plumbline itself has to tell', () => {
  let place: BusPlace;
  let said: string[];

  beforeEach(() => {
    place = new BusPlace();
    said = [];
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const feed = (parts: Partial<BusFeedParts> = {}): BusFeed => {
    const stream = new Writable({ write: (chunk: Buffer, _, done) => (said.push(chunk.toString()), done()) });
    const log = createLog({ level: 'debug', format: 'json', redact: (text) => text, stream });
    const accept = (event: BusEvent) => place.intake.accept(event);
    return new BusFeed({ ledger: place.ledger, log, accept, wanted: () => true, ...parts });
  };
  /** All that is on the bus, in its order; numbers may be left out. */
  const bus = (): readonly BusEvent[] =>
    Array.from({ length: 500 }, (_, seq) => place.ledger.bus.event(seq) ?? []).flat();
  const messages = () => bus().map(({ data }) => (data as { message?: string }).message);
  const catchUp = async (one: BusFeed): Promise<void> => {
    one.passEnded();
    await one.settled();
  };

  it('goes onto the bus as events of the pass: the object, field paths, no more', async () => {
    const one = feed();
    place.ledger.addEvent(told({ type: 'drift-found', key: 'Workflow/a', message: 'It differs.', paths: ['/active'] }));
    place.ledger.addEvent(told({ type: 'pass-failed', message: 'Nobody is there.' }));
    await catchUp(one);
    const common = { source: 'syncs/orders', subject: 'Workflow/a', time: AT, platform: 'prod' };
    const data = { sync: 'orders', platform: 'prod' };
    expect(bus()).to.have.length(2);
    expect(bus()[0]).to.deep.include({
      ...common,
      type: 'reconcile.drift-found',
      data: { ...data, message: 'It differs.', key: 'Workflow/a', paths: ['/active'] },
    });
    expect(bus()[1]).to.deep.include({
      ...common,
      type: 'reconcile.pass-failed',
      subject: 'Sync/orders',
      data: { ...data, message: 'Nobody is there.' },
    });
  });

  it('goes there once and in order, however much it is and however often a pass ends', async () => {
    const one = feed();
    const all = Array.from({ length: 450 }, (_, number) => `change ${number}`);
    for (const message of all) place.ledger.addEvent(told({ message }));
    one.passEnded();
    one.passEnded();
    await catchUp(one);
    await catchUp(one);
    expect(messages()).to.deep.equal(all);
    place.ledger.addEvent(told({ message: 'one more' }));
    await catchUp(one);
    expect(messages()).to.deep.equal([...all, 'one more']);
  });

  it('goes there too when it is told while what came before is on its way', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: asked, resolve: begun } = Promise.withResolvers<void>();
    const accept = async (event: BusEvent): Promise<unknown> => {
      begun();
      await gate;
      return place.intake.accept(event);
    };
    const one = feed({ accept });
    place.ledger.addEvent(told({ message: 'first' }));
    one.passEnded();
    await asked;
    place.ledger.addEvent(told({ message: 'second' }));
    one.passEnded();
    open();
    await one.settled();
    expect(messages()).to.deep.equal(['first', 'second']);
  });

  it('leaves out what happened before anybody could listen, and keeps what happened while nobody handed it on', async () => {
    place.ledger.addEvent(told({ message: 'history' }));
    await catchUp(feed());
    expect(messages()).to.deep.equal([]);
    place.ledger.addEvent(told({ message: 'told before the end' }));
    await place.reopen([]);
    await catchUp(feed());
    expect(messages()).to.deep.equal(['told before the end']);
  });

  it('is handed on again after a crash in between, under the same ids, so that nothing is there twice', async () => {
    const { promise: kept, resolve: keep } = Promise.withResolvers<void>();
    const accept = async (event: BusEvent): Promise<void> => {
      if ((event.data as { message?: string }).message === 'a') return void place.intake.accept(event).finally(keep);
      await kept;
      throw new Error('the process ended here');
    };
    const one = feed({ accept });
    for (const message of ['a', 'b', 'c']) place.ledger.addEvent(told({ message, key: 'Workflow/a' }));
    await catchUp(one);
    expect(messages()).to.deep.equal(['a']);
    expect(said.filter((line) => line.includes('events of passes not on the bus yet'))).to.have.length(1);
    await place.reopen([]);
    const again: string[] = [];
    await catchUp(feed({ accept: (event) => (again.push(event.id), place.intake.accept(event)) }));
    expect(messages()).to.deep.equal(['a', 'b', 'c']);
    expect(again[0], 'the first, once more').to.equal(bus()[0]?.id);
    expect(again).to.have.length(3);
  });

  it('has another id in another ledger: who knows what came by its id misses nothing when one is lost', async () => {
    await using other = new BusPlace();
    const ids = [place, other].map(async ({ ledger, intake }, time) => {
      const one = feed({ ledger, accept: (event) => intake.accept(event) });
      ledger.addEvent(told({ at: AT + time }));
      await catchUp(one);
      return ledger.bus.event(1)?.id;
    });
    const [first, second] = await Promise.all(ids);
    expect(first).to.be.a('string').and.not.equal(second);
  });

  it('goes on with the next pass when the bus could not take it', async () => {
    let full = true;
    const one = feed({
      accept: async (event) => {
        if (full) throw new Error('full');
        return place.intake.accept(event);
      },
    });
    place.ledger.addEvent(told({ message: 'a' }));
    await catchUp(one);
    full = false;
    expect(messages()).to.deep.equal([]);
    await catchUp(one);
    expect(messages()).to.deep.equal(['a']);
  });

  it('is not kept a second time when nobody wants it, and not brought up later', async () => {
    let wanted = false;
    const one = feed({ wanted: ({ type }) => wanted || type === 'reconcile.withheld' });
    place.ledger.addEvent(told({ message: 'unwanted' }));
    place.ledger.addEvent(told({ message: 'wanted', type: 'withheld' }));
    await catchUp(one);
    await one.runsSeen('prod', [ended('1')]);
    expect(messages()).to.deep.equal(['wanted']);
    wanted = true;
    await catchUp(one);
    expect(messages()).to.deep.equal(['wanted']);
  });

  it('is of a Sync on a Platform; anything else stays where it is', async () => {
    const one = feed();
    const { sync: _, ...without } = told({ message: 'of nobody' });
    place.ledger.addEvent(without);
    place.ledger.addEvent(told({ message: 'of orders' }));
    await catchUp(one);
    expect(messages()).to.deep.equal(['of orders']);
  });

  it('tells how runs of governed workflows ended, with their correlation id and without what the platform said', async () => {
    const one = feed();
    const runs = [
      ended('1', { correlation: 'c-1' }),
      ended('2', { status: 'error', error: 'customer 4711 has no money' }),
      ended('3', { status: 'running' }),
      { execution: ended('4').execution },
    ];
    await one.runsSeen('prod', runs);
    await one.runsSeen('prod', runs);
    const times = { startedAt: '2027-01-01T00:00:00.000Z', endedAt: '2027-01-01T00:00:01.500Z', milliseconds: 1500 };
    const common = { subject: 'Workflow/orders', platform: 'prod', time: AT + 1500 };
    expect(bus()).to.have.length(2);
    expect(bus()[0]).to.deep.include({
      ...common,
      type: 'workflow.succeeded',
      data: { workflow: 'orders', execution: '1', ...times, correlationId: 'c-1' },
    });
    expect(bus()[1]).to.deep.include({
      ...common,
      type: 'workflow.failed',
      data: { workflow: 'orders', execution: '2', ...times },
    });
  });

  it('says so when the bus cannot take how runs ended: then they are to be told again', async () => {
    const one = feed({ accept: async () => Promise.reject(new Error('full')) });
    const failure = await one.runsSeen('prod', [ended('1')]).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error).with.property('message', 'full');
  });

  it('keeps runs apart from what a platform sends under the same id, and runs of one platform from those of another', async () => {
    const one = feed();
    await one.runsSeen('prod', [ended('1')]);
    await one.runsSeen('test', [ended('1')]);
    const [first] = bus();
    await place.accept({
      id: first?.id ?? '',
      source: 'platforms/prod',
      type: 'a',
      time: AT,
      platform: 'prod',
      data: 1,
    });
    expect(bus().map(({ type, platform }) => `${type} ${platform}`)).to.deep.equal([
      'workflow.succeeded prod',
      'workflow.succeeded test',
      'a prod',
    ]);
  });

  it('takes runs whose ids no event could have, and lets none that the bus never takes hold up the others', async () => {
    const one = feed();
    const odd = ended('bell\u0007'.repeat(60));
    await one.runsSeen('prod', [odd, ended('plain')]);
    expect(bus().map(({ id }) => id)).to.have.members([
      `execution-${contentHash('bell\u0007'.repeat(60))}-success`,
      'execution-plain-success',
    ]);
    await one.runsSeen('prod', [{ ...ended('2'), name: 'n'.repeat(600) }, ended('3')]);
    expect(bus().map(({ id }) => id)).to.include('execution-3-success');
    expect(said.join()).to.include('event left out');
  });
});
