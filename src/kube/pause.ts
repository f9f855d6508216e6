import { setTimeout as sleep } from 'node:timers/promises';
import { ReconcilerError } from '../errors.ts';

/** Milliseconds: the first pause, and the longest. */
const FIRST = 250;
const LONGEST = 30_000;

/** Waits before try number `failures` + 1: longer each time, never twice the same, and as long as the server asked for. */
export async function retryPause(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 20));
  const asked = error instanceof ReconcilerError ? (error.retryAfter ?? 0) : 0;
  await sleep(Math.max(full * (0.5 + Math.random() / 2), asked), undefined, { signal }).catch(() => undefined);
}
