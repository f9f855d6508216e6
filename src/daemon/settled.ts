import type { Reporter } from '../report/reporter.ts';
import type { Roster } from './roster.ts';

interface Settling {
  readonly roster: Roster;
  readonly reporter: Reporter;
  holds(platform: string): boolean;
}

/**
 * Whether it is known here what is in force on a platform: it is held, and every Sync on it has come into order since. Before that, what is not
 * there may only not be known yet: the ledger may be new, or another replica may have written meanwhile.
 */
export function isSettled(engine: Settling, platform: string): boolean {
  const { roster, reporter } = engine;
  const own = roster.onPlatform(platform);
  const inOrder = own.every((one) => one.progress.attempted && reporter.standing(one).lastSuccess !== undefined);
  return engine.holds(platform) && inOrder;
}
