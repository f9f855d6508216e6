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
  /**
   * Told of every run that was read, before the cursor moves: who throws here is told again. `name` is the workflow's in
   * git, where a Sync owns it.
   */
  readonly onRuns?: (platform: string, runs: readonly SeenRun[]) => Promise<void>;
}

export interface SeenRun {
  readonly execution: Execution;
  readonly name?: string;
}

/** Milliseconds between two polls, to the next one when something was run, and that one poll may take. */
const EVERY = 10_000;
const SOON = 300;
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
  #busy = false;
  #expecting = false;
  #polling: Promise<void> = Promise.resolve();

  constructor(parts: ExecutionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#cancel();
    this.#arm(this.#expecting ? SOON : EVERY);
  }

  /** Polls shortly: somebody has just run something. Returns at once; how often it is called makes no difference. */
  soon(): void {
    // Armed already: to begin anew with every call would put the poll off for as long as they keep coming.
    if (this.#expecting) return;
    this.#expecting = true;
    if (this.#busy || this.#abort.signal.aborted) return;
    this.#cancel();
    this.#arm(SOON);
  }

  #arm(delay: number): void {
    this.#cancel = this.#parts.timers.after(delay, () => {
      this.#busy = true;
      this.#expecting = false;
      this.#polling = this.poll().finally(() => {
        this.#busy = false;
        if (!this.#abort.signal.aborted) this.#arm(this.#expecting ? SOON : EVERY);
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
      const runs = this.#named(platform, executions);
      await this.#parts.onRuns?.(platform, runs);
      for (const { execution, name: workflow } of runs) this.#parts.metrics.execution(platform, workflow, execution);
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

  #named(platform: string, executions: readonly Execution[]): readonly SeenRun[] {
    if (executions.length === 0) return [];
    const names = this.#names(platform);
    return executions.map((execution) => {
      const name = names.get(execution.workflow);
      return name === undefined ? { execution } : { execution, name };
    });
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
