import type { Problem, ReconcilerError } from '../errors.ts';
import type { Commit, Stale } from '../source/source.ts';
import type { Plan } from '../plan/types.ts';
import type { Outcome } from '../drivers/driver.ts';

/** Why a pass ran: `interval`, `commit`, `event`, `schedule`, `command`, `retry`, `start`. */
export type Trigger = 'start' | 'interval' | 'commit' | 'event' | 'schedule' | 'command' | 'retry';

/**
 * In one word how a pass ended: nothing to do; everything applied; something withheld although nothing failed; some
 * changes failed; or the pass itself could not be walked to its end.
 */
export type PassResult = 'in-sync' | 'applied' | 'withheld' | 'partly-failed' | 'failed' | 'planned';

/** Everything one pass learned: the only thing its log, metrics, conditions, events and notifications are made from. */
export interface PassReport {
  readonly sync: string;
  readonly platform: string;
  readonly trigger: Trigger;
  /** Whether every object was looked at, or only those a commit touched. */
  readonly look: 'full' | 'commit';
  readonly result: PassResult;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Milliseconds per step of the pass: source, manifest, observe, plan, apply. */
  readonly durations: Readonly<Record<string, number>>;
  readonly revision?: string;
  readonly commit?: Commit;
  readonly stale?: Stale;
  readonly problems: readonly Problem[];
  readonly plan?: Plan;
  readonly outcomes: readonly Outcome[];
  /** Archive ids of what was overwritten or deleted, by key. */
  readonly archived: Readonly<Record<string, string>>;
  /** Why another Sync has to succeed first; this pass could only take access away. */
  readonly waits?: string;
  /** What ended the pass before its time. */
  readonly error?: ReconcilerError;
}
