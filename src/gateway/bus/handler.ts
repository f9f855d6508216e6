import type { BusEvent } from '../../ledger/bus-event.ts';

/** Somebody who gets events. Kind and name together are what deliveries are kept under: they outlive a restart. */
export interface EventHandler {
  readonly kind: 'webhook' | 'plugin' | 'integration';
  readonly name: string;
  /**
   * Asked once for each event, when it is routed, inside a transaction: to be told from the event and memory alone. An event
   * for which it throws is handed over: better once too often.
   */
  wants(event: BusEvent): boolean;
  /**
   * Takes an event; it may come again after a crash, with the same source and id.
   * @throws anything to have it tried again; a ReconcilerError 'never' to give up at once, its `retryAfter` is honoured.
   */
  handle(event: BusEvent, signal: AbortSignal): Promise<void>;
}

/** What the bus calls a handler: `webhook/<name>`, `plugin/<name>`. */
export function handlerKey({ kind, name }: Pick<EventHandler, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}
