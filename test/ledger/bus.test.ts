import { DatabaseSync } from 'node:sqlite';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Bus } from '../../src/ledger/bus.ts';
import type { BusLimits } from '../../src/ledger/bus-limits.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { dueIds, event, routeToAll, settle } from './bus-samples.ts';
import { stateDirectories } from './samples.ts';

const DAY = 24 * 3_600_000;

describe('The bus in the ledger', () => {
  const stateDirectory = stateDirectories();
  let directory: string;
  let now: number;
  let ledger: Ledger;
  let bus: Bus;

  function open(limits: Partial<BusLimits> = {}): Bus {
    ledger = Ledger.open(directory, {
      now: () => now,
      redact: (text) => text.replaceAll('hunter2', '[secret]'),
      limits: { bus: limits },
    });
    return ledger.bus;
  }

  beforeEach(() => {
    directory = stateDirectory();
    now = 1_000_000;
    bus = open();
  });
  afterEach(() => ledger.close());

  it('keeps an event once, however often it comes, and knows it by source and id', () => {
    expect(bus.append([event('a'), event('b'), event('a')])).to.deep.equal(['stored', 'stored', 'duplicate']);
    expect(bus.append([event('a'), event('a', { source: 'syncs/orders' })])).to.deep.equal(['duplicate', 'stored']);
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    expect(bus.standing().pending).to.equal(3);
    expect(bus.append([event('a')]), 'also after it was routed').to.deep.equal(['duplicate']);
    expect(bus.event(bus.due(handler, 1)[0]?.event ?? 0)).to.deep.include({ ...event('a'), receivedAt: now });
  });

  it('gives a handler of each subject the oldest only, until that is settled', () => {
    bus.append([event('a1'), event('b1', { subject: 'order/2' }), event('a2'), event('a3')]);
    const [one = 0, other = 0] = routeToAll(bus, 'plugin/one', 'plugin/other');
    expect(dueIds(bus, one)).to.deep.equal(['a1', 'b1']);
    settle(bus, one, 'a1', 'done');
    expect(dueIds(bus, one)).to.have.members(['b1', 'a2']);
    settle(bus, one, 'a2', { nextAt: now + 5000 });
    expect(dueIds(bus, one), 'a failure holds up its subject').to.deep.equal(['b1']);
    expect(bus.nextDue(one)).to.equal(now + 5000);
    expect(dueIds(bus, other), 'and no other handler').to.deep.equal(['a1', 'b1']);
    now += 5000;
    expect(dueIds(bus, one)).to.have.members(['b1', 'a2']);
    settle(bus, one, 'a2', { dead: 'no' });
    expect(dueIds(bus, one), 'what is given up lets the next come').to.have.members(['b1', 'a3']);
  });

  it('holds up nothing behind an event without a subject, and tells platforms apart', () => {
    bus.append([
      event('a', { subject: null }),
      event('b', { subject: null }),
      event('c'),
      event('d', { platform: 'q' }),
    ]);
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    expect(dueIds(bus, handler)).to.deep.equal(['a', 'b', 'c', 'd']);
  });

  it('lets what comes later wait behind what is pending of its subject, also when it comes long after', () => {
    bus.append([event('a1')]);
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    settle(bus, handler, 'a1', { nextAt: now + DAY });
    bus.append([event('a2')]);
    routeToAll(bus, 'plugin/p');
    expect(dueIds(bus, handler)).to.deep.equal([]);
    now += DAY;
    expect(dueIds(bus, handler)).to.deep.equal(['a1']);
  });

  it('remembers everything over a restart', () => {
    bus.append([event('a1'), event('a2'), event('b', { subject: 'order/2' }), event('late')]);
    const { ids } = bus.enlist(['plugin/p']);
    const handler = ids.get('plugin/p') ?? 0;
    bus.route(3, () => [handler]);
    settle(bus, handler, 'b', { nextAt: now + 1000 });
    ledger.close();
    bus = open();
    expect(dueIds(bus, handler)).to.deep.equal(['a1']);
    expect(routeToAll(bus, 'plugin/p'), 'a handler keeps its number').to.deep.equal([handler]);
    settle(bus, handler, 'a1', 'done');
    settle(bus, handler, 'a2', 'done');
    expect(dueIds(bus, handler)).to.deep.equal(['late']);
    expect(bus.nextDue(handler)).to.equal(now + 1000);
  });

  it('makes dead letters of what waits for a handler that is gone, and delivers them when it is back and they are asked for', () => {
    bus.append([event('a1'), event('a2'), event('b', { subject: 'order/2' })]);
    const [handler = 0] = routeToAll(bus, 'webhook/w', 'plugin/p');
    expect(bus.enlist(['webhook/w', 'plugin/p']).gone).to.deep.equal([]);
    expect(bus.enlist(['plugin/p']).gone).to.deep.equal([handler]);
    expect(bus.bury(handler, 'It is gone.', 2)).to.equal(true);
    expect(bus.bury(handler, 'It is gone.', 2)).to.equal(false);
    const dead = bus.list({ state: 'dead' });
    expect(dead.map(({ handler, error }) => [handler, error])).to.deep.equal(
      Array.from({ length: 3 }, () => ['webhook/w', 'It is gone.']),
    );
    expect(() => bus.replay({ dead: 'webhook/w' })).to.throw(/no handler webhook\/w/);
    expect(bus.replay({ deliveries: dead.map(({ id }) => id) })).to.deep.equal({ replayed: 0, skipped: 3 });
    bus.enlist(['webhook/w', 'plugin/p']);
    expect(bus.replay({ dead: 'webhook/w' })).to.deep.equal({ replayed: 3, skipped: 0 });
    expect(dueIds(bus, handler)).to.have.members(['a1', 'b']);
    expect(bus.standing()).to.include({ pending: 6, dead: 0 });
  });

  it('replays by delivery, by event, and since a time, in the order of each subject', () => {
    bus.append([event('a1'), event('a2')]);
    const [handler = 0, other = 0] = routeToAll(bus, 'plugin/p', 'plugin/q');
    for (const id of ['a1', 'a2']) settle(bus, handler, id, 'done');
    const [second, first] = bus.list({ handler: 'plugin/p' });
    expect(bus.replay({ deliveries: [first?.id ?? '', 'nonsense', '99-1'] })).to.deep.equal({
      replayed: 1,
      skipped: 2,
    });
    expect(dueIds(bus, handler)).to.deep.equal(['a1']);
    expect(bus.replay({ events: ['a2', 'unknown'] })).to.deep.equal({ replayed: 2, skipped: 1 });
    expect(dueIds(bus, handler), 'the later waits for the earlier').to.deep.equal(['a1']);
    settle(bus, handler, 'a1', 'done');
    expect(dueIds(bus, handler)).to.deep.equal(['a2']);
    expect(second?.event.id).to.equal('a2');
    settle(bus, handler, 'a2', 'done');
    now += 1000;
    bus.append([event('late')]);
    routeToAll(bus, 'plugin/p', 'plugin/q');
    settle(bus, handler, 'late', 'done');
    bus.enlist(['plugin/p', 'plugin/q', 'plugin/new']);
    const fresh = bus.enlist(['plugin/p', 'plugin/q', 'plugin/new']).ids.get('plugin/new') ?? 0;
    const page = bus.replay({ since: now }, undefined, () => [fresh]);
    expect(page.replayed, 'late for p, q and the new one').to.equal(3);
    expect(bus.replay({ since: now }, page.next)).to.deep.equal({ replayed: 0, skipped: 0 });
    expect(dueIds(bus, handler)).to.deep.equal(['late']);
    expect(dueIds(bus, fresh)).to.deep.equal(['late']);
    expect(dueIds(bus, other)).to.deep.equal(['a1']);
  });

  it('makes a delivery due at once that waits for its next attempt, when it is replayed', () => {
    bus.append([event('a')]);
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    settle(bus, handler, 'a', { nextAt: now + DAY });
    expect(bus.replay({ events: ['a'] }).replayed).to.equal(1);
    expect(dueIds(bus, handler)).to.deep.equal(['a']);
    expect(bus.standing().pending).to.equal(1);
  });

  it('never writes a secret down with an error, and tells people everything but what an event holds', () => {
    bus.append([event('a', { data: { password: 'canary' } })]);
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    settle(bus, handler, 'a', { dead: `refused hunter2 ${'x'.repeat(5000)}` });
    const [listed] = bus.list({ state: 'dead', type: 'order.*', handler: 'plugin/p' });
    expect(listed?.error)
      .to.match(/^refused \[secret\] x+$/)
      .and.have.lengthOf(500);
    expect(listed).to.deep.include({ state: 'dead', attempts: 1, endedAt: now });
    expect(JSON.stringify(listed)).not.to.include('canary');
    expect(bus.list({ type: 'customer.*' })).to.deep.equal([]);
    expect(bus.list({ state: 'pending' })).to.deep.equal([]);
  });

  it('counts what waits, what is dead and how long the oldest has waited, also for a reader beside it', () => {
    bus.append([event('a'), event('b')]);
    now += 7000;
    expect(bus.numbers(), 'not routed yet').to.deep.equal({ pending: 2, dead: 0, oldest: 7000 });
    const [handler = 0] = routeToAll(bus, 'plugin/p');
    settle(bus, handler, 'a', { dead: 'no' });
    using reader = Ledger.read(directory);
    expect(reader.bus.numbers()).to.include({ pending: 1, dead: 1 });
    settle(bus, handler, 'b', 'done');
    expect(bus.numbers()).to.deep.equal({ pending: 0, dead: 1, oldest: 0 });
  });

  it('leaves a ledger readable that was written before there was a bus', () => {
    ledger.close();
    const file = join(directory, 'ledger.db');
    const sqlite = new DatabaseSync(file);
    for (const table of ['bus', 'bus_event', 'bus_handler', 'bus_delivery']) sqlite.exec(`DROP TABLE ${table}`);
    sqlite.close();
    using reader = Ledger.read(directory);
    expect(reader.history()).to.deep.equal([]);
  });

  describe('retention', () => {
    function finish(handler: number): void {
      for (const { event } of bus.due(handler, 1000)) bus.settle([{ event, handler, outcome: 'done' }]);
    }
    function prune(): void {
      while (bus.prune());
    }
    const kept = (): readonly string[] => [...new Set(bus.list({ limit: 10_000 }).map(({ event }) => event.id))];

    it('drops finished events beyond a number, oldest first, and never one that is pending', () => {
      ledger.close();
      bus = open({ kept: 300 });
      bus.append([event('stuck')]);
      bus.append(Array.from({ length: 1000 }, (_, n) => event(`n${n}`, { subject: null })));
      const [handler = 0] = routeToAll(bus, 'plugin/p');
      settle(bus, handler, 'stuck', { nextAt: now + DAY });
      finish(handler);
      prune();
      expect(kept()).to.have.lengthOf(300).and.include('stuck').and.include('n999').and.not.include('n0');
      expect(bus.append([event('n0')]), 'no more a duplicate').to.deep.equal(['stored']);
      bus.append(Array.from({ length: 400 }, (_, n) => event(`late${n}`, { subject: null })));
      prune();
      routeToAll(bus, 'plugin/p');
      expect(bus.list({ state: 'pending', limit: 1000 }), 'nor one that is not routed').to.have.lengthOf(402);
    });

    it('drops finished events that are old, and dead letters that are older', () => {
      bus.append([event('done'), event('dead', { subject: 'order/2' }), event('stuck', { subject: 'order/3' })]);
      const [handler = 0] = routeToAll(bus, 'plugin/p');
      settle(bus, handler, 'done', 'done');
      settle(bus, handler, 'dead', { dead: 'no' });
      settle(bus, handler, 'stuck', { nextAt: now + 99 * DAY });
      prune();
      expect(kept()).to.have.lengthOf(3);
      now += 7 * DAY + 1;
      prune();
      expect(kept()).to.have.members(['dead', 'stuck']);
      now += 23 * DAY;
      prune();
      expect(kept()).to.deep.equal(['stuck']);
      expect(bus.standing()).to.include({ pending: 1, dead: 0 });
    });

    it('lets dead letters make room when bytes run short, and bounds them for each handler', () => {
      ledger.close();
      bus = open({ keptBytes: 50_000, deadPerHandler: 60 });
      bus.append(Array.from({ length: 100 }, (_, n) => event(`n${n}`, { subject: null, data: 'x'.repeat(200) })));
      const [handler = 0] = routeToAll(bus, 'plugin/p');
      bus.bury(handler, 'gone', 1000);
      prune();
      expect(bus.standing().dead).to.equal(60);
      bus.append(Array.from({ length: 200 }, (_, n) => event(`m${n}`, { subject: null, data: 'x'.repeat(250) })));
      routeToAll(bus, 'plugin/p');
      prune();
      expect(bus.standing()).to.include({ pending: 200, dead: 0 });
    });

    it('gives a handler no more that has failed for an hour and has too many waiting, and no other suffers', () => {
      ledger.close();
      bus = open({ lostPending: 3 });
      const append = (from: number): unknown =>
        bus.append([0, 1, 2].map((n) => event(`n${from + n}`, { subject: null })));
      append(0);
      const [lost = 0, slow = 0] = routeToAll(bus, 'webhook/lost', 'webhook/slow');
      settle(bus, lost, 'n0', { nextAt: now });
      append(3);
      routeToAll(bus, 'webhook/lost', 'webhook/slow');
      expect(bus.standing().dead, 'not at once').to.equal(0);
      now += 3_600_000;
      append(6);
      routeToAll(bus, 'webhook/lost', 'webhook/slow');
      expect(bus.list({ state: 'dead' }).map(({ handler }) => handler)).to.deep.equal(Array(3).fill('webhook/lost'));
      expect(dueIds(bus, slow)).to.have.lengthOf(9);
      settle(bus, lost, 'n0', 'done');
      append(9);
      routeToAll(bus, 'webhook/lost', 'webhook/slow');
      expect(bus.standing().dead, 'it is back').to.equal(3);
    });

    it('keeps the file from growing, however many events go through', () => {
      ledger.close();
      bus = open({ kept: 500 });
      const [handler = 0] = routeToAll(bus, 'plugin/p');
      const sizes: number[] = [];
      for (let round = 0; round < 24; round++) {
        bus.append(Array.from({ length: 500 }, (_, n) => event(`${round}/${n}`, { subject: `order/${n % 50}` })));
        routeToAll(bus, 'plugin/p');
        while (bus.due(handler, 1).length > 0) finish(handler);
        prune();
        if (round % 8 === 7) {
          ledger.close();
          sizes.push(statSync(join(directory, 'ledger.db')).size);
          bus = open({ kept: 500 });
        }
      }
      expect(kept()).to.have.lengthOf(500);
      expect(sizes.at(-1)).to.be.at.most((sizes[0] ?? 0) * 1.1);
    });
  });
});
