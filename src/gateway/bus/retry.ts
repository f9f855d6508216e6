import { messageOf, ReconcilerError, retryOf } from '../../errors.ts';
import type { DueDelivery, Settlement } from '../../ledger/bus-deliveries.ts';

/** How long a handler is tried again. Milliseconds. */
export interface Patience {
  readonly first: number;
  readonly longest: number;
  /** From when the event was first to be handed over. Whatever waited longer behind another still gets one attempt. */
  readonly whole: number;
}

export const PATIENCE: Patience = { first: 5_000, longest: 3_600_000, whole: 24 * 3_600_000 };

/**
 * Pause before the next attempt after `attempts` have failed: doubling up to the longest, a fifth more or less, so that
 * what failed together does not come back together.
 */
function pauseAfter(attempts: number, random: number, { first, longest }: Patience = PATIENCE): number {
  const full = Math.min(longest, first * 2 ** Math.min(attempts - 1, 30));
  return Math.min(longest, full * (0.8 + 0.4 * random));
}

/** What becomes of a delivery that failed: another attempt, the last one at the end of patience, or none. */
export function afterFailure(
  due: DueDelivery,
  error: unknown,
  { now, random, patience }: { readonly now: number; readonly random: number; readonly patience: Patience },
): Settlement {
  const { event, handler, attempts, since } = due;
  const message = messageOf(error);
  const end = since + patience.whole;
  if (retryOf(error) === 'never') return { event, handler, outcome: 'dead', error: message };
  if (now >= end) {
    const tried = attempts === 0 ? 'after one attempt' : `after ${attempts + 1} attempts`;
    return { event, handler, outcome: 'dead', error: `Given up ${tried}: ${message}` };
  }
  const asked = error instanceof ReconcilerError ? (error.retryAfter ?? 0) : 0;
  const pause = Math.max(pauseAfter(attempts + 1, random, patience), asked);
  return { event, handler, outcome: 'failed', error: message, nextAt: Math.min(now + pause, end) };
}
