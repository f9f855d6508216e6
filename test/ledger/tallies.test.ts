import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Not at the beginning of any span. */
const BEGIN = Date.UTC(2026, 10, 28, 5, 17, 31);

describe('Counts of service levels', () => {
  let folder: string;
  let ledger: Ledger;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-tallies-'));
    ledger = Ledger.open(folder);
    const series = { platform: 'p', level: 'l', objective: 'successRate', bound: 0, object: 'o' };
    ledger.tallies.keep([series], BEGIN);
  });
  afterEach(() => {
    ledger.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const spans = (): readonly { width: number; start: number; good: number }[] => {
    using database = new DatabaseSync(join(folder, 'ledger.db'), { readOnly: true });
    const rows = database.prepare('SELECT width, start, good FROM tally_span ORDER BY start').all();
    return rows as unknown as readonly { width: number; start: number; good: number }[];
  };

  it('are put together hour by hour, and of those in quarters of a day; none is lost', () => {
    const { tallies } = ledger;
    const id = tallies.all()[0]?.id ?? 0;
    const minutes = 30 * 60;
    for (let minute = 0; minute < minutes; minute++) {
      const counts = new Map([[id, { good: 1, bad: 0, seconds: 0.1 }]]);
      tallies.add({ at: BEGIN + minute * MINUTE, counts });
    }
    const end = BEGIN + minutes * MINUTE;
    tallies.fold(end);
    const hours = spans().filter(({ width }) => width === 3600);
    // The last three hours are kept by the minute; before them lie 26 or 27 hours.
    expect(hours).to.have.length.within(26, 28);
    expect(hours.every(({ start }) => start % 3600 === 0)).to.equal(true);
    expect(spans().length).to.be.at.most(hours.length + 4 * 60 + 1);
    tallies.fold(end + 6 * 24 * HOUR);
    const quarters = spans();
    expect(quarters.every(({ width, start }) => width === 6 * 3600 && start % width === 0)).to.equal(true);
    expect(quarters).to.have.length.within(5, 7);
    expect(quarters.reduce((sum, { good }) => sum + good, 0)).to.equal(minutes);
    expect(tallies.since(BEGIN - 24 * HOUR).get(id)?.good).to.equal(minutes);
  });

  const idOf = (): number => ledger.tallies.all()[0]?.id ?? 0;
  const one = (good: number, bad = 0) => new Map([[idOf(), { good, bad, seconds: 1 }]]);

  it('are taken together with the cursor behind them, or not at all', () => {
    const { tallies } = ledger;
    const entry = {
      at: BEGIN,
      counts: one(1),
      runs: [{ platform: 'p', workflow: 'w', result: 'success', count: 1 }],
      // What SQLite cannot take: as if the disk were full at the very last write.
      cursors: { 'executions/p': undefined as unknown as string },
    };
    expect(() => tallies.add(entry)).to.throw();
    expect([tallies.all()[0]?.good, tallies.runs(), [...tallies.since(0)]]).to.deep.equal([0, [], []]);
    tallies.add({ ...entry, cursors: { 'executions/p': 'c1' } });
    expect([tallies.all()[0]?.good, ledger.cursor('executions/p')]).to.deep.equal([1, 'c1']);
  });

  it('of a span belong to a window that reaches into it, and to none that begins where it ends', () => {
    const { tallies } = ledger;
    const start = Math.floor(BEGIN / MINUTE) * MINUTE;
    tallies.add({ at: start + MINUTE - 1, counts: one(1) });
    expect(tallies.since(start + MINUTE - 1000).get(idOf())?.good).to.equal(1);
    expect(tallies.since(start + MINUTE).get(idOf())).to.equal(undefined);
  });

  it("of a series that has gone are nobody's; those beside it are taken", () => {
    const { tallies } = ledger;
    const gone = 999;
    tallies.add({ at: BEGIN, counts: new Map([[gone, { good: 1, bad: 0, seconds: 0 }], ...one(2)]) });
    expect(tallies.all().map(({ good }) => good)).to.deep.equal([2]);
    expect([...tallies.since(0).keys()]).to.deep.equal([idOf()]);
  });

  it('go with their series, rows and all', () => {
    ledger.tallies.add({ at: BEGIN, counts: one(1) });
    ledger.tallies.keep([], BEGIN);
    expect([ledger.tallies.all(), spans()]).to.deep.equal([[], []]);
  });

  it('that come late to a span that was put together are added to it', () => {
    const { tallies } = ledger;
    for (let time = 0; time < 2; time++) {
      // A clock that was set back counts into an hour that is an hour already.
      tallies.add({ at: BEGIN, counts: one(2) });
      tallies.fold(BEGIN + 12 * HOUR);
    }
    expect(spans().map(({ width, good }) => [width, good])).to.deep.equal([[3600, 4]]);
  });

  it('are not aged away by a clock that has jumped, before something was counted under it for a day', () => {
    const { tallies } = ledger;
    tallies.add({ at: BEGIN, counts: one(3) });
    tallies.fold(BEGIN + 400 * 24 * HOUR);
    expect(tallies.since(BEGIN - 24 * HOUR).get(idOf())?.good).to.equal(3);
    tallies.add({ at: BEGIN + 400 * 24 * HOUR, counts: one(1) });
    tallies.fold(BEGIN + 400 * 24 * HOUR);
    expect(tallies.since(0).get(idOf())?.good, 'that long ago for sure').to.equal(1);
  });

  it('tell when the last good event was, which a bad one does not move', () => {
    const { tallies } = ledger;
    tallies.add({ at: BEGIN, counts: one(1) });
    tallies.add({ at: BEGIN + HOUR, counts: one(0, 1) });
    expect(tallies.all()[0]?.lastGood).to.equal(BEGIN);
  });
});
