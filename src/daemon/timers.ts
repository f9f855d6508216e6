/** Time as the daemon sees it; tests bring their own, so that nothing has to sleep. */
export interface Timers {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `delay` milliseconds; the function returned calls it off. */
  after(delay: number, callback: () => void): () => void;
  /** From 0 up to but not including 1. */
  random(): number;
}

/** Longest delay that `setTimeout` keeps; it fires at once beyond it. */
const LONGEST = 2 ** 31 - 1;

/** The machine's clock. Its timers do not keep the process alive: a listener or a running pass does. */
export const SYSTEM_TIMERS: Timers = {
  now: () => Date.now(),
  after: (delay, callback) => {
    let timer: NodeJS.Timeout;
    const due = Date.now() + delay;
    const arm = (): void => {
      const left = Math.max(0, due - Date.now());
      timer = setTimeout(left > LONGEST ? arm : callback, Math.min(left, LONGEST));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** `base` ± 5 %, so that Syncs with equal intervals do not all come at once. */
export function jittered(base: number, random: number): number {
  return base * (0.95 + 0.1 * random);
}

export interface BackoffTerms {
  /** Milliseconds before the first retry. */
  readonly first: number;
  /** Milliseconds that no pause exceeds. */
  readonly longest: number;
}

/**
 * Pause before retry number `attempt` (counted from 1), in milliseconds: doubling, never beyond `longest`, and drawn from
 * its upper half, so that what failed together does not come back together.
 */
export function backoff(attempt: number, terms: BackoffTerms, random: number): number {
  const full = Math.min(terms.longest, terms.first * 2 ** Math.min(attempt - 1, 30));
  return attempt <= 1 ? Math.min(jittered(full, random), terms.longest) : full * (0.5 + 0.5 * random);
}
