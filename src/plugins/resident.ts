import { readFileSync } from 'node:fs';

/** Milliseconds between two looks while a call runs, and while none does. */
const BUSY = 25;
const IDLE = 1000;

/**
 * Resident size of a process in bytes; undefined where the system does not tell (only Linux does, in `/proc/<pid>/status`,
 * in kB whatever the size of its pages is).
 */
export function residentSize(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Looks at the resident size of one process again and again: memory outside of the JavaScript heap has no limit of its own. */
export class ResidentWatch {
  readonly #pid: number;
  readonly #limit: number;
  readonly #onExcess: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param limit bytes */
  constructor(pid: number, limit: number, onExcess: () => void) {
    this.#pid = pid;
    this.#limit = limit;
    this.#onExcess = onExcess;
  }

  /** @param busy whether a call runs; looks are frequent then. */
  look(busy: boolean): void {
    this.stop();
    this.#timer = setInterval(
      () => {
        if ((residentSize(this.#pid) ?? 0) > this.#limit) this.#onExcess();
      },
      busy ? BUSY : IDLE,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
