/** Time as the bus sees it; the daemon's timers fit, and tests bring their own, so that nothing has to sleep. */
export interface BusTimers {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once after `delay` milliseconds; the function returned calls it off. */
  after(delay: number, callback: () => void): () => void;
  /** From 0 up to but not including 1. */
  random(): number;
}
