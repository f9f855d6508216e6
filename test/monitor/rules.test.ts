import { expect } from 'chai';
import { rulesOf, windowGroups, windowsOf } from '../../src/monitor/rules/rules.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { level } from './levels.ts';

const WINDOWS = ['7d', '11d', '28d', '30d', '90d'];
const LEVELS = WINDOWS.map((window) => level(`of-${window}`, { window }));
/** Made by Prometheus itself. */
const BUILT_IN = /^(?:ALERTS)$/;

/** What needs no promtool; the rest is in test/monitoring/rules.ts. */
describe('the rules', () => {
  it('ask for metrics that there are, and for nothing that no rule records', () => {
    const metrics = new Set(new Metrics({ version: '1' }).describe().map(({ name }) => name));
    const groups = rulesOf(LEVELS);
    const recorded = new Set(
      groups.flatMap(({ rules }) => rules.flatMap((rule) => ('record' in rule ? [rule.record] : []))),
    );
    for (const { name: group, rules } of groups)
      for (const { expr } of rules)
        for (const [name] of expr.matchAll(/plumbline[_:][a-z0-9_:]+/g))
          expect(metrics.has(name) || recorded.has(name) || BUILT_IN.test(name), `${group}: ${name}`).to.equal(true);
  });

  it('record before they use, within a group: what is recorded late is a turn old', () => {
    for (const { name: group, rules } of WINDOWS.flatMap((window) => windowGroups(window))) {
      const own = new Map(rules.map((rule, index) => ['record' in rule ? rule.record : '', index]));
      for (const [index, rule] of rules.entries())
        for (const [name] of rule.expr.matchAll(/plumbline:[a-z0-9_:]+/g)) {
          const made = own.get(name);
          const itself = 'record' in rule && rule.record === name;
          expect(made === undefined || itself || made < index, `${group}: ${name}`).to.equal(true);
        }
    }
  });

  it('record what others read as the present before it is five minutes old, with a minute to spare', () => {
    const seconds = (interval: string): number =>
      Number.parseInt(interval) * (interval.endsWith('s') ? 1 : interval.endsWith('m') ? 60 : 3600);
    const groups = WINDOWS.flatMap((window) => windowGroups(window));
    const read = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)).join('\n');
    const rare = groups.filter(({ interval = '30s' }) => seconds(interval) > 240);
    expect(rare.map(({ interval }) => interval)).to.deep.equal(WINDOWS.map(() => '1h'));
    for (const { rules } of rare)
      for (const rule of rules) {
        const name = 'record' in rule ? rule.record : '';
        const uses = [...read.matchAll(new RegExp(`${name}\\{[^}]*\\}(\\[\\d+d\\])?`, 'g'))];
        expect(uses.length, name).to.be.greaterThan(0);
        for (const [use, range] of uses) expect(range, use).to.be.a('string');
      }
  });

  it('read no counter more often than a thousand times for any span', () => {
    const every = new Map([
      ['sampled', 240],
      ['hourly', 3600],
      ['total', 15],
    ]);
    for (const { name: group, rules } of WINDOWS.flatMap((window) => windowGroups(window)))
      for (const { expr } of rules)
        for (const [, sampling = '', amount, unit] of expr.matchAll(
          /increase\(\S*(sampled|hourly|total)\{[^}]*\}\[(\d+)([smhd])\]/g,
        )) {
          const size = { s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? ''] ?? 0;
          // A quarter of a year has more hours.
          const most = unit === 'd' && Number(amount) > 30 ? 2200 : 1000;
          expect((Number(amount) * size) / (every.get(sampling) ?? 0), `${group}: ${expr}`).to.be.at.most(most);
        }
  });

  it('know a service level by its window alone, and each window by itself', () => {
    const other = level('other', { window: '30d', objectives: { freshness: '< 1h' }, minimumTraffic: 99 });
    expect(rulesOf([...LEVELS, other])).to.deep.equal(rulesOf(LEVELS.toReversed()));
    expect(windowsOf([...LEVELS, other])).to.deep.equal(WINDOWS);
    expect(rulesOf(LEVELS)).to.deep.include.members([...windowGroups('28d')]);
    const texts = windowGroups('28d').map((group) => JSON.stringify(group));
    for (const text of texts) expect(text).to.not.match(/window=\\"(?!28d)/);
    // What is summed over all windows would tell of each promise once for each of them.
    for (const { rules } of windowGroups('28d'))
      for (const { expr } of rules)
        for (const [, selected] of expr.matchAll(/plumbline_service_level_(?:events|seconds)_total(\{[^}]*\})?/g))
          expect(selected === undefined || selected.includes('window="28d"'), expr).to.equal(true);
    const names = rulesOf(LEVELS).map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('divide only by what is more than nothing', () => {
    const divisions = rulesOf(LEVELS).flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => [...expr.matchAll(/ \/ (\S+)/g)].map(([, divisor]) => [expr, divisor] as const)),
    );
    expect(divisions).to.not.have.lengthOf(0);
    for (const [expr, divisor] of divisions)
      expect(/^2\)?$/.test(divisor ?? '') || / \/ \(.* > 0\)/.test(expr), expr).to.equal(true);
  });
});
