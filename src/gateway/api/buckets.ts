import type { Rate } from '../../ledger/tokens.ts';

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets by name, at most so many: when there are more, the one not used for longest goes. */
export class Buckets {
  readonly #most: number;
  readonly #now: () => number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(most: number, now: () => number) {
    this.#most = most;
    this.#now = now;
  }

  /** Takes one from the bucket. @returns 0, or the milliseconds after which there is one to take. */
  take(name: string, { perSecond, burst }: Rate): number {
    const now = this.#now();
    const { tokens, at } = this.#buckets.get(name) ?? { tokens: burst, at: now };
    // A clock that is set back fills nothing and takes nothing away.
    const filled = Math.min(burst, tokens + (Math.max(0, now - at) * perSecond) / 1000);
    const left = filled >= 1 ? filled - 1 : filled;
    this.#buckets.delete(name);
    this.#buckets.set(name, { tokens: left, at: now });
    this.#bound();
    return filled >= 1 ? 0 : Math.ceil(((1 - filled) * 1000) / perSecond);
  }

  get size(): number {
    return this.#buckets.size;
  }

  #bound(): void {
    if (this.#buckets.size <= this.#most) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
