import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
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
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  return {
    wall: median(costs.map(({ wall }) => wall)),
    cpu: mean(costs.map(({ cpu }) => cpu)),
    children: mean(costs.map(({ children }) => children)),
  };
}

/**
 * A server goes on working once it has answered a write; what is measured next would pay for it. It rests when it uses next to
 * nothing of so long a while. Milliseconds.
 */
const REST = { while: 1_000, cpu: 30, longest: 60_000, unseen: 15_000 };

/** Resolves when a server's process has nothing left to do; after a good while where the system does not tell. */
export async function rested(pid: number | undefined): Promise<void> {
  const used = (): number | undefined => (pid === undefined ? undefined : processTime(pid));
  const deadline = Date.now() + REST.longest;
  for (let before = used(); before !== undefined;) {
    await pause(REST.while);
    const now = used();
    if (now === undefined || now - before <= REST.cpu) return;
    if (Date.now() > deadline) throw new Error(`the server was still at work after ${REST.longest} ms`);
    before = now;
  }
  await pause(REST.unseen);
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

/** How busy the machine is, as figures have to be read with it: processes that ran or wanted to, over the last minute. */
export function load(): string {
  return loadavg()[0]?.toFixed(1) ?? '';
}

/** Largest memory of this process so far, in MB of 1,000,000 bytes. */
export function peakMegabytes(): number {
  return (process.resourceUsage().maxRSS * 1024) / 1_000_000;
}

/** Memory of a process now, and at most so far, in MB of 1,000,000 bytes; 0 where the system does not tell. */
export function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number =>
    Math.round((Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024) / 1e6);
  return { now: of('VmRSS'), peak: of('VmHWM') };
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
