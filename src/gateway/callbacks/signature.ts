import { createHash, createHmac, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ReconcilerError } from '../../errors.ts';
import type { BusEvent } from '../../ledger/bus-event.ts';
import type { SecretValue } from '../../secrets/secrets.ts';

const PREFIX = 'whsec_';

/**
 * The `webhook-id` of an event: the same for every attempt, replay and receiver, also after the ledger was lost, and without
 * the dot that separates what is signed.
 */
export function webhookId(event: BusEvent): string {
  const digest = createHash('sha256').update(`${event.source}\n${event.id}`).digest('base64url');
  return `msg_${digest.slice(0, 32)}`;
}

/**
 * What deliveries are signed with: a secret that begins with `whsec_` is base64, any other is taken as it is.
 * @throws ReconcilerError 'backoff' (`bad-secret`) when there is no key in it.
 */
export function signingKeyOf(secret: SecretValue): KeyObject {
  const text = secret.reveal();
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : undefined;
  if (encoded !== undefined && !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw badSecret();
  const key = encoded === undefined ? Buffer.from(text) : Buffer.from(encoded, 'base64');
  if (key.length === 0) throw badSecret();
  return createSecretKey(key);
}

/** Signs a message as Standard Webhooks has it (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, as `v1,<base64>`. */
export function signatureOf(key: KeyObject, id: string, timestamp: number, body: Buffer): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}

function badSecret(): ReconcilerError {
  return new ReconcilerError('The event was not sent: the secret to sign it with is no key.', 'backoff', {
    code: 'bad-secret',
    remedy: 'Write it as whsec_ and base64, or as any other text that does not begin with whsec_.',
  });
}
