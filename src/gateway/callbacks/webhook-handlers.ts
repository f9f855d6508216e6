import type { KeyObject } from 'node:crypto';
import { ReconcilerError } from '../../errors.ts';
import type { RegisteredWebhook, WebhookRegister } from '../../drivers/webhook-register.ts';
import type { BusEvent } from '../../ledger/bus-event.ts';
import { matchesEvent } from '../../manifest/event-pattern.ts';
import type { EventHandler } from '../bus/handler.ts';
import { CLOUD_EVENT_TYPE, cloudEventOf } from './cloud-event.ts';
import { Courier } from './courier.ts';
import { systemResolver } from './resolver.ts';
import type { ResolveHost } from './resolver.ts';
import { signatureOf, signingKeyOf, webhookId } from './signature.ts';

export interface WebhookParts {
  readonly register: WebhookRegister;
  /** `spec.webhooks.allow` of a platform as it is configured now; undefined when there is no such platform. */
  readonly allowOf: (platform: string) => readonly string[] | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Finds addresses; the system's resolver when absent. */
  readonly resolve?: ResolveHost;
  /** Milliseconds for one delivery; ten seconds when absent. */
  readonly timeout?: number;
}

/** Delivers events to the webhooks that are registered. */
export class Callbacks implements AsyncDisposable {
  readonly #parts: WebhookParts;
  readonly #resolve: ResolveHost;
  /**
   * One for each platform and what it allows: a connection that one platform may make is never another's, and a network
   * that is not allowed any more is not reached over a connection that is open still.
   */
  readonly #couriers = new Map<string, { readonly allow: string; readonly courier: Courier }>();
  /** Opened once for each version of a webhook: every write makes another. */
  readonly #keys = new Map<string, { readonly version: string; readonly key: KeyObject }>();

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#resolve = parts.resolve ?? systemResolver();
  }

  /**
   * A handler for each active webhook of a platform there is. To be asked again whenever the register or a platform
   * changes; where a webhook leads is read anew for every delivery.
   */
  handlers(): readonly EventHandler[] {
    const webhooks = this.#parts.register.list();
    const present = new Set(webhooks.map(({ id }) => id));
    for (const id of this.#keys.keys()) if (!present.has(id)) this.#keys.delete(id);
    return webhooks
      .filter(({ active, platform }) => active && this.#parts.allowOf(platform) !== undefined)
      .map((webhook) => ({
        kind: 'webhook',
        name: webhook.id,
        wants: (event) => event.platform === webhook.platform && matchesEvent(webhook.event, event.type),
        handle: async (event, signal) => await this.#deliver(webhook.id, event, signal),
      }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const couriers = [...this.#couriers.values()];
    this.#couriers.clear();
    await Promise.all(couriers.map(async ({ courier }) => await courier[Symbol.asyncDispose]()));
  }

  async #deliver(id: string, event: BusEvent, signal: AbortSignal): Promise<void> {
    const webhook = this.#parts.register.get(id);
    const allow = webhook === undefined ? undefined : this.#parts.allowOf(webhook.platform);
    if (webhook === undefined || allow === undefined || webhook.platform !== event.platform || !webhook.active) {
      throw new ReconcilerError('The webhook was removed or switched off.', 'never', { code: 'callback-gone' });
    }
    const body = cloudEventOf(event);
    const headers = {
      'content-type': CLOUD_EVENT_TYPE,
      'user-agent': 'plumbline',
      ...this.#signed(webhook, event, body),
    };
    await this.#courierOf(webhook.platform, allow).post({ url: webhook.url, headers, body }, signal);
  }

  /** The headers of Standard Webhooks; the time is that of the attempt. */
  #signed(webhook: RegisteredWebhook, event: BusEvent, body: Buffer): Readonly<Record<string, string>> {
    const id = webhookId(event);
    const timestamp = Math.floor(this.#parts.now() / 1000);
    const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
    if (!webhook.signed) return headers;
    return { ...headers, 'webhook-signature': signatureOf(this.#keyOf(webhook), id, timestamp, body) };
  }

  #keyOf({ id, version }: RegisteredWebhook): KeyObject {
    const known = this.#keys.get(id);
    if (known?.version === version) return known.key;
    const secret = this.#parts.register.secretOf(id);
    if (secret === undefined) {
      throw new ReconcilerError('The event was not sent: the secret to sign it with cannot be read.', 'backoff', {
        code: 'bad-secret',
        remedy: 'Write the secret of the webhook again.',
      });
    }
    const key = signingKeyOf(secret);
    this.#keys.set(id, { version, key });
    return key;
  }

  #courierOf(platform: string, allow: readonly string[]): Courier {
    const wanted = JSON.stringify(allow);
    const known = this.#couriers.get(platform);
    if (known?.allow === wanted) return known.courier;
    const courier = new Courier(allow, this.#resolve, this.#parts.timeout);
    this.#couriers.set(platform, { allow: wanted, courier });
    void known?.courier[Symbol.asyncDispose]();
    return courier;
  }
}
