import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dashboards } from '../../src/monitor/dashboards.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { level } from './levels.ts';

const CHART = join(import.meta.dirname, '..', '..', 'helm', 'dashboards');

describe('the dashboards', () => {
  it('lie in the chart as the program has them ("plumbline rules --dashboards helm/dashboards" writes them)', () => {
    expect(readdirSync(CHART)).to.have.members([...dashboards().keys()].map((name) => `${name}.json`));
    for (const [name, dashboard] of dashboards())
      expect(JSON.parse(readFileSync(join(CHART, `${name}.json`), 'utf8'))).to.deep.equal(
        JSON.parse(JSON.stringify(dashboard)),
      );
  });

  it('show metrics that there are, with labels that they have', () => {
    const labels = new Map(new Metrics({ version: '1' }).describe().map((metric) => [metric.name, metric.labels]));
    const levels = [level('orders', { objectives: { successRate: '> 99%', averageDuration: '< 30s' } })];
    const recorded = rulesOf(levels).flatMap(({ rules }) =>
      rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
    );
    const text = JSON.stringify([...dashboards().values()]);
    const names = [...text.matchAll(/plumbline[_:][a-z0-9_:]+/g)].map(([name]) => name);
    expect(names).to.have.length.greaterThan(30);
    for (const name of names)
      expect(
        labels.has(name.replace(/_(bucket|sum|count)$/, '')) || labels.has(name) || recorded.includes(name),
        name,
      ).to.equal(true);
  });
});
