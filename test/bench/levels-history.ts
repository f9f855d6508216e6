import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { windowGroups } from '../../src/monitor/rules/rules.ts';
import { Bench } from '../monitoring/prometheus.ts';

/** Series whose values only grow, and the seconds between their samples. */
interface Past {
  readonly series: readonly string[];
  readonly every: number;
  /** Seconds before now that they reach back. */
  readonly reach: number;
}

const DAY = 86_400;
/** Hours of a block, as a Prometheus that keeps samples for a month makes them. promtool reads its whole input once for each. */
const BLOCK_HOURS = 54;
const BLOCK = BLOCK_HOURS * 3600;
/** Seconds that the rules read of what is scraped itself. */
const SCRAPED = 3 * 3600;

/**
 * A folder that a Prometheus may start with: so many days of what the rules for a window sample of these metrics, up to now, and the
 * last hours of the metrics themselves, by scrapes every 15 seconds. Each series counts up, and none like another.
 */
export async function makeHistory(
  metrics: string,
  { days, target, window }: { readonly days: number; readonly target: string; readonly window: string },
): Promise<Bench> {
  const scraped = [...metrics.matchAll(/^(plumbline_service_level_(?:events|seconds)_total)(\{.*\}) \S+$/gm)].map(
    ([, name = '', labels = '']) => ({
      name,
      labels: labels.replace('{', `{instance="${target}",job="plumbline",`),
    }),
  );
  const sampled = windowGroups(window).flatMap(({ interval = '', rules }): Past[] => {
    const series = rules.flatMap((rule) => {
      const [, name, objective] =
        /^(plumbline_service_level_\w+_total)\{[^}]*?(?:objective="(\w+)")?\}$/.exec(rule.expr) ?? [];
      const record = 'record' in rule ? rule.record : '';
      return scraped
        .filter((one) => one.name === name && one.labels.includes(objective ?? ''))
        .map(({ labels }) => record + labels);
    });
    const every = Number.parseInt(interval) * (interval.endsWith('h') ? 3600 : 60);
    // What is sampled often is read of a day only.
    return series.length === 0 ? [] : [{ series, every, reach: every < 3600 ? Math.min(days, 2) * DAY : days * DAY }];
  });
  const bench = new Bench();
  const raw = { series: scraped.map(({ name, labels }) => name + labels), every: 15, reach: SCRAPED };
  await makeBlocks(bench, [...sampled, raw]);
  return bench;
}

async function makeBlocks(bench: Bench, pasts: readonly Past[]): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const data = join(bench.dir, 'data');
  mkdirSync(data);
  const reach = Math.max(...pasts.map((past) => past.reach));
  const file = join(bench.dir, 'block.om');
  for (let from = Math.floor((now - reach) / BLOCK) * BLOCK; from < now; from += BLOCK)
    if (await writeBlock(file, pasts, { from, until: Math.min(from + BLOCK, now), now }))
      await bench.promtool(
        'tsdb',
        'create-blocks-from',
        'openmetrics',
        '-q',
        `--max-block-duration=${BLOCK_HOURS}h`,
        file,
        data,
      );
}

async function writeBlock(
  file: string,
  pasts: readonly Past[],
  { from, until, now }: { readonly from: number; readonly until: number; readonly now: number },
): Promise<boolean> {
  const out = createWriteStream(file);
  let any = false;
  for (const { series, every, reach } of pasts) {
    const first = Math.ceil(Math.max(from, now - reach) / every) * every;
    for (const [index, name] of series.entries()) {
      let text = '';
      for (let at = first; at < until; at += every) text += `${name} ${Math.floor(at / every) + (index % 97)} ${at}\n`;
      if (text === '') continue;
      any = true;
      if (!out.write(text)) await once(out, 'drain');
    }
  }
  out.end('# EOF\n');
  await once(out, 'finish');
  return any;
}
