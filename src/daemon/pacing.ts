import type { PassReport, Trigger } from '../report/pass-report.ts';
import type { Priority } from './queue.ts';
import type { Target } from './target.ts';
import { backoff, jittered } from './timers.ts';
import type { Timers } from './timers.ts';

/** When a target is due next, and why. */
export interface Due {
  /** Milliseconds from now. */
  readonly delay: number;
  readonly trigger: Trigger;
  readonly priority: Priority;
}

/** Drift is looked at this long after its grace has ended, in milliseconds: not before. */
const AFTER_GRACE = 1_000;

/**
 * When the next pass comes by itself: soon after a failure that may pass, growing pauses apart; when a grace period ends;
 * else when everything is to be looked at again. A pass that looked at a commit only does not put that off.
 */
export function dueAfter(target: Target, report: PassReport, timers: Timers): Due {
  const { pace, progress } = target;
  const now = timers.now();
  if (report.look === 'full' || progress.nextLook <= now)
    progress.nextLook = now + jittered(pace.interval, timers.random());
  const untilLook = Math.max(0, progress.nextLook - now);
  if (mayPass(report)) {
    progress.attempt += 1;
    const longest = Math.max(pace.interval, pace.retryInterval);
    const pause = backoff(progress.attempt, { first: pace.retryInterval, longest }, timers.random());
    return { delay: Math.max(pause, askedFor(report)), trigger: 'retry', priority: 'change' };
  }
  progress.attempt = 0;
  const graceful = report.plan?.withheld.some(({ code }) => code === 'grace-period') ?? false;
  if (graceful && pace.gracePeriod + AFTER_GRACE < untilLook) {
    return { delay: pace.gracePeriod + AFTER_GRACE, trigger: 'interval', priority: 'drift' };
  }
  return { delay: untilLook, trigger: 'interval', priority: 'drift' };
}

/** Whether something failed that may go away by itself. What needs a person waits for the interval, or for the person. */
function mayPass({ error, outcomes, stale }: PassReport): boolean {
  if (error !== undefined) return error.retry !== 'never';
  return (
    stale !== undefined || outcomes.some((outcome) => outcome.status === 'failed' && outcome.error.retry !== 'never')
  );
}

/** The longest pause that the platform asked for (Retry-After), in milliseconds. */
function askedFor({ error, outcomes }: PassReport): number {
  let longest = error?.retryAfter ?? 0;
  for (const outcome of outcomes) {
    if (outcome.status === 'failed') longest = Math.max(longest, outcome.error.retryAfter ?? 0);
  }
  return longest;
}
