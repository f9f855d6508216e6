/** Failures in a row after which there is no pause yet. */
const FREE = 3;
/** Milliseconds of the first pause, and of the longest. */
const SHORTEST = 250;
const LONGEST = 60_000;

/** How often the processes of one plugin may be started anew: the more failures in a row, the longer the pauses. */
export class Restarts {
  #failures = 0;
  #resumesAt = 0;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds until a process may be started; 0 when at once. */
  get pause(): number {
    return Math.max(0, this.#resumesAt - this.#now());
  }

  failed(): void {
    this.#failures += 1;
    const beyond = this.#failures - FREE;
    if (beyond <= 0) return;
    this.#resumesAt = this.#now() + Math.min(LONGEST, SHORTEST * 2 ** Math.min(beyond - 1, 20));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#resumesAt = 0;
  }
}
