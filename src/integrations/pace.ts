import type { SyncState, Wish } from '../ledger/sync-states.ts';
import { nextTime } from '../manifest/cron.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import { isObject } from '../manifest/pointer.ts';

/** The times that a schedule names, from a moment on: what passed while nothing could run is not made up for one by one. */
export interface Plan {
  readonly schedule: string | undefined;
  /** Milliseconds since 1970. */
  readonly from: number;
}

export interface Pace {
  readonly plan: Plan;
  readonly state: SyncState;
  readonly waiting: { readonly due?: number };
  readonly wish: Wish | undefined;
  readonly now: number;
}

/** Milliseconds between two runs that fail. */
const PAUSE = { first: 30_000, longest: 900_000 };

/**
 * When it is to run next, milliseconds since 1970; undefined when nothing asks for it. After a failure everything waits for the
 * pause to end, but for the schedule.
 */
export function dueTime({ plan, state, waiting, wish, now }: Pace): number | undefined {
  const scheduled = plan.schedule === undefined ? [] : [nextTime(plan.schedule, plan.from)];
  const isAsked = state.open || wish !== undefined;
  const paused = state.failures > 0 ? (state.retryAt ?? now) : now;
  const asked = isAsked ? [paused] : [];
  const records = waiting.due === undefined ? [] : [Math.max(waiting.due, state.failures > 0 ? paused : waiting.due)];
  const retried = state.failures > 0 ? [paused] : [];
  const times = [...scheduled, ...asked, ...records, ...retried];
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Why it runs, as the code is told. */
export function triggerOf({ plan, state, wish, now }: Omit<Pace, 'waiting'>): JsonObject {
  if (wish !== undefined) return isObject(wish.wish) ? wish.wish : { by: 'event' };
  if (state.open) return { by: 'resume' };
  const isScheduled = plan.schedule !== undefined && nextTime(plan.schedule, plan.from) <= now;
  return { by: isScheduled ? 'schedule' : 'retry' };
}

/** Milliseconds before failure number `failures` (from 1) is tried again. */
export function retryPause(failures: number, random: number): number {
  const full = Math.min(PAUSE.longest, PAUSE.first * 2 ** Math.min(failures - 1, 20));
  return full * (0.75 + 0.25 * random);
}
