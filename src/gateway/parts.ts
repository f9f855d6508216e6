import type { BusEvent, Accepted } from '../ledger/bus-event.ts';

/** Takes events in, durably: once it resolves, the event outlives the process and a loss of power. */
export interface Intake {
  /** @throws ReconcilerError 'backoff' (`bus-full`, with retryAfter) when there is no room, `ledger-…` when it cannot be kept. */
  accept(event: BusEvent): Promise<Accepted>;
}

/** Says "look again", never what changed. Both return at once; how often they are called makes no difference. */
export interface LookAgain {
  /** @returns whether there is such a Sync. */
  sync(name: string): boolean;
  platform(name: string): void;
}
