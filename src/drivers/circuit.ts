import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState as PolicyState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  circuitBreaker,
  handleWhen,
} from 'cockatiel';
import { ReconcilerError } from '../errors.ts';
import type { CircuitState } from './driver.ts';

/** Consecutive failures after which the platform counts as down. */
const FAILURES_TO_OPEN = 5;

/** When an open circuit lets one request through to look: first and longest pause, milliseconds. */
export interface CircuitTimes {
  readonly firstProbeAfter: number;
  readonly lastProbeAfter: number;
}
const TIMES: CircuitTimes = { firstProbeAfter: 2_000, lastProbeAfter: 60_000 };

/** Without `Isolated`: nobody here opens a circuit by hand. */
const STATES: ReadonlyMap<PolicyState, CircuitState> = new Map([
  [PolicyState.Closed, 'closed'],
  [PolicyState.Open, 'open'],
  [PolicyState.HalfOpen, 'half-open'],
]);

/** Codes of errors that say the platform is down or broken, rather than that it refused one request. */
const DOWN = new Set([
  'platform-unreachable',
  'platform-error',
  'platform-unavailable',
  'timeout',
  'connection-lost',
  'outcome-unknown',
]);

/**
 * Fails fast while a platform is down: after five failures in a row nothing is sent for a while, then one request goes
 * through as a probe and its result decides. Keeps a dead platform from tying up every pass for its full timeout.
 */
export class Circuit {
  readonly #policy: CircuitBreakerPolicy;
  readonly #name: string;

  constructor(name: string, times: CircuitTimes = TIMES, onChange: (state: CircuitState) => void = () => {}) {
    this.#name = name;
    this.#policy = circuitBreaker(
      handleWhen((error) => error instanceof ReconcilerError && DOWN.has(error.code ?? '')),
      {
        breaker: new ConsecutiveBreaker(FAILURES_TO_OPEN),
        halfOpenAfter: new ExponentialBackoff({
          initialDelay: times.firstProbeAfter,
          maxDelay: times.lastProbeAfter,
        }),
      },
    );
    this.#policy.onStateChange((state) => {
      const told = STATES.get(state);
      if (told !== undefined) onChange(told);
    });
  }

  /** @throws ReconcilerError `platform-unreachable` without running `work` while the circuit is open. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute(work);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      throw new ReconcilerError(
        `${this.#name} failed ${FAILURES_TO_OPEN} times in a row; nothing is sent until it is probed again.`,
        'backoff',
        {
          code: 'platform-unreachable',
          cause: error,
          remedy: 'Check that the platform is running and reachable from here.',
        },
      );
    }
  }
}
