import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LookupAddress } from 'node:dns';
import { ReconcilerError } from '../../../src/errors.ts';
import type { RegisteredWebhook, WebhookDraft } from '../../../src/drivers/webhook-register.ts';
import { Callbacks } from '../../../src/gateway/callbacks/webhook-handlers.ts';
import type { EventHandler } from '../../../src/gateway/bus/handler.ts';
import type { BusEvent } from '../../../src/ledger/bus-event.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { Seal } from '../../../src/secrets/seal.ts';
import { SecretStore } from '../../../src/secrets/store.ts';

const HASH_KEY = new Uint8Array(32).fill(7);

/** A real register of webhooks, and what delivers to them. Names are found where the test says. */
export class CallbackOffice implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'plumbline-callbacks-'));
  readonly secrets = new SecretStore({ env: {}, hashKey: HASH_KEY });
  readonly ledger: Ledger;
  readonly callbacks: Callbacks;
  /** What each platform allows. */
  readonly allow = new Map<string, readonly string[]>([['automation', ['127.0.0.1']]]);
  /** Answers of the name server, one after the other; the last one stays. */
  readonly answers: (readonly string[])[] = [];
  /** Names that were asked for. */
  readonly asked: string[] = [];

  constructor(timeout = 5000) {
    const hold = (value: string) => this.secrets.hold(value);
    this.ledger = Ledger.open(this.directory, {
      redact: (text) => this.secrets.redact(text),
      seal: new Seal({ key: HASH_KEY, hold }),
    });
    this.callbacks = new Callbacks({
      register: this.ledger.webhooks,
      allowOf: (platform) => this.allow.get(platform),
      now: Date.now,
      resolve: async (host) => this.#resolve(host),
      timeout,
    });
  }

  register(
    url: string,
    more: Partial<Omit<WebhookDraft, 'secret'>> & { readonly secret?: string } = {},
  ): RegisteredWebhook {
    const { secret, ...rest } = more;
    return this.ledger.webhooks.create({
      platform: 'automation',
      title: 'On call',
      event: '*',
      url,
      active: true,
      by: 'test',
      ...(secret === undefined ? {} : { secret: this.secrets.hold(secret) }),
      ...rest,
    });
  }

  handler({ id }: RegisteredWebhook): EventHandler {
    const found = this.callbacks.handlers().find(({ name }) => name === id);
    if (found === undefined) throw new Error(`no handler for ${id}`);
    return found;
  }

  /** Delivers one event to a URL, registered for it alone. */
  async deliver(url: string, event: BusEvent, more: Parameters<CallbackOffice['register']>[1] = {}): Promise<void> {
    await this.handler(this.register(url, more)).handle(event, new AbortController().signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.callbacks[Symbol.asyncDispose]();
    this.ledger.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #resolve(host: string): readonly LookupAddress[] {
    this.asked.push(host);
    const addresses = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (addresses === undefined) throw Object.assign(new Error(`no such host ${host}`), { code: 'ENOTFOUND' });
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  }
}

/** What a delivery failed with. */
export async function failureOf(delivery: Promise<void>): Promise<ReconcilerError> {
  const error = await delivery.then(
    () => new Error('it was delivered'),
    (error: unknown) => error,
  );
  if (error instanceof ReconcilerError) return error;
  throw error;
}
