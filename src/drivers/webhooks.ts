import { randomUUID } from 'node:crypto';
import { ReconcilerError, messageOf, retryOf } from '../errors.ts';
import type { JsonObject, Kind } from '../manifest/manifest.ts';
import { slug } from '../manifest/slug.ts';
import type { Marker, RemoteObject } from '../plan/types.ts';
import type { Driver, Listed, Look, Outcome, Step } from './driver.ts';
import { withRegister } from './register.ts';
import type { RegisteredKind } from './register.ts';
import type { RegisteredWebhook, WebhookDraft, WebhookRegister } from './webhook-register.ts';

const KIND = 'Webhook' satisfies Kind;
/** The driver, with Webhooks kept in Plumbline's own register unless its platform has webhooks of its own. */
export function withWebhooks(driver: Driver, register: WebhookRegister, platform: string): Driver {
  return withRegister(driver, new RegisteredWebhooks(register, platform));
}

/** The Webhooks of one platform, as a driver deals with them. */
class RegisteredWebhooks implements RegisteredKind {
  readonly kind = KIND;
  readonly normalize = normalize;
  readonly toManifest = manifestOf;
  readonly #register: WebhookRegister;
  readonly #platform: string;

  constructor(register: WebhookRegister, platform: string) {
    this.#register = register;
    this.#platform = platform;
  }

  *observe({ only }: Look, signal: AbortSignal): Generator<RemoteObject | Listed> {
    signal.throwIfAborted();
    let webhooks: readonly RegisteredWebhook[];
    try {
      webhooks = this.#register.list(this.#platform);
    } catch (error) {
      yield { listed: KIND, complete: false, because: messageOf(error) };
      return;
    }
    for (const webhook of webhooks) {
      if (only === undefined || only.remotes.includes(webhook.id) || only.titles.includes(webhook.title))
        yield remoteOf(webhook);
    }
    yield { listed: KIND, complete: true };
  }

  async apply(step: Step, signal: AbortSignal): Promise<Outcome> {
    const { change } = step;
    if (signal.aborted) return { status: 'skipped', change, because: 'the pass was stopped before it began' };
    try {
      const written = await this.#perform(step);
      if (written === undefined) return { status: 'applied', change };
      return { status: 'applied', change, remote: { id: written.id, version: written.version } };
    } catch (error) {
      return { status: 'failed', change, error: asError(error) };
    }
  }

  async #perform(step: Step): Promise<RegisteredWebhook | undefined> {
    const { change, owner } = step;
    if (change.verb === 'create') {
      // The id is chosen here so that the marker can name it: a copy then gives itself away.
      const id = randomUUID();
      const marker = step.marker && { ...step.marker, remote: id };
      return this.#register.create(await this.#draftOf(step, marker), id);
    }
    const { id, version } = change.remote;
    if (change.verb === 'delete') {
      this.#register.remove(id, version);
      return undefined;
    }
    const present = this.#register.get(id);
    if (change.verb === 'release') {
      // Gone already, or given up already: nothing is left to be taken off.
      if (present?.marker === undefined) return present;
      const { marker: _, ...rest } = present;
      return this.#register.update(id, { ...rest, by: owner }, present.version);
    }
    return this.#register.update(id, await this.#draftOf(step, step.marker ?? present?.marker), version);
  }

  async #draftOf(step: Step, marker: Marker | undefined): Promise<WebhookDraft> {
    const { title, event, url, active, signed } = read(await step.desired());
    const { secret } = await step.secrets();
    // Only where the plan showed it: whoever has /signed ignored keeps a secret that git does not know.
    const takesAway = !signed && 'diff' in step.change && step.change.diff.some(({ path }) => path === '/signed');
    return {
      platform: this.#platform,
      title,
      event,
      url,
      active,
      by: step.owner,
      ...(marker === undefined ? {} : { marker }),
      ...(secret === undefined ? (takesAway ? { secret: null } : {}) : { secret }),
    };
  }
}

/** What is compared of a Webhook. */
interface Content {
  readonly title: string;
  readonly event: string;
  readonly url: string;
  readonly active: boolean;
  readonly signed: boolean;
}

function read(spec: JsonObject): Content {
  const text = (field: string): string => (typeof spec[field] === 'string' ? spec[field] : '');
  const url = text('url');
  return {
    title: text('title'),
    event: text('event'),
    // https://a.example and https://a.example/ are one address.
    url: URL.parse(url)?.href ?? url,
    active: spec['active'] !== false,
    signed: spec['signed'] === true,
  };
}

function normalize(spec: JsonObject): JsonObject {
  return { ...read(spec) };
}

function remoteOf(webhook: RegisteredWebhook): RemoteObject {
  const { id, title, event, url, active, signed, version, marker, createdAt, changedAt, changedBy } = webhook;
  return {
    kind: KIND,
    remote: id,
    title,
    value: normalize({ title, event, url, active, signed }),
    version,
    ...(marker === undefined ? {} : { marker }),
    secretsSet: { secret: signed },
    createdAt,
    changedAt,
    changedBy,
  };
}

/** A secret is never exported; without `ignoreFields`, taking the Webhook over would then take the secret away. */
function manifestOf({ title, value, marker }: RemoteObject): ReturnType<NonNullable<Driver['toManifest']>> {
  const known = marker?.key.startsWith(`${KIND}/`) === true ? marker.key.slice(KIND.length + 1) : undefined;
  const spec = value['signed'] === true ? { ...value, ignoreFields: ['/signed'] } : value;
  return { name: known ?? slug(title), spec };
}

function asError(error: unknown): ReconcilerError {
  if (error instanceof ReconcilerError) return error;
  return new ReconcilerError(messageOf(error), retryOf(error), { cause: error });
}
