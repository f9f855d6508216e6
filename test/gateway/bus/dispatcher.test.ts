import { expect } from 'chai';
import { ReconcilerError } from '../../../src/errors.ts';
import { event } from '../../ledger/bus-samples.ts';
import { BusPlace, forever, quiet, Taker, until } from './bus-place.ts';

const HOUR = 3_600_000;

describe('The dispatcher', () => {
  it('hands each event to every handler that wants it, once, in order of each subject', async () => {
    await using place = new BusPlace();
    const [all, orders] = [new Taker('all'), new Taker('orders')];
    orders.wanting = ({ type }) => type.startsWith('order.');
    place.start(all, orders);
    const types = ['order.created', 'customer.updated'];
    const events = Array.from({ length: 600 }, (_, n) =>
      event(String(n), { type: types[n % 2] ?? '', subject: `s/${n % 7}` }),
    );
    await place.accept(...events);
    await until('all are handled', () => place.ledger.bus.standing().pending === 0);
    expect(all.taken).to.have.lengthOf(600);
    for (let s = 0; s < 7; s++) {
      const numbers = all.taken.map(Number).filter((n) => n % 7 === s);
      expect(numbers).to.deep.equal(numbers.toSorted((a, b) => a - b));
    }
    expect(orders.taken.map(Number).every((n) => n % 2 === 0) && orders.taken.length === 300).to.equal(true);
    expect(all.mostUnderWay, 'four at a time').to.equal(4);
    expect(place.dispatcher.wanted(event('x', { type: 'order.paid' }))).to.equal(true);
  });

  it('lets a handler that never ends delay no other, and no more than four of its own', async () => {
    await using place = new BusPlace();
    const [stuck, other] = [new Taker('stuck'), new Taker('other')];
    stuck.handling = forever;
    place.start(stuck, other);
    await place.accept(...Array.from({ length: 300 }, (_, n) => event(String(n), { subject: null })));
    await until('the other has all', () => other.taken.length === 300);
    expect(stuck.taken).to.have.lengthOf(4);
    place.timers.advance(60_000);
    await until('it is believed to have failed, and given the next', () => stuck.taken.length === 8);
    expect(place.told).to.include('plugin/stuck failed');
  });

  it('does not hand over again what is under way already', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    taker.handling = async ({ id }) => (id.startsWith('slow') ? await forever() : undefined);
    place.start(taker);
    await place.accept(event('slow1', { subject: null }), event('slow2', { subject: null }));
    await until('both are under way', () => taker.underWay === 2);
    for (const id of ['a', 'b', 'c']) {
      await place.accept(event(id, { subject: null }));
      await until('it is through', () => place.ledger.bus.list({ state: 'done' })[0]?.event.id === id);
    }
    expect(taker.taken).to.deep.equal(['slow1', 'slow2', 'a', 'b', 'c']);
  });

  it('holds the later events of a subject while an earlier one fails, and nothing else', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    let down = true;
    taker.handling = async ({ id }) => {
      if (down && id === 'a1') throw new Error('hunter2 is wrong');
    };
    place.start(taker);
    await place.accept(
      event('a1'),
      event('a2'),
      event('b1', { subject: 'order/2' }),
      event('b2', { subject: 'order/2' }),
    );
    await until('b is through', () => taker.taken.includes('b2'));
    for (let attempt = 2; attempt <= 6; attempt++) {
      place.timers.advance(HOUR);
      await until('it is tried again', () => taker.taken.filter((id) => id === 'a1').length === attempt);
    }
    expect(taker.taken).not.to.include('a2');
    down = false;
    place.timers.advance(HOUR);
    await until('a2 follows', () => taker.taken.includes('a2'));
    expect(taker.taken.indexOf('a2')).to.be.greaterThan(taker.taken.lastIndexOf('a1'));
    expect(place.logged.join(), 'no secret').not.to.include('hunter2');
  });

  it('tries again after pauses that grow from five seconds to an hour, for a day, and then gives up with the reason', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    const times: number[] = [];
    taker.handling = async () => {
      times.push(place.timers.now());
      throw new Error('out of order');
    };
    place.start(taker);
    await place.accept(event('a'));
    const begin = place.timers.now();
    while (place.ledger.bus.standing().dead === 0) {
      await quiet();
      place.timers.advance(1000);
      if (place.timers.now() - begin > 25 * HOUR) break;
      const next = place.ledger.bus.list()[0]?.nextAt;
      if (next !== undefined) place.timers.advance(Math.max(0, next - place.timers.now()));
    }
    const pauses = times.slice(1).map((time, n) => Math.round((time - (times[n] ?? 0)) / 1000));
    expect(pauses.slice(0, 5)).to.deep.equal([5, 10, 20, 40, 80]);
    expect(Math.max(...pauses)).to.be.within(3600, 3602);
    expect((times.at(-1) ?? 0) - begin).to.be.within(24 * HOUR, 24 * HOUR + 5000);
    const [dead] = place.ledger.bus.list({ state: 'dead' });
    expect(dead?.error).to.match(/^Given up after \d+ attempts: out of order$/);
    expect(dead?.attempts).to.equal(times.length);
    expect(place.told.at(-1)).to.equal('plugin/p dead');
  });

  it('gives what waited behind it for a day one attempt, and no second', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    taker.handling = async () => {
      throw new Error('out of order');
    };
    place.start(taker);
    await place.accept(event('a1'), event('a2'), event('a3'));
    await until('the first was tried', () => taker.taken.length === 1);
    await quiet();
    place.timers.advance(24 * HOUR);
    await until('all are given up', () => place.ledger.bus.standing().dead === 3);
    expect(taker.taken).to.deep.equal(['a1', 'a1', 'a2', 'a3']);
  });

  it('gives up at once where trying again is pointless, and waits as long as it is asked to', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    taker.handling = async ({ id }) => {
      if (id === 'never') throw new ReconcilerError('Gone.', 'never');
      if (id === 'later') throw new ReconcilerError('Busy.', 'backoff', { retryAfter: 2 * HOUR });
    };
    place.start(taker);
    await place.accept(event('never', { subject: null }), event('later', { subject: null }));
    await until('both are tried', () => place.told.includes('plugin/p dead') && place.told.includes('plugin/p failed'));
    await quiet();
    const [dead] = place.ledger.bus.list({ state: 'dead' });
    expect(dead).to.include({ error: 'Gone.', attempts: 1 });
    const [later] = place.ledger.bus.list({ state: 'pending' });
    expect(later?.nextAt).to.equal(place.timers.now() + 2 * HOUR);
  });

  it('makes dead letters of what waits for a handler that goes, and hands them over when it is back', async () => {
    await using place = new BusPlace();
    const [taker, other] = [new Taker('p'), new Taker('q')];
    taker.handling = async (_, signal) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))));
    };
    place.start(taker, other);
    await place.accept(...Array.from({ length: 450 }, (_, n) => event(String(n), { subject: `s/${n % 9}` })));
    await until('the other has all', () => other.taken.length === 450);
    place.dispatcher.setHandlers([other]);
    await until('they are given up', () => place.ledger.bus.standing().dead === 450);
    expect(place.ledger.bus.list({ state: 'dead' })[0]?.error).to.match(/no such handler any more/);
    await place.accept(event('x'));
    await until('the other has it', () => other.taken.includes('x'));
    taker.taken.splice(0);
    taker.handling = async () => undefined;
    place.dispatcher.setHandlers([other, taker]);
    expect(await place.dispatcher.replay({ dead: 'plugin/p' })).to.deep.equal({ replayed: 450, skipped: 0 });
    await until('all are handled', () => place.ledger.bus.standing().pending === 0);
    expect(new Set(taker.taken)).to.have.property('size', 450);
    expect(other.taken).to.have.lengthOf(451);
  });

  it('replays whole events to every handler that wants them now', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    place.start(taker);
    await place.accept(event('a'), event('b'));
    await until('both are handled', () => place.ledger.bus.standing().pending === 0);
    const fresh = new Taker('fresh');
    place.dispatcher.setHandlers([taker, fresh]);
    expect(await place.dispatcher.replay({ since: 0 })).to.deep.equal({ replayed: 4, skipped: 0 });
    await until('both are handled', () => place.ledger.bus.standing().pending === 0);
    expect([taker.taken, fresh.taken]).to.deep.equal([
      ['a', 'b', 'a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('waits for what is under way when it stops, ends the rest at the deadline, and leaves it to the next start', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    const released: (() => void)[] = [];
    taker.handling = async ({ id }, signal) => {
      if (id === 'quick') await new Promise<void>((resolve) => released.push(resolve));
      else await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))));
    };
    place.start(taker);
    await place.accept(event('quick', { subject: null }), event('slow', { subject: null }));
    await until('both are under way', () => taker.underWay === 2);
    let stopped = false;
    const stop = place.dispatcher.stop(5000).then(() => (stopped = true));
    await quiet();
    released[0]?.();
    await quiet();
    expect(stopped).to.equal(false);
    place.timers.advance(5000);
    await stop;
    expect(place.ledger.bus.list().map(({ state, attempts, event: { id } }) => [id, state, attempts])).to.deep.equal([
      ['slow', 'pending', 0],
      ['quick', 'done', 1],
    ]);
    const next = new Taker('p');
    await place.reopen([next]);
    await until('it goes on', () => place.ledger.bus.standing().pending === 0);
    expect(next.taken).to.deep.equal(['slow']);
  });

  it('goes on by itself when the ledger could not be written for a while, and delivers nothing less', async () => {
    await using place = new BusPlace();
    const { bus } = place.ledger;
    const settle = bus.settle.bind(bus);
    let full = true;
    bus.settle = (settlements) => {
      if (full) throw new ReconcilerError('Cannot write: the disk is full.', 'backoff', { code: 'ledger-full' });
      settle(settlements);
    };
    const taker = new Taker('p');
    place.start(taker);
    await place.accept(event('a1'), event('a2'));
    await until('it was told', () => place.logged.join().includes('the disk is full'));
    await quiet();
    expect(taker.taken, 'nothing comes twice meanwhile').to.deep.equal(['a1']);
    const told = place.logged.length;
    place.timers.advance(900);
    await quiet();
    expect(place.logged, 'it rests').to.have.lengthOf(told);
    full = false;
    place.timers.advance(100);
    await until('the rest is handled', () => bus.standing().pending === 0);
    expect(taker.taken).to.deep.equal(['a1', 'a2']);
  });

  it('hands over an event for which a handler cannot tell whether it wants it', async () => {
    await using place = new BusPlace();
    const taker = new Taker('p');
    taker.wanting = () => {
      throw new Error('cannot tell');
    };
    place.start(taker);
    await place.accept(event('a'));
    await until('it has it', () => taker.taken.length === 1);
  });
});
