import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { ReconcilerError } from '../errors.ts';
import type { SecretValue } from './secrets.ts';

/** Says what made a sealed text and how, so that another way can come beside it. */
const FORMAT = 'v1:';
const CIPHER = 'aes-256-gcm';
/** Bytes of nonce and tag: NIST SP 800-38D, 8.2.2 (random nonce) and 5.2.1.2. */
const NONCE = 12;
const TAG = 16;

export interface SealParts {
  /** The installation's key for keyed hashes, 32 bytes (`loadHashKey`). */
  readonly key: Uint8Array;
  /** Hides and redacts what is opened (`SecretStore.hold`). */
  readonly hold: (value: string) => SecretValue;
}

/**
 * Keeps secrets in files of ours: AES-256-GCM under a key of its own, derived from the installation's by HKDF-SHA256. A text
 * is bound to the context it was sealed for: moved to another place, it does not open.
 */
export class Seal {
  readonly #key: Uint8Array;
  readonly #hold: (value: string) => SecretValue;

  constructor({ key, hold }: SealParts) {
    this.#key = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), 'plumbline seal v1', 32));
    this.#hold = hold;
  }

  /** @returns ASCII text, another one each time; `context` says what the secret belongs to (`webhook/42/secret`). */
  seal(value: SecretValue, context: string): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG });
    cipher.setAAD(Buffer.from(context, 'utf8'));
    const sealed = [nonce, cipher.update(value.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()];
    return FORMAT + Buffer.concat(sealed).toString('base64url');
  }

  /**
   * @returns the value, held from now on.
   * @throws ReconcilerError 'never' (`seal-broken`) when the text is damaged, or was sealed for another context or by
   * another installation.
   */
  open(text: string, context: string): SecretValue {
    return this.#hold(this.#decipher(text, context));
  }

  #decipher(text: string, context: string): string {
    try {
      const bytes = Buffer.from(text.slice(FORMAT.length), 'base64url');
      // Node reads base64url leniently; only the one spelling that was written is taken.
      if (FORMAT + bytes.toString('base64url') !== text) throw new Error('it is no sealed text');
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE), { authTagLength: TAG });
      decipher.setAAD(Buffer.from(context, 'utf8'));
      decipher.setAuthTag(bytes.subarray(-TAG));
      const opened = decipher.update(bytes.subarray(NONCE, -TAG));
      return Buffer.concat([opened, decipher.final()]).toString('utf8');
    } catch (error) {
      throw new ReconcilerError(`The secret that is kept as ${context} cannot be opened.`, 'never', {
        cause: error,
        code: 'seal-broken',
        remedy:
          'Give the secret again: it was damaged, or sealed under another hash.key. Where the old hash.key is still to be had, put it back into the state directory instead.',
      });
    }
  }
}
