import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds. A Lease that a killed holder left behind holds for 35 s, and 30 s of grace come after it. */
const PATIENCE = 120_000;

/** Tries until `check` passes; its last failure when it has not within two minutes. */
export async function eventually(check: () => unknown): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(100);
    }
  }
}
