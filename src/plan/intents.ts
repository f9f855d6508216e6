import type { Key } from '../manifest/manifest.ts';
import type { Intent, Observed } from './types.ts';

/** Clocks of two machines may differ this much; milliseconds. */
const CLOCK_SKEW = 300_000;

/**
 * The last open create of each key. A later write of the same object may be open as well: what was found by the create
 * alone is ours by nothing else until ownership is written down.
 */
export function createIntents(intents: readonly Intent[]): ReadonlyMap<Key, Intent> {
  return new Map(intents.filter(({ verb }) => verb === 'create').map((intent) => [intent.key, intent]));
}

/** Whether it was made late enough to be what an interrupted create left. */
export function mayBeFrom(intent: Intent, { createdAt }: Observed): boolean {
  return createdAt === undefined || createdAt >= intent.since - CLOCK_SKEW;
}
