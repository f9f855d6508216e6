/** What the gateway tells about what came in and went out: counts and durations, never content. Durations are seconds. */
export interface GatewayReports {
  /** A request to one of the listeners; the route is its pattern, never what somebody sent. */
  request(listener: 'public' | 'private', route: string, code: number, seconds: number): void;
  /** Somebody was turned away: `signature`, `token`, `scope`, `rate`, `size`, `overload`. */
  refused(listener: 'public' | 'private', reason: string): void;
  /** An event was handed in. */
  event(source: string, result: 'stored' | 'duplicate' | 'refused' | 'overload'): void;
  /** An attempt to hand an event to a webhook or plugin; `dead`: the last one. */
  delivery(
    kind: 'webhook' | 'plugin' | 'integration',
    handler: string,
    result: 'delivered' | 'failed' | 'dead',
    seconds: number,
  ): void;
  pluginCall(plugin: string, result: 'answered' | 'refused' | 'failed', seconds: number): void;
  /** A wish to run a workflow: `accepted`, `refused` (by a plugin), `not-triggerable`, `failed`, `unknown`. */
  trigger(platform: string, workflow: string, result: string): void;
}

/** How the bus stands; read at each scrape. Oldest: milliseconds since the oldest event that is not handled. */
export interface BusNumbers {
  readonly pending: number;
  readonly dead: number;
  readonly oldest: number;
}
