import { createHash, createHmac } from 'node:crypto';
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
 * Signs a message as Standard Webhooks has it (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. A secret that
 * begins with `whsec_` is base64, any other is taken as it is.
 * @returns the header's value, `v1,<base64>`. @throws ReconcilerError 'backoff' (`bad-secret`) when there is no key in it.
 */
export function signatureOf(secret: SecretValue, id: string, timestamp: number, body: Buffer): string {
  const mac = createHmac('sha256', keyOf(secret.reveal())).update(`${id}.${timestamp}.`).update(body);
  return `v1,${mac.digest('base64')}`;
}

function keyOf(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) return notEmpty(Buffer.from(secret));
  const text = secret.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw badSecret();
  return notEmpty(Buffer.from(text, 'base64'));
}

function notEmpty(key: Buffer): Buffer {
  if (key.length === 0) throw badSecret();
  return key;
}

function badSecret(): ReconcilerError {
  return new ReconcilerError('The event was not sent: the secret to sign it with is no key.', 'backoff', {
    code: 'bad-secret',
    remedy: 'Write it as whsec_ and base64, or as any other text that does not begin with whsec_.',
  });
}
