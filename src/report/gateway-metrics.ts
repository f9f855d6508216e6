import type { BusNumbers, GatewayReports } from './gateway-report.ts';
import type { Families } from './metric-list.ts';
import { LabelBound } from './series.ts';

/** The gateway's numbers. Labels come from configuration and from patterns of routes, and are bounded all the same. */
export class GatewayMetrics implements GatewayReports {
  readonly #families: Families;
  readonly #handlers: LabelBound;
  readonly #workflows: LabelBound;
  #bus: () => BusNumbers = () => ({ pending: 0, dead: 0, oldest: 0 });

  constructor(families: Families, bound: (label: string, limit: number) => LabelBound) {
    this.#families = families;
    this.#handlers = bound('handler', 500);
    this.#workflows = bound('triggered_workflow', 500);
  }

  request(listener: 'public' | 'private', route: string, code: number, seconds: number): void {
    const { gatewayRequests, gatewaySeconds } = this.#families;
    gatewayRequests.metric.inc(gatewayRequests.touch({ listener, route, code: String(code) }));
    gatewaySeconds.metric.observe(gatewaySeconds.touch({ listener, route }), seconds);
  }

  refused(listener: 'public' | 'private', reason: string): void {
    const { gatewayRefused } = this.#families;
    gatewayRefused.metric.inc(gatewayRefused.touch({ listener, reason }));
  }

  event(source: string, result: 'stored' | 'duplicate' | 'refused' | 'overload'): void {
    const { eventsReceived } = this.#families;
    eventsReceived.metric.inc(eventsReceived.touch({ source, result }));
  }

  delivery(
    kind: 'webhook' | 'plugin' | 'integration',
    name: string,
    result: 'delivered' | 'failed' | 'dead',
    seconds: number,
  ): void {
    const { deliveries, deliverySeconds } = this.#families;
    const handler = this.#handlers.admit('', name);
    // All of them from the first one on: who is born as one hides itself from `increase()`.
    for (const each of ['delivered', 'failed', 'dead'])
      deliveries.metric.inc(deliveries.touch({ kind, handler, result: each }), each === result ? 1 : 0);
    deliverySeconds.metric.observe(deliverySeconds.touch({ kind, handler }), seconds);
  }

  pluginCall(plugin: string, result: 'answered' | 'refused' | 'failed', seconds: number): void {
    const { pluginCalls, pluginSeconds } = this.#families;
    pluginCalls.metric.inc(pluginCalls.touch({ plugin, result }));
    pluginSeconds.metric.observe(pluginSeconds.touch({ plugin }), seconds);
  }

  trigger(platform: string, name: string, result: string): void {
    const { triggers } = this.#families;
    triggers.metric.inc(triggers.touch({ platform, workflow: this.#workflows.admit(platform, name), result }));
  }

  watchBus(numbers: () => BusNumbers): void {
    this.#bus = numbers;
  }

  /** Before a scrape. */
  refresh(): void {
    const { pending, dead, oldest } = this.#bus();
    const { eventsPending, eventsOldest } = this.#families;
    eventsPending.metric.set({ state: 'pending' }, pending);
    eventsPending.metric.set({ state: 'dead' }, dead);
    eventsOldest.metric.set(oldest / 1000);
  }
}
