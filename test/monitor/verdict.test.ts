import { expect } from 'chai';
import { burnsOf, periodOf, promDuration, thresholdOf } from '../../src/monitor/burn.ts';
import { broken, objectivesOf, within } from '../../src/monitor/objective.ts';
import type { Objective } from '../../src/monitor/objective.ts';
import { budgetLeft, stateOf, valueOf } from '../../src/monitor/verdict.ts';
import type { Evidence } from '../../src/monitor/verdict.ts';
import type { Counts } from '../../src/ledger/tallies.ts';

const objective = (name: string, text: string): Objective => {
  const [one] = objectivesOf({ objectives: { [name]: text } });
  if (one === undefined) throw new Error(`${name} ${text} is no objective`);
  return one;
};
const counts = (good: number, bad: number, seconds = 0): Counts => ({ good, bad, seconds });
const ALL_WELL = counts(1_000_000, 0);

/** What the first pair of windows has counted, the rest of the month being in order. */
const evidence = (short: Counts, long: Counts, more: Partial<Evidence> = {}): Evidence => {
  const [burn, ...others] = burnsOf(periodOf('30d'));
  if (burn === undefined) throw new Error('there are no pairs of windows');
  const idle = others.map((one) => ({ burn: one, short: ALL_WELL, long: ALL_WELL }));
  return {
    objective: objective('successRate', '> 99%'),
    minimum: 10,
    window: ALL_WELL,
    burns: [{ burn, short, long }, ...idle],
    age: 0,
    ...more,
  };
};

describe('The pairs of windows', () => {
  const told = (window: string) =>
    burnsOf(periodOf(window)).map(({ severity, short, long, factor, fewest }) =>
      [severity, promDuration(short), promDuration(long), factor, fewest].join(' '),
    );

  it('of a month are those of the SRE workbook', () => {
    expect(told('30d')).to.deep.equal(['page 5m 1h 14.4 5', 'page 30m 6h 6 8', 'ticket 2h 1d 3 5', 'ticket 6h 3d 1 5']);
  });

  it('of another period spend the same share of the budget: other factors, and for less than two weeks other windows', () => {
    expect(told('28d')).to.deep.equal([
      'page 5m 1h 13.44 5',
      'page 30m 6h 5.6 8',
      'ticket 2h 1d 2.8 5',
      // A factor below one would tell of what just lasts.
      'ticket 6h 3d 1 5',
    ]);
    expect(told('90d').slice(0, 2)).to.deep.equal(['page 5m 1h 43.2 5', 'page 30m 6h 18 8']);
    expect(told('7d')).to.deep.equal([
      'page 70s 14m 14.4 5',
      'page 7m 84m 6 8',
      'ticket 28m 336m 3 5',
      'ticket 84m 1008m 1 5',
    ]);
  });

  it('ask for no more bad events than there can be', () => {
    const [burn] = burnsOf(periodOf('30d'));
    if (burn === undefined) throw new Error('there are no pairs of windows');
    expect(thresholdOf(burn, 0.01)).to.equal(0.144);
    expect(thresholdOf(burn, 0.2), 'halfway to everything').to.equal(0.6);
  });
});

