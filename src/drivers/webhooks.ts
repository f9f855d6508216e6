import type { JsonObject, Kind } from '../manifest/manifest.ts';
import { slug } from '../manifest/slug.ts';
import type { Marker, RemoteObject } from '../plan/types.ts';
import type { Driver, Step } from './driver.ts';
import { rowsOf, withRegister } from './register.ts';
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
  readonly observe: RegisteredKind['observe'];
  readonly apply: RegisteredKind['apply'];
  readonly #platform: string;

  constructor(register: WebhookRegister, platform: string) {
    this.#platform = platform;
    const rows = rowsOf<RegisteredWebhook>(KIND, {
      platform,
      register,
      remoteOf,
      create: async (step, id, marker) => register.create(await this.#draftOf(step, marker), id),
      update: async (step, { id, version }, marker) => register.update(id, await this.#draftOf(step, marker), version),
      giveUp: ({ owner: by }, present) => {
        const { marker: _marker, ...rest } = present;
        return register.update(rest.id, { ...rest, by }, rest.version);
      },
    });
    this.observe = rows.observe;
    this.apply = rows.apply;
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
