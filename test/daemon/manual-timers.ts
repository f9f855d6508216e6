import type { Timers } from '../../src/daemon/timers.ts';

/** Time that stands still until the test moves it. */
export class ManualTimers implements Timers {
  readonly #due: { at: number; callback: () => void }[] = [];
  #now: number;
  #random: number;

  constructor(now = 1_000_000, random = 0.5) {
    this.#now = now;
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }
  random(): number {
    return this.#random;
  }
  after(delay: number, callback: () => void): () => void {
    const entry = { at: this.#now + delay, callback };
    this.#due.push(entry);
    return () => {
      const index = this.#due.indexOf(entry);
      if (index >= 0) this.#due.splice(index, 1);
    };
  }
  /** Moves time, calling back in order what falls due on the way. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#due.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#due.splice(this.#due.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
  get pending(): number {
    return this.#due.length;
  }
}

/** Lets every promise that can settle without time or I/O settle. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve();
}
