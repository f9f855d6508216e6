import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Instant } from '../../src/kube/lease.ts';
import { DURATION, GRACE, LeaseWorld, bookOf, identity, recordOf } from './lease-world.ts';
import type { Happening } from './lease-world.ts';

const at = (milliseconds: number, wall = milliseconds): Instant => ({ monotonic: milliseconds, wall });

const when = { after: fc.nat(150), who: fc.nat(2) };
const delay = fc.oneof({ weight: 9, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(900) });
const delays = { there: delay, back: delay, lost: fc.constantFrom('no', 'no', 'no', 'no', 'way', 'answer') };
const tick = fc.record({ ...when, what: fc.constant('tick'), ...delays });
const request = fc.record({
  ...when,
  what: fc.constant('request'),
  shard: fc.nat(2),
  lasts: fc.integer({ min: 1, max: GRACE }),
});
const happening = fc.oneof(
  { weight: 5, arbitrary: tick },
  { weight: 6, arbitrary: request },
  { weight: 1, arbitrary: fc.record({ ...when, what: fc.constant('pause'), lasts: fc.nat(3_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ ...when, what: fc.constant('set-clock'), by: fc.integer({ min: -9_000, max: 9_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ ...when, what: fc.constant('crash') }) },
  { weight: 1, arbitrary: fc.record({ ...when, what: fc.constant('release'), shard: fc.nat(2) }) },
) as fc.Arbitrary<Happening>;
const timeline = fc.array(happening, { minLength: 40, maxLength: 200, size: 'max' });

function told({ windows }: LeaseWorld): ReadonlySet<number> {
  return new Set(windows.map(({ who }) => who));
}

describe('Leases', () => {
  it('never let two replicas send to one platform at once, whatever is slow, lost, stopped, killed or set back', function () {
    this.timeout(60_000);
    let shared = 0;
    const property = fc.property(fc.integer({ min: 1, max: 3 }), timeline, (shards, happenings) => {
      const world = new LeaseWorld([shards, shards, shards]);
      world.run(happenings);
      if (told(world).size > 1) shared += 1;
      expect(world.overlaps()).to.deep.equal([]);
    });
    fc.assert(property, { numRuns: 1_000 });
    // A property that nobody could break proves nothing: the shards did change hands.
    expect(shared).to.be.greaterThan(300);
  });

  it('nor do replicas that split the platforms into different numbers of shards', function () {
    this.timeout(60_000);
    let shared = 0;
    const property = fc.property(timeline, (happenings) => {
      const world = new LeaseWorld([1, 2, 1]);
      world.run(happenings);
      if (told(world).size > 1) shared += 1;
      expect(world.overlaps()).to.deep.equal([]);
    });
    fc.assert(property, { numRuns: 1_000 });
    expect(shared).to.be.greaterThan(100);
  });

  it('end up evenly spread over the replicas that live, and stay where they are', () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (shards, replicas) => {
        const books = Array.from({ length: replicas }, (_, who) => bookOf(who, 0, shards));
        const members = books.map((_, who) =>
          recordOf({ name: `replica-${who}`, of: shards, holder: identity(who) }, '1'),
        );
        // All begin at the first one, as after a start one after the other.
        const holders = Array.from({ length: shards }, () => identity(0));
        let moves = 0;
        const records = () => [
          ...members,
          ...holders.map((holder, shard) => recordOf({ name: `${shard}`, shard, of: shards, holder }, `${2 + moves}`)),
        ];
        for (let round = 0; round < shards * 3 + 3; round++) {
          for (const [who, book] of books.entries()) {
            book.observeAll(records(), String(2 + moves), at(round));
            const { take, giveUp } = book.wishes(at(round));
            for (const shard of take) holders[shard] = identity(who);
            for (const shard of giveUp) holders[shard] = '';
            moves += take.length + giveUp.length;
          }
        }
        const counts = books.map((_, who) => holders.filter((holder) => holder === identity(who)).length);
        expect(Math.max(...counts) - Math.min(...counts), counts.join(' ')).to.be.at.most(1);
        expect(counts.reduce((sum, count) => sum + count, 0)).to.equal(shards);
        // No more than had to move: each that moved was given up once and taken once.
        expect(moves).to.equal(2 * (shards - (counts[0] ?? 0)));
      },
    );
    fc.assert(property);
  });

  it('count for their holder from before the renewal was sent, by the clock that has gone further', () => {
    const book = bookOf(0, 0, 1);
    const record = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '1');
    book.holds(record, at(100), at(400));
    expect(book.permit(0, at(400))).to.equal(DURATION - 300 + GRACE);
    expect(book.permit(0, at(1_099))).to.be.greaterThan(GRACE);
    expect(book.permit(0, at(1_100)), 'expired by the monotonic clock').to.equal(0);
    expect(book.permit(0, at(400, 1_100)), 'expired by the wall clock').to.equal(0);
    expect(book.permit(0, at(1_100, -50_000)), 'a wall clock that was set back gives no time').to.equal(0);
  });

  it('are free for others after the holder’s time and the time of its last request, or at once when released', () => {
    const book = bookOf(1, 0, 1);
    const record = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '1');
    book.observe(record, at(0));
    expect(book.wishes(at(DURATION + GRACE - 1, 99_999)).take).to.deep.equal([]);
    expect(book.wishes(at(DURATION + GRACE)).take).to.deep.equal([0]);
    book.observe({ ...record, renewed: '2', version: '2' }, at(DURATION));
    expect(book.wishes(at(DURATION + GRACE)).take, 'renewed').to.deep.equal([]);
    book.observe({ ...record, holder: '', version: '3' }, at(DURATION));
    expect(book.wishes(at(DURATION)).take, 'released').to.deep.equal([0]);
  });

  it('let nothing begin once they are being given up, renewed or not', () => {
    const book = bookOf(0, 0, 1);
    const record = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '1');
    book.holds(record, at(0), at(0));
    book.close(0);
    expect(book.permit(0, at(0))).to.equal(0);
    book.holds({ ...record, version: '2', renewed: '2' }, at(1), at(1));
    expect(book.permit(0, at(1))).to.equal(0);
  });

  it('are taken again by whoever gave them up and could not release them, when nobody else has taken them', () => {
    const book = bookOf(0, 0, 1);
    const record = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '1');
    book.holds(record, at(0), at(0));
    book.close(0);
    const due = at(DURATION + GRACE);
    expect(book.wishes(at(DURATION + GRACE - 1))).to.deep.include({ take: [], renew: [] });
    expect(book.wishes(due)).to.deep.include({ take: [0], renew: [] });
    book.forget(0);
    book.holds({ ...record, version: '2', renewed: '2' }, due, due);
    expect(book.permit(0, due)).to.be.greaterThan(0);
    expect(book.wishes(due)).to.deep.include({ take: [], renew: [0] });
  });

  it('are given up one by one: what could not be released yet makes no other one too many', () => {
    const book = bookOf(0, 0, 2);
    const leases = [0, 1].map((shard) => recordOf({ name: `${shard}`, shard, of: 2, holder: identity(0) }, '1'));
    for (const lease of leases) book.holds(lease, at(0), at(0));
    book.observe(recordOf({ name: 'replica-1', of: 2, holder: identity(1) }, '2'), at(0));
    expect(book.wishes(at(0)).giveUp).to.deep.equal([1]);
    book.close(1);
    expect(book.wishes(at(0))).to.deep.equal({ take: [], renew: [0], giveUp: [] });
  });

  it('are not held again by the answer to a renewal that comes after their release', () => {
    const book = bookOf(0, 0, 1);
    const renewed = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '2');
    book.holds({ ...renewed, version: '1' }, at(0), at(0));
    book.close(0);
    book.released({ ...renewed, holder: '', version: '3' }, at(2));
    book.holds(renewed, at(1), at(3));
    expect(book.permit(0, at(3))).to.equal(0);
    expect(book.held()).to.deep.equal([]);
  });

  it('are none of those with the same number of another split', () => {
    const book = bookOf(0, 0, 1);
    book.holds(recordOf({ name: '0-of-1', shard: 0, of: 1, holder: identity(0) }, '1'), at(0), at(0));
    book.observe(recordOf({ name: '0-of-2', shard: 0, of: 2, holder: identity(1) }, '2'), at(1));
    expect(book.permit(0, at(1)), 'taken by another').to.be.greaterThan(0);
    book.vanished('0-of-2', '3');
    expect(book.permit(0, at(1)), 'gone').to.be.greaterThan(0);
  });

  it('are not lost by news that was overtaken by an answer', () => {
    const book = bookOf(0, 0, 1);
    const taken = recordOf({ name: 'a', shard: 0, of: 1, holder: identity(0) }, '10');
    book.holds(taken, at(0), at(1));
    book.observe({ ...taken, holder: '', version: '9' }, at(2));
    expect(book.permit(0, at(2))).to.be.greaterThan(0);
    book.observe({ ...taken, holder: identity(1), version: '11' }, at(3));
    expect(book.permit(0, at(3))).to.equal(0);
  });
});
