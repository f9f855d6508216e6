import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import type { SecretValue } from './secrets.ts';

/** What stands in place of a secret wherever one would be shown. */
export const PLACEHOLDER = '[secret]';

/** The one implementation of SecretValue: the text is a private field, so that no printer, serialiser or copy reaches it. */
export class HiddenValue implements SecretValue {
  readonly #value: string;
  readonly #hashKey: Uint8Array;

  /** `hashKey` is the installation's, 32 bytes (`loadHashKey`). */
  constructor(value: string, hashKey: Uint8Array) {
    this.#value = value;
    this.#hashKey = hashKey;
  }

  reveal(): string {
    return this.#value;
  }

  keyedHash(context: string): string {
    return createHmac('sha256', this.#hashKey).update(`${context}\0${this.#value}`).digest('hex');
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [inspect.custom](): string {
    return PLACEHOLDER;
  }
}
