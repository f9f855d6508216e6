import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds after which a git process that is kept for the next reader has ended, and its time is known. */
const SETTLED = 1300;

/** Cost of a piece of work, in milliseconds. */
export interface Cost {
  readonly wall: number;
  /** User and system time of this process, all threads. */
  readonly cpu: number;
  /** User and system time of child processes that ended meanwhile (git), in steps of 10 ms; 0 where the system does not tell. */
  readonly children: number;
}

export async function measure(work: () => Promise<unknown>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const children = childrenTime();
  const begin = performance.now();
  await work();
  const wall = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  await pause(SETTLED);
  return { wall, cpu: (user + system) / 1000, children: childrenTime() - children };
}

/** Means, but the median of the wall time: others may use this machine too. */
export function typical(costs: readonly Cost[]): Cost {
  const walls = costs.map(({ wall }) => wall).sort((one, other) => one - other);
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  return {
    wall: walls[Math.floor(walls.length / 2)] ?? 0,
    cpu: mean(costs.map(({ cpu }) => cpu)),
    children: mean(costs.map(({ children }) => children)),
  };
}

/** Largest memory of this process so far, in MB of 1,000,000 bytes. */
export function peakMegabytes(): number {
  return (process.resourceUsage().maxRSS * 1024) / 1_000_000;
}

/** User and system time of a process so far, in steps of 10 ms; undefined where the system does not tell. */
export function processTime(pid: number): number | undefined {
  const [own, system] = timesOf(String(pid));
  return own === undefined || system === undefined ? undefined : own + system;
}

function childrenTime(): number {
  const [, , children = 0, system = 0] = timesOf('self');
  return children + system;
}

/** utime, stime, cutime and cstime in milliseconds. Linux counts in hundredths of a second for user programs, whatever the kernel's own clock is (proc(5)). */
function timesOf(process: string): readonly number[] {
  try {
    const text = readFileSync(`/proc/${process}/stat`, 'utf8');
    // The second field is the command in brackets, which may hold anything; utime is the 14th.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).map((ticks) => Number(ticks) * 10);
  } catch {
    return [];
  }
}
