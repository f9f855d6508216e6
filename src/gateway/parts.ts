import type { BusEvent, Accepted } from '../ledger/bus-event.ts';

/** Takes events in, durably: once it resolves, the event outlives the process and a loss of power. */
export interface Intake {
  /** @throws ReconcilerError 'backoff' (`bus-full`, with retryAfter) when there is no room, `ledger-…` when it cannot be kept. */
  accept(event: BusEvent): Promise<Accepted>;
}

/**
 * Says "look again", never what changed; how often it is said makes no difference. Where another replica has to look, a promise
 * resolves when that cannot get lost any more, and rejects when nobody could be told.
 */
export interface LookAgain {
  /** @returns whether there is such a Sync. */
  sync(name: string): boolean | Promise<boolean>;
  platform(name: string): void | Promise<void>;
}
