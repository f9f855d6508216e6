const MOST = 10_000;

/** Deliveries that were acted upon; the oldest are forgotten. Forgetting costs one look too many, nothing else. */
export class Deliveries {
  readonly #seen = new Set<string>();
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  has(sync: string, id: string): boolean {
    return this.#seen.has(`${sync}\0${id}`);
  }

  add(sync: string, id: string): void {
    this.#seen.add(`${sync}\0${id}`);
    if (this.#seen.size <= this.#most) return;
    const [oldest] = this.#seen;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }
}
