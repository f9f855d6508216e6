import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { stringify } from 'yaml';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { level, monitorOf } from '../monitor/levels.ts';
import { Prometheus, requirePrometheus } from '../monitoring/prometheus.ts';

const WORKFLOWS = 1000;
/** Seconds that Prometheus gets to scrape and evaluate. */
const SETTLED = 75;

/**
 * What service levels of a thousand workflows cost a scraper: size and time of a scrape, and what Prometheus says that evaluating
 * the rules takes; once with a service level for each workflow, once with a single one that selects them all.
 */
export async function measureLevels(): Promise<void> {
  requirePrometheus();
  const names = Array.from({ length: WORKFLOWS }, (_, index) => `w${index}`);
  const objectives = { successRate: '> 99%', averageDuration: '< 30s', durationP95: '< 30s' };
  await measure(
    'one for each workflow',
    names.map((name) => level(name, { objectives, objects: [name] })),
  );
  await measure('one for all of them', [level('all', { objectives, objects: names })]);
}

async function measure(what: string, levels: readonly ReturnType<typeof level>[]): Promise<void> {
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
  const groups = rulesOf(monitor.levels);
  const seconds = new Map(groups.map(({ name, interval = '30s' }) => [name, secondsOf(interval)]));
  const prometheus = await Prometheus.start(
    `global: {scrape_interval: 15s, evaluation_interval: 30s}\nscrape_configs: [{job_name: plumbline, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]`,
    // Each group once in a while that a bench can wait for; what that costs at its own pace is worked out below.
    stringify({ groups: groups.map((group) => ({ ...group, interval: '15s' })) }, { lineWidth: 0 }),
  );
  try {
    await pause(SETTLED * 1000);
    const { groups: evaluated } = (await prometheus.get('rules')) as { groups: readonly Evaluated[] };
    const perMinute = (sum: number, { name, evaluationTime }: Evaluated): number =>
      sum + (evaluationTime * 60) / (seconds.get(name) ?? 30);
    const [scrape] = await prometheus.query('scrape_duration_seconds');
    const text = await metrics.text();
    const figures = {
      bench: 'levels',
      what,
      workflows: WORKFLOWS,
      serviceLevels: levels.length,
      scrapeBytes: Buffer.byteLength(text),
      series: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length,
      scrapeSeconds: scrape?.value,
      rules: groups.reduce((sum, { rules }) => sum + rules.length, 0),
      ruleSeconds: Number(evaluated.reduce((sum, { evaluationTime }) => sum + evaluationTime, 0).toFixed(3)),
      ruleSecondsPerMinute: Number(evaluated.reduce(perMinute, 0).toFixed(3)),
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

interface Evaluated {
  readonly name: string;
  /** Seconds. */
  readonly evaluationTime: number;
}

function secondsOf(interval: string): number {
  return Number.parseInt(interval) * (interval.endsWith('m') ? 60 : 1);
}
