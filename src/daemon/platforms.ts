import { ReconcilerError, messageOf } from '../errors.ts';
import { betaFault } from '../drivers/beta.ts';
import type { Driver, DriverDefinition, Fence, PlatformEvent, RequestObserver } from '../drivers/driver.ts';
import { withIntegrations } from '../drivers/integrations.ts';
import type { IntegrationRegister } from '../drivers/integration-register.ts';
import { withServiceLevels } from '../drivers/service-levels.ts';
import type { ServiceLevelRegister } from '../drivers/service-level-register.ts';
import { withWebhooks } from '../drivers/webhooks.ts';
import type { WebhookRegister } from '../drivers/webhook-register.ts';
import type { Platform } from '../manifest/platform.ts';
import type { HostedNodeRed } from '../drivers/node-red/hosted-supervisor.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import type { SecretScope, SecretValue } from '../secrets/secrets.ts';
import type { SecretStore } from '../secrets/store.ts';

export interface PlatformsParts {
  readonly secrets: SecretStore;
  /** What a Platform may refer to. */
  readonly scopeOf: (platform: string) => SecretScope;
  readonly metrics: Metrics;
  /** Webhooks of platforms that keep none themselves. */
  readonly webhooks: WebhookRegister;
  readonly serviceLevels: ServiceLevelRegister;
  /** Code of Integrations, which no platform runs. */
  readonly integrations: IntegrationRegister;
  readonly log: Log;
  /** The registry. @throws ReconcilerError when there is no such driver. */
  readonly driverNamed: (name: string) => DriverDefinition;
  /** Starts the platform that Plumbline hosts itself. */
  readonly host: (name: string, port: number, signal: AbortSignal) => Promise<HostedNodeRed>;
  /** What lets requests to a platform begin, where several replicas share them. */
  readonly fence?: (platform: string) => Fence;
  /** Something changed on that platform: look again. */
  readonly onEvent: (platform: string, event: PlatformEvent) => void;
  /** A request to that platform was answered, or not. */
  readonly onRequest: (platform: string, request: Parameters<RequestObserver>[0]) => void;
}

interface Connected {
  readonly driver: Driver;
  readonly url: string;
  readonly events: AsyncDisposable | undefined;
}

interface Entry {
  readonly platform: Platform;
  readonly text: string;
  /** Ends whatever this platform has under way when it goes. */
  readonly abort: AbortController;
  hosted?: Promise<HostedNodeRed>;
  connected?: Promise<Connected>;
}

