import type { Ledger } from '../ledger/ledger.ts';
import type { Monitor } from '../monitor/monitor.ts';
import type { Log } from '../report/log.ts';
import type { Timers } from './timers.ts';

export interface MeasuringParts {
  readonly monitor: Monitor;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly timers: Timers;
  /** Removes what is counted of workflows that have gone. */
  readonly forgetGone: () => void;
}

/** Milliseconds between two writes of what was measured, two verdicts, and two times that old counts are put together. */
const WRITE = 10_000;
const JUDGE = 60_000;
const FOLD = 3_600_000;

/** What measuring takes beside the polls: writing down, judging, tidying. Stops with what it has written down. */
export class Measuring implements Disposable {
  readonly #parts: MeasuringParts;
  #cancel: () => void = () => {};
  #judged = Number.NEGATIVE_INFINITY;
  #folded = Number.NEGATIVE_INFINITY;
  #failing = false;

  constructor(parts: MeasuringParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#turn();
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#try(() => this.#parts.monitor.flush());
  }

  #arm(): void {
    this.#cancel = this.#parts.timers.after(WRITE, () => {
      this.#turn();
      this.#arm();
    });
  }

  #turn(): void {
    const { monitor, ledger, timers } = this.#parts;
    this.#try(() => {
      monitor.refresh();
      monitor.flush();
      const now = timers.now();
      // A clock that was set back must not put it off until it has caught up.
      if (Math.abs(now - this.#judged) >= JUDGE) {
        this.#judged = now;
        monitor.judge();
        this.#parts.forgetGone();
      }
      if (Math.abs(now - this.#folded) < FOLD) return;
      this.#folded = now;
      ledger.tallies.fold(now);
    });
  }

  /** Said once: a ledger that cannot be written is told of by everything else, too. */
  #try(work: () => void): void {
    try {
      work();
      this.#failing = false;
    } catch (error) {
      this.#parts.log[this.#failing ? 'debug' : 'error']('service levels not measured', { error });
      this.#failing = true;
    }
  }
}