describe('An objective', () => {
  it('burns when both windows exceed the threshold, not when one does or both just reach it', () => {
    const [over, at] = [counts(855, 145), counts(856, 144)];
    expect(stateOf(evidence(over, over))).to.equal('burning');
    expect(stateOf(evidence(at, over))).to.equal('met');
    expect(stateOf(evidence(over, at))).to.equal('met');
    expect(stateOf(evidence(counts(0, 0), over)), 'nothing happens any more').to.equal('met');
  });

  it('burns only with as many bad events in the longer window as are no bad luck', () => {
    expect(stateOf(evidence(counts(0, 4), counts(16, 4)))).to.equal('met');
    expect(stateOf(evidence(counts(0, 5), counts(16, 5)))).to.equal('burning');
  });

  it('burns only with as many events in the longer window as are asked for', () => {
    const few = { minimum: 30 };
    expect(stateOf(evidence(counts(0, 9), counts(20, 9), few))).to.equal('met');
    expect(stateOf(evidence(counts(0, 9), counts(21, 9), few))).to.equal('burning');
  });

  it('is judged from as many events in its window on as are asked for', () => {
    const window = (good: number, bad: number) => stateOf(evidence(ALL_WELL, ALL_WELL, { window: counts(good, bad) }));
    expect([window(0, 0), window(0, 9), window(0, 10), window(10, 0)]).to.deep.equal([
      'no-data',
      'few',
      'missed',
      'met',
    ]);
  });

  it('is broken at its target where that must not be reached, and beyond it where it may; in whole events', () => {
    const strict = objective('successRate', '> 99.9%');
    const lenient = objective('successRate', '>= 99.9%');
    for (const thousands of [1, 3, 7, 9, 70, 4001]) {
      const total = thousands * 1000;
      expect([broken(strict, thousands, total), broken(lenient, thousands, total)], `${thousands}`).to.deep.equal([
        true,
        false,
      ]);
      expect(broken(strict, thousands - 1, total)).to.equal(false);
      expect(broken(lenient, thousands + 1, total)).to.equal(true);
    }
    // 0.07 times 100 is 7.000000000000001 to a computer.
    for (const percent of [7, 14, 28, 29, 55, 56, 57, 58])
      expect(
        ['<', '<='].map((operator) => broken(objective('errorRate', `${operator} ${percent}%`), percent, 100)),
        `${percent}`,
      ).to.deep.equal([true, false]);
    const rates = [objective('errorRate', '< 10%'), objective('errorRate', '<= 10%')];
    expect(rates.map((one) => broken(one, 10, 100))).to.deep.equal([true, false]);
  });

  it('of a time keeps it or not, to the very number', () => {
    const [below, upTo] = [objective('durationP95', '< 30s'), objective('durationP95', '<= 30s')];
    expect([within(below, 29.999), within(below, 30), within(upTo, 30), within(upTo, 30.001)]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
  });

  it('has the budget that its name says: one in twenty, one in a hundred, or what is left to its target', () => {
    const budgets = [
      ['durationP95', '< 30s'],
      ['latencyP99', '< 500ms'],
      ['syncLatency', '< 60s'],
      ['successRate', '> 99.9%'],
      ['errorRate', '< 0.1%'],
      ['dataQuality', '> 70%'],
      ['averageDuration', '< 30s'],
      ['freshness', '< 1h'],
    ].map(([name = '', text = '']) => objective(name, text).budget);
    expect(budgets).to.deep.equal([0.05, 0.01, 0.01, 0.001, 0.001, 0.3, undefined, undefined]);
  });

  it('is shown as it is written: of the good, or of the bad; and what is left of its budget', () => {
    const told = (name: string, text: string, window: Counts) => {
      const one = evidence(ALL_WELL, ALL_WELL, { objective: objective(name, text), window, age: 90 });
      return [valueOf(one), budgetLeft(one)];
    };
    expect(told('successRate', '> 99%', counts(199, 1))).to.deep.equal([0.995, 0.5]);
    expect(told('errorRate', '< 1%', counts(199, 1))).to.deep.equal([0.005, 0.5]);
    expect(told('successRate', '> 99%', counts(97, 3))).to.deep.equal([0.97, -2]);
    expect(told('successRate', '> 99%', counts(0, 0))).to.deep.equal([undefined, 1]);
    expect(told('averageDuration', '< 30s', counts(3, 1, 50))).to.deep.equal([12.5, undefined]);
    expect(told('freshness', '< 1h', counts(3, 1))).to.deep.equal([90, undefined]);
  });

  it('of an age is met while the last success is young enough, whatever has happened since', () => {
    const state = (age: number) =>
      stateOf(evidence(ALL_WELL, ALL_WELL, { objective: objective('freshness', '< 1h'), window: counts(0, 99), age }));
    expect([state(3599), state(3600)]).to.deep.equal(['met', 'missed']);
  });
});
