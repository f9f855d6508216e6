import type { SecretValue } from '../../secrets/secrets.ts';

/** Milliseconds that a secret is used for before it is read again. */
const FRESH = 1_000;
const MOST = 1_000;

interface Held {
  readonly at: number;
  readonly value: Promise<SecretValue>;
}

/**
 * Reads a secret at most once a second, however many requests come: reading a file costs more than checking a signature,
 * and a stranger must neither be able to have it done at will nor measure by it what exists. A new secret counts after a
 * second at the latest.
 */
export class RecentSecrets {
  readonly #held = new Map<string, Held>();

  /** @throws what reading throws; the next request reads anew then. */
  async read(name: string, read: () => Promise<SecretValue>, now: number): Promise<SecretValue> {
    const held = this.#held.get(name);
    if (held !== undefined && now >= held.at && now < held.at + FRESH) return held.value;
    // Names come from configuration; it may have had others before.
    if (this.#held.size >= MOST) this.#held.clear();
    const value = read();
    this.#held.set(name, { at: now, value });
    try {
      return await value;
    } catch (error) {
      if (this.#held.get(name)?.value === value) this.#held.delete(name);
      throw error;
    }
  }
}