/** The configured platforms, each connected when it is first needed. One that cannot be reached is nobody else's business. */
export class Platforms implements AsyncDisposable {
  readonly #parts: PlatformsParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: PlatformsParts) {
    this.#parts = parts;
  }

  /** Puts a configuration in force: what has gone or changed is disconnected, what is new is connected when it is needed. */
  async configure(platforms: ReadonlyMap<string, Platform>): Promise<void> {
    for (const [name, entry] of this.#entries) {
      const wanted = platforms.get(name);
      if (wanted !== undefined && JSON.stringify(wanted) === entry.text) continue;
      this.#entries.delete(name);
      await this.#close(name, entry);
      if (wanted === undefined) this.#parts.metrics.forgetPlatform(name);
    }
    for (const [name, platform] of platforms) {
      if (this.#entries.has(name)) continue;
      this.#entries.set(name, { platform, text: JSON.stringify(platform), abort: new AbortController() });
      this.#parts.metrics.expectPlatform(name);
    }
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Names and labels, as configured. */
  known(): readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[] {
    return [...this.#entries].map(([name, { platform }]) => ({ name, labels: platform.metadata.labels }));
  }

  /** As it is configured. */
  get(name: string): Platform | undefined {
    return this.#entries.get(name)?.platform;
  }

  /** Where its API is; undefined while a hosted one has not been started. */
  async url(name: string): Promise<string | undefined> {
    const entry = this.#entries.get(name);
    return entry?.platform.spec.url ?? (await entry?.hosted?.catch(() => undefined))?.url;
  }

  /** The connected driver. @throws ReconcilerError when the platform is not configured, not reachable or its credentials are missing. */
  async driver(name: string, signal: AbortSignal): Promise<Driver> {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new ReconcilerError(`There is no Platform ${name} in the configuration.`, 'never', {
        code: 'not-found',
        remedy: `Add it, or use one of: ${this.names().join(', ')}.`,
      });
    }
    signal.throwIfAborted();
    await this.#dropWhenMoved(name, entry);
    entry.connected ??= this.#connect(name, entry);
    try {
      return (await entry.connected).driver;
    } catch (error) {
      // The next pass tries anew.
      delete entry.connected;
      throw error;
    }
  }

  /** Drivers that are connected now, by platform. */
  async connected(): Promise<ReadonlyMap<string, Driver>> {
    const found = new Map<string, Driver>();
    for (const [name, { connected }] of this.#entries) {
      const one = await connected?.catch(() => undefined);
      if (one !== undefined) found.set(name, one.driver);
    }
    return found;
  }

  /** Closes the connections to such platforms; they are made anew when they are needed. */
  async release(which: (platform: string) => boolean): Promise<void> {
    for (const [name, entry] of this.#entries) {
      if (!which(name)) continue;
      const connected = await entry.connected?.catch(() => undefined);
      delete entry.connected;
      if (connected !== undefined) await this.#quietly(name, () => this.#disconnect(connected));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries];
    this.#entries.clear();
    await Promise.all(entries.map(([name, entry]) => this.#close(name, entry)));
  }

  async #connect(name: string, entry: Entry): Promise<Connected> {
    const { spec } = entry.platform;
    const { metrics, driverNamed, onEvent, onRequest, fence } = this.#parts;
    const observe = metrics.observer(name);
    const definition = driverNamed(spec.driver);
    refuseUnknownBeta(name, definition, spec.beta);
    const { url, username, auth } = await this.#access(name, entry, definition);
    const { concurrency, requestsPerSecond, timeout } = spec.limits;
    const connected = definition.connect({
      platform: name,
      url,
      auth,
      ...(username === undefined ? {} : { username }),
      ...(spec.publicUrl === undefined ? {} : { publicUrl: spec.publicUrl }),
      beta: spec.beta,
      limits: { concurrency, requestsPerSecond, timeout },
      onRequest: (request) => {
        observe(request);
        onRequest(name, request);
      },
      onCircuit: (state) => metrics.circuitOpen(name, state !== 'closed'),
      ...(fence === undefined ? {} : { fence: fence(name) }),
    });
    const { webhooks, serviceLevels, integrations } = this.#parts;
    const registered = withServiceLevels(withWebhooks(connected, webhooks, name), serviceLevels, name);
    const driver = withIntegrations(registered, integrations, name);
    const events = driver.events?.((event) => onEvent(name, event), entry.abort.signal);
    return { driver, url, events };
  }

  async #access(name: string, entry: Entry, definition: DriverDefinition) {
    const { spec } = entry.platform;
    const { secrets, scopeOf, host, fence } = this.#parts;
    if (spec.hosted !== undefined) {
      if (fence !== undefined) throw hostedTwice(name);
      entry.hosted ??= host(name, spec.hosted.port, entry.abort.signal);
      const hosted = await entry.hosted.catch((error: unknown) => {
        delete entry.hosted;
        throw error;
      });
      const auth = { password: async (): Promise<SecretValue> => secrets.hold(hosted.password()) };
      return { url: hosted.url, username: hosted.username, auth };
    }
    const { username, ...references } = spec.auth;
    refuseIncomplete(name, definition, Object.keys(spec.auth));
    const auth = Object.fromEntries(
      Object.entries(references).map(([field, reference]) => [
        field,
        () => secrets.resolve(reference.valueFrom, scopeOf(name)),
      ]),
    );
    return { url: spec.url ?? '', username, auth };
  }

  /** A hosted platform that had to be started again may have got another port. */
  async #dropWhenMoved(name: string, entry: Entry): Promise<void> {
    const [connected, hosted] = [
      await entry.connected?.catch(() => undefined),
      await entry.hosted?.catch(() => undefined),
    ];
    if (connected === undefined || hosted === undefined || connected.url === hosted.url) return;
    delete entry.connected;
    await this.#quietly(name, () => this.#disconnect(connected));
  }

  async #close(name: string, entry: Entry): Promise<void> {
    const connected = await entry.connected?.catch(() => undefined);
    const hosted = await entry.hosted?.catch(() => undefined);
    if (connected !== undefined) await this.#quietly(name, () => this.#disconnect(connected));
    if (hosted !== undefined) await this.#quietly(name, () => hosted.stop());
    entry.abort.abort(new Error('the platform was disconnected'));
  }

  async #disconnect({ driver, events }: Connected): Promise<void> {
    await events?.[Symbol.asyncDispose]();
    await driver[Symbol.asyncDispose]();
  }

  async #quietly(platform: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.warn('platform not closed cleanly', { platform, because: messageOf(error) });
    }
  }
}

function hostedTwice(platform: string): ReconcilerError {
  return new ReconcilerError(
    `Platform ${platform} is hosted by Plumbline itself, and several replicas would each host one of their own.`,
    'never',
    {
      code: 'hosted-by-replicas',
      remedy: 'Run it on its own and give spec.url, or run one plumbline without --shards.',
    },
  );
}

function refuseIncomplete(platform: string, { name, auth }: DriverDefinition, given: readonly string[]): void {
  if (auth.length === 0 || auth.some((group) => group.every((field) => given.includes(field)))) return;
  const groups = auth.map((group) => group.join(' and '));
  throw new ReconcilerError(`Platform ${platform} has no complete credentials for the driver ${name}.`, 'never', {
    code: 'credentials-missing',
    remedy: `Give ${groups.join(', or ')} under spec.auth.`,
  });
}

function refuseUnknownBeta(platform: string, definition: DriverDefinition, wanted: readonly string[]): void {
  const fault = betaFault(definition, wanted);
  if (fault === undefined) return;
  throw new ReconcilerError(`Platform ${platform}: ${fault.message}`, 'never', {
    code: 'unknown-beta',
    remedy: fault.remedy,
  });
}
