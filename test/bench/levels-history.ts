import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Bench } from '../monitoring/prometheus.ts';

/** Series whose values only grow, by name, and the seconds between their samples. */
export interface Past {
  readonly series: readonly string[];
  readonly every: number;
  /** Seconds before now that they reach back. */
  readonly reach: number;
}

/** Seconds of a block of Prometheus. promtool reads its whole input once for each of them. */
const BLOCK = 7200;

/**
 * Makes a folder that a Prometheus may start with: so many seconds of these series, up to now. Each counts up by one or two with a
 * sample, and none alike.
 */
export async function makePast(bench: Bench, pasts: readonly Past[], now: number): Promise<string> {
  const data = join(bench.dir, 'data');
  mkdirSync(data);
  const reach = Math.max(...pasts.map((past) => past.reach));
  for (let from = Math.floor((now - reach) / BLOCK) * BLOCK; from < now; from += BLOCK) {
    const file = join(bench.dir, 'block.om');
    if (await writeBlock(file, pasts, { from, until: Math.min(from + BLOCK, now), now }))
      await bench.promtool('tsdb', 'create-blocks-from', 'openmetrics', '-q', file, data);
  }
  return data;
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
