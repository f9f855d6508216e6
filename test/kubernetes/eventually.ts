import { setTimeout as pause } from 'node:timers/promises';

/** Tries until `check` passes; its last failure when it has not within a minute. */
export async function eventually(check: () => unknown): Promise<void> {
  const deadline = Date.now() + 60_000;
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
