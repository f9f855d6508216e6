import { nextTime } from '../manifest/cron.ts';
import type { Trigger } from '../report/pass-report.ts';
import type { Source } from '../source/source.ts';
import type { Timers } from './timers.ts';

/** What a Sync may be woken by. Every one of them says only "look again". */
export interface WakingSync {
  readonly name: string;
  readonly source: Source;
  /** Cron expression in UTC of further passes. */
  readonly schedule?: string;
}

/**
 * Wakes one Sync: when its source may have something new, and at the times of its schedule. Intervals and retries are not
 * here: they follow from the end of the pass before (`WorkQueue.later`).
 */
export class SyncTriggers implements AsyncDisposable {
  readonly #watching: AsyncDisposable;
  #cancelSchedule: () => void = () => {};
  #ended = false;

  constructor(sync: WakingSync, timers: Timers, wake: (trigger: Trigger) => void) {
    this.#watching = sync.source.watch(() => {
      if (!this.#ended) wake('commit');
    });
    if (sync.schedule !== undefined) this.#followSchedule(sync.schedule, timers, wake);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#cancelSchedule();
    await this.#watching[Symbol.asyncDispose]();
  }

  #followSchedule(schedule: string, timers: Timers, wake: (trigger: Trigger) => void): void {
    const arm = (): void => {
      this.#cancelSchedule = timers.after(nextTime(schedule, timers.now()) - timers.now(), () => {
        if (this.#ended) return;
        wake('schedule');
        arm();
      });
    };
    arm();
  }
}
