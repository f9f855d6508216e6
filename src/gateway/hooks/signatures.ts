import { createHmac } from 'node:crypto';
import type { Hmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { tokenEquals } from '../../secrets/keys.ts';

/** How a request proves who sent it. */
export type Proof =
  /** HMAC-SHA256 of the body as hexadecimal digits; the prefix has to be there, or may be. */
  | { readonly kind: 'hmac'; readonly header: string; readonly prefix: 'sha256=' | ''; readonly optional?: boolean }
  /** Standard Webhooks, symmetric: `webhook-id`, `webhook-timestamp`, `webhook-signature`. */
  | { readonly kind: 'standard-webhooks' }
  /** The secret itself, in one of these headers; `authorization` is read as `Bearer …`. */
  | { readonly kind: 'token'; readonly headers: readonly string[] };

/**
 * `stale`: rightly signed, but too long ago, or by a clock that is too far ahead. `unusable`: the secret is no key, and so
 * nobody can be known by it.
 */
export type Verdict = 'genuine' | 'wrong' | 'stale' | 'unusable';

/** Seconds; how far a sender's clock may be off, and how long a request can be replayed. */
const TOLERANCE = 300;
/** Signatures of one request that are looked at: a sender that changes its secret sends two. */
const MOST_SIGNATURES = 8;

/**
 * Checks one request while its body passes by: nothing of the body is kept. The comparison takes as long for a wrong proof
 * as for the right one, and as long as for no proof at all.
 */
export class Verification {
  readonly #proof: Proof;
  readonly #headers: IncomingHttpHeaders;
  readonly #secret: string;
  /** One per key that the secret may mean; always two, so that the time does not tell which kind of secret is set. */
  readonly #macs: readonly [Hmac, Hmac];
  readonly #usable: boolean;

  constructor(proof: Proof, headers: IncomingHttpHeaders, secret: string) {
    this.#proof = proof;
    this.#headers = headers;
    this.#secret = secret;
    const standard = proof.kind === 'standard-webhooks';
    const keys = standard ? standardKeys(secret) : [Buffer.from(secret)];
    const [key, other] = [keys[0] ?? Buffer.alloc(0), keys[1] ?? keys[0] ?? Buffer.alloc(0)];
    // Whoever knows that a key is empty can sign.
    this.#usable = key.length > 0;
    const prefix = standard ? `${single(headers, 'webhook-id')}.${single(headers, 'webhook-timestamp')}.` : '';
    // Node reads headers as Latin-1; this gives back the bytes that were sent and signed.
    const signed = Buffer.from(prefix, 'latin1');
    this.#macs = [createHmac('sha256', key).update(signed), createHmac('sha256', other).update(signed)];
  }

  update(chunk: Buffer): void {
    for (const mac of this.#macs) mac.update(chunk);
  }

  /** Once the whole body has passed. `now` is milliseconds since 1970. */
  verdict(now: number): Verdict {
    const digests = this.#macs.map((mac) => mac.digest());
    const verdict = this.#compare(digests, now);
    return this.#usable ? verdict : 'unusable';
  }

  #compare(digests: readonly Buffer[], now: number): Verdict {
    const proof = this.#proof;
    if (proof.kind === 'standard-webhooks') return this.#standard(digests, now);
    if (proof.kind === 'token') {
      const sent = proof.headers.map((name) => tokenIn(this.#headers, name));
      return sent.filter((token) => tokenEquals(token, this.#secret)).length > 0 ? 'genuine' : 'wrong';
    }
    const sent = single(this.#headers, proof.header);
    const prefixed = proof.prefix !== '' && sent.startsWith(proof.prefix);
    const hex = prefixed ? sent.slice(proof.prefix.length) : sent;
    const right = tokenEquals(hex.toLowerCase(), digests[0]?.toString('hex') ?? '');
    const formed = prefixed || proof.prefix === '' || proof.optional === true;
    return right && formed ? 'genuine' : 'wrong';
  }

  #standard(digests: readonly Buffer[], now: number): Verdict {
    const sent = single(this.#headers, 'webhook-signature');
    const texts = digests.map((digest) => `v1,${digest.toString('base64')}`);
    const candidates = sent.split(' ').slice(0, MOST_SIGNATURES);
    const right = candidates.flatMap((candidate) => texts.filter((text) => tokenEquals(candidate, text))).length;
    const id = single(this.#headers, 'webhook-id');
    const timestamp = single(this.#headers, 'webhook-timestamp');
    if (right === 0 || id === '' || !/^\d{1,12}$/.test(timestamp)) return 'wrong';
    return Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE ? 'stale' : 'genuine';
  }
}

/**
 * `whsec_` is followed by the key in base64. Without it, libraries take a secret for base64 while people sign with its
 * characters: both count. None when what follows is not base64.
 */
function standardKeys(secret: string): readonly Buffer[] {
  const encoded = secret.startsWith('whsec_') ? secret.slice(6) : secret;
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) && encoded.replace(/=+$/, '').length % 4 !== 1;
  const decoded = isBase64 ? [Buffer.from(encoded, 'base64')] : [];
  return secret.startsWith('whsec_') ? decoded : [Buffer.from(secret), ...decoded];
}

function tokenIn(headers: IncomingHttpHeaders, name: string): string {
  const sent = Buffer.from(single(headers, name), 'latin1').toString('utf8');
  return name === 'authorization' ? (/^Bearer +(\S{1,4096})$/i.exec(sent)?.[1] ?? '') : sent;
}

/** A header that was sent; empty when it was not. One that was sent twice is joined by node, and so equals nothing. */
export function single(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}
