import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { RegisteredWebhook, WebhookRegister } from '../../drivers/webhook-register.ts';
import type { Owners } from '../../ledger/owners.ts';
import type { SecretValue } from '../../secrets/secrets.ts';
import { nothing, refused, route } from './route.ts';
import type { Answer, Given, Need, Route } from './route.ts';
import { ErrorBody, PathName, WebhookCreated, WebhookList, WebhookRequest } from './shapes.ts';

export interface WebhookParts {
  readonly webhooks: WebhookRegister;
  readonly owners: Owners;
  readonly platforms: { names(): readonly string[] };
  /** Makes a value hidden, and kept out of every text. */
  readonly hold: (value: string) => SecretValue;
}

const AllParams = z.strictObject({ platform: PathName });
const OneParams = z.strictObject({ platform: PathName, id: z.string().regex(/^[\w.:-]{1,200}$/) });

/** The register of outgoing webhooks, for programs; what git governs can be read here and changed only there. */
export function webhookRoutes(parts: WebhookParts): readonly Route[] {
  const path = '/platforms/:platform/webhooks';
  const needs = ({ platform = '' }: Given): Need => ({ right: 'admin', platform });
  return [
    route({
      method: 'GET',
      path,
      id: 'listWebhooks',
      summary: 'Outgoing webhooks of a platform',
      needs,
      params: AllParams,
      answers: { 200: WebhookList },
      handle: async ({ params: { platform } }) => {
        if (!parts.platforms.names().includes(platform)) return nothing();
        return { status: 200, body: { webhooks: parts.webhooks.list(platform).map((one) => webhookJson(one, parts)) } };
      },
    }),
    route({
      method: 'POST',
      path,
      id: 'registerWebhook',
      summary: 'Have events of a platform delivered to a URL',
      description:
        'Deliveries are signed per Standard Webhooks. Without a secret one is made, and told in this answer only.',
      needs,
      params: AllParams,
      body: WebhookRequest,
      answers: { 201: WebhookCreated, 409: ErrorBody, 422: ErrorBody },
      tells: ['secret'],
      handle: async ({ caller, params: { platform }, body }) => {
        if (!parts.platforms.names().includes(platform)) return nothing();
        const { event, callback_url: url, secret } = body;
        const made = secret === undefined ? `whsec_${randomBytes(32).toString('base64')}` : undefined;
        const draft = {
          platform,
          title: `${event} to ${new URL(url).host}`,
          event,
          url,
          active: true,
          by: caller.name,
        };
        const webhook = parts.webhooks.create({ ...draft, secret: parts.hold(secret ?? made ?? '') });
        return {
          status: 201,
          body: { ...webhookJson(webhook, parts), ...(made === undefined ? {} : { secret: made }) },
        };
      },
    }),
    route({
      method: 'DELETE',
      path: `${path}/:id`,
      id: 'removeWebhook',
      summary: 'Have a webhook delivered no more',
      needs,
      params: OneParams,
      answers: { 204: undefined, 409: ErrorBody },
      handle: async ({ params: { platform, id } }) => remove(platform, id, parts),
    }),
  ];
}

async function remove(platform: string, id: string, parts: WebhookParts): Promise<Answer> {
  const webhook = parts.webhooks.get(id);
  if (webhook === undefined || webhook.platform !== platform) return nothing();
  const manifest = manifestOf(webhook, parts);
  if (manifest !== undefined) {
    return refused(409, {
      code: 'governed-by-git',
      message: `The webhook is governed by ${manifest}.`,
      remedy: 'Change or remove the manifest; taken away here, it would be back with the next pass.',
    });
  }
  return parts.webhooks.remove(id) ? { status: 204 } : nothing();
}

/** Which manifest governs it, as far as that is known: the ledger knows its file, its marker the name. */
function manifestOf({ platform, id, marker }: RegisteredWebhook, { owners }: WebhookParts): string | undefined {
  const owned = owners.ofRemote(platform, 'Webhook', id);
  if (owned !== undefined) return `${owned.key} of the Sync ${owned.sync} (${owned.file})`;
  return marker === undefined ? undefined : `${marker.key} of ${marker.owner}`;
}

function webhookJson(webhook: RegisteredWebhook, parts: WebhookParts) {
  const { id, event, url, active, signed, createdAt, changedAt, changedBy } = webhook;
  const manifest = manifestOf(webhook, parts);
  return {
    id,
    event,
    callback_url: url,
    active,
    signed,
    createdAt: new Date(createdAt).toISOString(),
    changedAt: new Date(changedAt).toISOString(),
    changedBy,
    ...(manifest === undefined ? {} : { manifest }),
  };
}
