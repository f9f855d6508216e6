// What a call of a plugin costs: `node test/plugins/bench.ts`.
import { cpus } from 'node:os';
import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { residentSize } from '../../src/plugins/resident.ts';
import { NEVER, Workbench } from './workbench.ts';

const SAMPLE = dirname(fileURLToPath(new URL('../../src/cli/demo-assets/order-limit/index.js', import.meta.url)));

export interface PluginFigures {
  /** Milliseconds from nothing to the first verdict. */
  readonly cold: number;
  /** Milliseconds of a warm call, one after the other: median and 99th percentile. */
  readonly warm: number;
  readonly warmP99: number;
  /** Calls per second with 50 at once and two processes. */
  readonly perSecond: number;
  /** Bytes resident of one warm process; undefined where the system does not tell. */
  readonly resident: number | undefined;
}

/** Measures the sample plugin as `checkTrigger` asks it. */
export async function benchPlugins(calls = 2000): Promise<PluginFigures> {
  await using bench = new Workbench();
  cpSync(SAMPLE, join(bench.root, 'order-limit'), {
    recursive: true,
  });
  const host = await bench.host({ 'order-limit': { triggers: {}, limits: { processes: 2, timeout: '30s' } } });
  const ask = (amount: number) =>
    host.checkTrigger({ platform: 'prod', workflow: 'orders', input: { amount, customer: 'ACME' } }, NEVER);
  const cold = await timed(() => ask(1));
  for (let n = 0; n < 200; n += 1) await ask(n);
  const times: number[] = [];
  for (let n = 0; n < calls; n += 1) times.push(await timed(() => ask(20_000)));
  times.sort((one, other) => one - other);
  const resident = residentSize(host.pids[0] ?? 0);
  const all = await timed(async () => {
    let left = calls;
    const worker = async () => {
      while (left-- > 0) await ask(1);
    };
    await Promise.all(Array.from({ length: 50 }, worker));
  });
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { cold, warm: at(0.5), warmP99: at(0.99), perSecond: (calls / all) * 1000, resident };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

if (import.meta.main) {
  const { cold, warm, warmP99, perSecond, resident } = await benchPlugins();
  const mib = resident === undefined ? 'unknown' : `${(resident / 1024 / 1024).toFixed(0)} MiB`;
  console.log(
    `a plugin's call (${cpus().length} cores): cold ${cold.toFixed(0)} ms; warm ${warm.toFixed(2)} ms, p99 ${warmP99.toFixed(2)} ms;`,
  );
  console.log(`50 at once on 2 processes: ${perSecond.toFixed(0)} calls/s; one warm process: ${mib} resident`);
}
