import type { ConnectedPlatforms } from '../gateway/api/platforms.ts';
import { Dispatcher } from '../gateway/bus/dispatcher.ts';
import type { EventHandler } from '../gateway/bus/handler.ts';
import { BusIntake } from '../gateway/bus/intake.ts';
import { Callbacks } from '../gateway/callbacks/webhook-handlers.ts';
import { cloudEventJson } from '../gateway/callbacks/cloud-event.ts';
import type { HookParts } from '../gateway/hooks/parts.ts';
import type { BusEvent } from '../ledger/bus-event.ts';
import { matchesEvent } from '../manifest/event-pattern.ts';
import type { PluginHost } from '../plugins/plugin-host.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import type { IntegrationRunner } from '../integrations/integration-runner.ts';
import { BusFeed } from './bus-feed.ts';
import { askHolders } from './holders.ts';
import { integrationHandlers } from './integration-events.ts';
import type { Engine } from './engine.ts';
import { ownScopeOf } from './targets.ts';

/** Milliseconds that deliveries under way get to end when the daemon stops. */
const STOP = 5_000;

/**
 * The daemon's way in and out: events onto the bus and from it to webhooks and plugins, and what the hooks need to know of
 * the configuration. Who gets events is read anew whenever the configuration or a webhook changes.
 */
export class Gateway implements AsyncDisposable {
  readonly intake: BusIntake;
  readonly dispatcher: Dispatcher;
  readonly feed: BusFeed;
  readonly #engine: Engine;
  readonly #callbacks: Callbacks;
  readonly #plugins: PluginHost;
  readonly #integrations: IntegrationRunner | undefined;
  #handlers: readonly EventHandler[] = [];
  /** Of the Integrations, as of the last look. */
  #generation = -1;
  readonly #watching = new DisposableStack();

  constructor(engine: Engine, plugins: PluginHost, integrations?: IntegrationRunner) {
    const { ledger, log, metrics, timers } = engine.parts;
    this.#engine = engine;
    this.#plugins = plugins;
    this.#integrations = integrations;
    this.#callbacks = new Callbacks({
      register: ledger.webhooks,
      allowOf: (platform) => engine.platforms.get(platform)?.spec.webhooks.allow,
      now: () => timers.now(),
    });
    this.dispatcher = new Dispatcher({ bus: ledger.bus, timers, reports: metrics.gateway, log });
    this.intake = new BusIntake({ bus: ledger.bus, onStored: () => this.dispatcher.wake() });
    this.feed = new BusFeed({
      ledger,
      log,
      accept: async (event) => this.intake.accept(event),
      wanted: (event) => this.#handlers.some((handler) => handler.wants(event)),
    });
    metrics.gateway.watchBus(() => ledger.bus.numbers());
  }

  start(): void {
    const { ledger } = this.#engine.parts;
    this.refresh();
    this.#watching.use(ledger.webhooks.watch(() => this.refresh()));
    this.#engine.onPassEnded = () => {
      // A pass may have put code in force that wants events.
      if (this.#generation !== ledger.integrations.generation) this.refresh();
      this.feed.passEnded();
    };
    this.#engine.onConfigured = () => this.refresh();
    this.dispatcher.start();
    // What passes told while nobody handed it on.
    this.feed.passEnded();
  }

  /** Reads anew who gets events. */
  refresh(): void {
    try {
      const { ledger } = this.#engine.parts;
      this.#generation = ledger.integrations.generation;
      this.#handlers = [...this.#callbacks.handlers(), ...this.#pluginHandlers(), ...this.#integrationHandlers()];
      this.dispatcher.setHandlers(this.#handlers);
    } catch (error) {
      this.#engine.parts.log.error('event handlers not in force', { error });
    }
  }

  /** What the public listener needs. */
  hooks(): HookParts {
    const { platforms, roster, parts } = this.#engine;
    const { log, metrics, timers } = parts;
    return {
      syncHook: (name) => {
        const webhook = roster.syncNamed(name)?.spec.source.git?.webhook;
        return webhook === undefined
          ? undefined
          : { provider: webhook.provider, secret: () => this.#secret(name, webhook.secret) };
      },
      platformEvents: (name) => {
        const events = platforms.get(name)?.spec.events;
        return events === undefined ? undefined : { ...events, secret: () => this.#secret(name, events.secret) };
      },
      platformsWithEvents: () => platforms.names().filter((name) => platforms.get(name)?.spec.events !== undefined),
      intake: this.intake,
      lookAgain: {
        sync: async (name) => {
          const known = this.#engine.lookAtSync(name);
          const platforms = roster.ofSync(name).map(({ platform }) => platform);
          await askHolders(this.#engine, platforms, `sync/${name}`);
          return known;
        },
        platform: async (name) => {
          this.#engine.lookAtPlatform(name);
          await askHolders(this.#engine, [name], `platform/${name}`);
        },
      },
      reports: metrics.gateway,
      log,
      clock: () => timers.now(),
    };
  }

  /** The platforms as the API uses them; `onTriggered` is told after every wish to run something. */
  triggerable(onTriggered: () => void): ConnectedPlatforms {
    const { platforms } = this.#engine;
    return {
      names: () => platforms.names(),
      driver: async (name, signal) => {
        const driver = await platforms.driver(name, signal);
        const trigger = driver.trigger?.bind(driver);
        if (trigger === undefined) return driver;
        return {
          name: driver.name,
          ...(driver.execution && { execution: driver.execution.bind(driver) }),
          trigger: (request, within) => trigger(request, within).finally(onTriggered),
        };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.dispose();
    this.#engine.onPassEnded = () => undefined;
    this.#engine.onConfigured = () => undefined;
    await this.feed.settled();
    await this.dispatcher.stop(STOP);
    await this.#callbacks[Symbol.asyncDispose]();
  }

  #secret(name: string, reference: { readonly valueFrom: SecretRef }) {
    const { secrets } = this.#engine.parts;
    return secrets.resolve(reference.valueFrom, ownScopeOf(name, this.#engine.baseDir));
  }

  #integrationHandlers(): readonly EventHandler[] {
    return this.#integrations === undefined ? [] : integrationHandlers(this.#engine, this.#integrations);
  }

  #pluginHandlers(): readonly EventHandler[] {
    return this.#plugins.eventHandlers().map(({ name, patterns, platforms }) => ({
      kind: 'plugin',
      name,
      wants: ({ type, platform }: BusEvent) =>
        (platforms?.includes(platform) ?? true) && patterns.some((pattern) => matchesEvent(pattern, type)),
      handle: async (event: BusEvent, signal: AbortSignal) => {
        await this.#plugins.handleEvent(name, cloudEventJson(event), signal);
      },
    }));
  }
}
