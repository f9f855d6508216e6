/** Entries by the name of what they share; of those with one name, the first by rank is found without a look at any other. */
export class Shelf<T> {
  readonly #rank: (entry: T) => number;
  readonly #entries = new Map<string, Set<T>>();

  constructor(rank: (entry: T) => number) {
    this.#rank = rank;
  }

  /** Names under which there is something. */
  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  count(name: string): number {
    return this.#entries.get(name)?.size ?? 0;
  }

  put(name: string, entry: T): void {
    const entries = this.#entries.get(name) ?? new Set();
    this.#entries.set(name, entries.add(entry));
  }

  take(name: string, entry: T): void {
    const entries = this.#entries.get(name);
    if (entries?.delete(entry) === true && entries.size === 0) this.#entries.delete(name);
  }

  /** The one with the lowest rank; of equals, the one that was put there first. */
  first(name: string, may: (entry: T) => boolean = () => true): T | undefined {
    let found: T | undefined;
    for (const entry of this.#entries.get(name) ?? []) {
      if (may(entry) && (found === undefined || this.#rank(entry) < this.#rank(found))) found = entry;
    }
    return found;
  }
}
