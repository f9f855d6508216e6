import type { Driver, Execution } from '../drivers/driver.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Timers } from './timers.ts';

export interface ExecutionParts {
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly timers: Timers;
  /** Platforms that are connected now. */
  readonly connected: () => Promise<ReadonlyMap<string, Driver>>;
}

/** Milliseconds between two polls, and that one poll may take. */
const EVERY = 10_000;
const LONGEST = 30_000;

/**
 * Counts runs of workflows. The cursor is kept in the ledger and moves after the runs before it were counted: a process that
 * dies in between counts them again into metrics that begin at zero, and counts none too few.
 */
export class ExecutionPoller implements AsyncDisposable {
  readonly #parts: ExecutionParts;
  readonly #abort = new AbortController();
  readonly #failing = new Set<string>();
  /** Up to where was counted: what the ledger could not take must not be counted twice. */
  readonly #counted = new Map<string, string>();
  #cancel: () => void = () => {};
  #polling: Promise<void> = Promise.resolve();

  constructor(parts: ExecutionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#cancel = this.#parts.timers.after(EVERY, () => {
      this.#polling = this.poll().finally(() => {
        if (!this.#abort.signal.aborted) this.start();
      });
    });
  }

  /** Counts what has ended on every connected platform since the last time. Never throws. */
  async poll(): Promise<void> {
    const connected = await this.#parts.connected();
    await Promise.all([...connected].map(([platform, driver]) => this.#pollOne(platform, driver)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    this.#abort.abort(new Error('plumbline stops'));
    await this.#polling;
  }

  async #pollOne(platform: string, driver: Driver): Promise<void> {
    if (driver.executions === undefined) return;
    const { ledger, log } = this.#parts;
    const name = `executions/${platform}`;
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(LONGEST)]);
      const from = this.#counted.get(platform) ?? ledger.cursor(name);
      const { executions, cursor, lost = 0 } = await driver.executions(from, signal);
      this.#count(platform, executions);
      if (lost > 0) this.#tellLost(platform, lost);
      this.#counted.set(platform, cursor);
      ledger.setCursor(name, cursor);
      this.#failing.delete(platform);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // Said once: an unreachable platform is the passes' business, and they say it too.
      log[this.#failing.has(platform) ? 'debug' : 'warn']('executions not read', { platform, error });
      this.#failing.add(platform);
    }
  }

  #count(platform: string, executions: readonly Execution[]): void {
    if (executions.length === 0) return;
    const names = this.#names(platform);
    for (const execution of executions)
      this.#parts.metrics.execution(platform, names.get(execution.workflow), execution);
  }

  #tellLost(platform: string, lost: number): void {
    this.#parts.metrics.executionsLost(platform, lost);
    this.#parts.log.warn('executions lost', { platform, lost });
  }

  /** Names of owned workflows by the platform's id. */
  #names(platform: string): ReadonlyMap<string, string> {
    const { ledger } = this.#parts;
    const names = new Map<string, string>();
    for (const scope of ledger.scopes()) {
      if (scope.platform !== platform) continue;
      for (const { key, remote } of ledger.view(scope).owned.values()) {
        if (key.startsWith('Workflow/')) names.set(remote, key.slice('Workflow/'.length));
      }
    }
    return names;
  }
}
