import type { JsonValue } from '../manifest/manifest.ts';

/**
 * An event on the bus, with the attributes of a CloudEvent (https://cloudevents.io, 1.0). Two events with the same source
 * and id are the same event.
 */
export interface BusEvent {
  /** Given by who sent it, else a UUID; at most 200 characters. */
  readonly id: string;
  /** Where it comes from: `platforms/<name>` for what a platform sent, `platforms/<name>/executions` for runs, `syncs/<name>` for what a pass did. */
  readonly source: string;
  /** Words with dots: `order.created`, `workflow.failed`, `reconcile.applied`. */
  readonly type: string;
  /** The object it is about (`order/42`, `Workflow/order-fulfillment`): events about one object keep their order. */
  readonly subject?: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The Platform it belongs to: webhooks and plugins of other platforms do not get it. */
  readonly platform: string;
  readonly data: JsonValue;
}

/** What became of an event that was handed in: a second one with the same source and id is not kept. */
export type Accepted = 'stored' | 'duplicate';
