import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import type { RuleGroup } from '../../src/monitor/rules/rule.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { level, monitorOf } from '../monitor/levels.ts';
import { Prometheus, requirePrometheus, scraping } from '../monitoring/prometheus.ts';
import { makeHistory } from './levels-history.ts';

const WORKFLOWS = 1000;
/** Seconds that Prometheus gets to scrape and evaluate. */
const SETTLED = 75;
const WINDOW = '30d';

/**
 * What service levels of a thousand workflows cost a scraper: size and time of a scrape, and what Prometheus says that evaluating
 * the rules takes; once with a service level for each workflow, once with a single one that selects them all. With `--days` Prometheus
 * starts with as many days of history, which takes some minutes to make.
 */
export async function measureLevels(args: readonly string[]): Promise<void> {
  requirePrometheus();
  const { values } = parseArgs({ args: [...args], options: { days: { type: 'string', default: '0' } } });
  const days = Number(values.days);
  const names = Array.from({ length: WORKFLOWS }, (_, index) => `w${index}`);
  const objectives = { successRate: '> 99%', averageDuration: '< 30s', durationP95: '< 30s' };
  await measure(
    'one for each workflow',
    names.map((name) => level(name, { objectives, objects: [name], window: WINDOW })),
    days,
  );
  await measure('one for all of them', [level('all', { objectives, objects: names, window: WINDOW })], days);
}

async function measure(what: string, levels: readonly ReturnType<typeof level>[], days: number): Promise<void> {
  const metrics = new Metrics({ version: '1', maxWorkflows: WORKFLOWS });
  using made = monitorOf(levels, metrics);
  const { monitor } = made;
  const began = performance.now();
  monitor.refresh();
  const refreshed = performance.now() - began;
  for (const { measured } of levels)
    for (const object of measured)
      for (let run = 0; run < 5; run++)
        monitor.take({
          kind: 'Workflow',
          platform: 'prod',
          object,
          happening: { what: 'run', ok: run > 0, seconds: run },
        });
  monitor.flush();
  const judging = performance.now();
  monitor.judge();
  const judged = performance.now() - judging;
  const server = createServer((_, response) => void metrics.text().then((text) => response.end(text)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const target = `127.0.0.1:${port}`;
  const groups = rulesOf(monitor.levels);
  const prometheus = await Prometheus.start(
    scraping(target, { scrape: '15s', evaluate: '30s' }),
    // Each group in a while that a bench can wait for; what that costs at its own pace is worked out below.
    stringify({ groups: groups.map((group) => ({ ...group, interval: '30s' })) }, { lineWidth: 0 }),
    days === 0 ? undefined : await makeHistory(await metrics.text(), { days, target, window: WINDOW }),
  );
  try {
    await pause(SETTLED * 1000);
    const at = Date.now() / 1000 - 5;
    // One after the other, beside nothing else: how long a group takes is how long others let it wait, otherwise.
    await prometheus.dropRules();
    const costs = await costsOf(prometheus, groups, at);
    const perMinute = ({ every, seconds }: Cost): number => (seconds * 60) / every;
    const [scrape] = await prometheus.query('avg_over_time(scrape_duration_seconds[2m])');
    const text = await metrics.text();
    const figures = {
      bench: 'levels',
      what,
      workflows: WORKFLOWS,
      days,
      serviceLevels: levels.length,
      scrapeBytes: Buffer.byteLength(text),
      series: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length,
      scrapeSeconds: scrape?.value,
      rules: groups.reduce((sum, { rules }) => sum + rules.length, 0),
      ruleSeconds: rounded(costs.reduce((sum, { seconds }) => sum + seconds, 0)),
      ruleSecondsPerMinute: rounded(costs.reduce((sum, one) => sum + perMinute(one), 0)),
      samples: costs.reduce((sum, { samples }) => sum + samples, 0),
      groups: Object.fromEntries(costs.map(({ name, seconds, samples }) => [name, [rounded(seconds), samples]])),
      refreshMilliseconds: Math.round(refreshed),
      judgeMilliseconds: Math.round(judged),
      load: loadavg()[0],
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } finally {
    await prometheus[Symbol.asyncDispose]();
    server.close();
    server.closeAllConnections();
  }
}

/** What evaluating a group once takes, and how many seconds lie between two times. */
interface Cost {
  readonly name: string;
  readonly every: number;
  readonly seconds: number;
  readonly samples: number;
}

async function costsOf(prometheus: Prometheus, groups: readonly RuleGroup[], at: number): Promise<readonly Cost[]> {
  const costs: Cost[] = [];
  for (const { name, interval = '30s', rules } of groups) {
    let [seconds, samples] = [0, 0];
    for (const { expr } of rules) {
      const cost = await prometheus.cost(expr, at);
      seconds += cost.seconds;
      samples += cost.samples;
    }
    costs.push({ name, every: secondsOf(interval), seconds, samples });
  }
  return costs;
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

function secondsOf(interval: string): number {
  return Number.parseInt(interval) * (interval.endsWith('h') ? 3600 : interval.endsWith('m') ? 60 : 1);
}
