import { readFileSync } from 'node:fs';

/** Milliseconds between two looks while a call runs, and while none does. */
const BUSY = 25;
const IDLE = 1000;
/** Looks in a row at which a process without a call was seen to use a processor: it will not stop. */
const RESTLESS = 3;
/** Part of a processor that counts: on a busy machine nobody gets a whole one. */
const WORKING = 0.1;
/** Unit of processor time in /proc: hundredths of a second on every Linux that Node runs on. */
const TICK = 10;

/**
 * Resident size of a process in bytes; undefined where the system does not tell (only Linux does, in `/proc/<pid>/status`,
 * in kB whatever the size of its pages is).
 */
export function residentSize(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Milliseconds of processor time that a process has used; 0 where the system does not tell. */
function processorTime(pid: number): number {
  // The name of the program stands in parentheses and may hold anything; user and system time are 12th and 13th behind it.
  const fields = textOf(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK;
}

function textOf(file: string): string {
  if (process.platform !== 'linux') return '';
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export interface Bounds {
  /** Bytes of memory; what lies outside of the JavaScript heap has no limit of its own. */
  readonly memory: number;
  readonly onMemory: () => void;
  /** It works although nobody asked it anything. */
  readonly onRestless: () => void;
}

/** Looks at what one process uses, again and again. */
export class ResidentWatch {
  readonly #pid: number;
  readonly #bounds: Bounds;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number, bounds: Bounds) {
    this.#pid = pid;
    this.#bounds = bounds;
  }

  /** @param busy whether a call runs; looks are frequent then. */
  look(busy: boolean): void {
    this.stop();
    const { memory, onMemory, onRestless } = this.#bounds;
    let used = busy ? 0 : processorTime(this.#pid);
    let restless = 0;
    const look = (): void => {
      if ((residentSize(this.#pid) ?? 0) > memory) onMemory();
      if (busy) return;
      const before = used;
      used = processorTime(this.#pid);
      restless = used - before > IDLE * WORKING ? restless + 1 : 0;
      if (restless >= RESTLESS) onRestless();
    };
    this.#timer = setInterval(look, busy ? BUSY : IDLE).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
