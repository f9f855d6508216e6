import type { Driver, Execution } from '../drivers/driver.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import type { RunCount } from '../ledger/tallies.ts';
import type { Monitor, Seen } from '../monitor/monitor.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Timers } from './timers.ts';

export interface ExecutionParts {
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly timers: Timers;
  /** Weighs runs for service levels; nothing is weighed without it. */
  readonly monitor?: Monitor;
  /** Platforms that are connected now. */
  readonly connected: () => Promise<ReadonlyMap<string, Driver>>;
  /**
   * Told of every run that was read, before the cursor moves: who throws here is told again. `name` is the workflow's in
   * git, where a Sync owns it.
   */
  /** As they are configured: of each, what is there when counting begins is read as soon as it is connected. */
  readonly expected?: () => readonly string[];
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

/** Pages that one poll reads of a platform, so that a busy one does not hold up its own stop. */
const PAGES = 100;

/**
 * Counts runs of workflows, each once. Counts and the cursor behind them are written to the ledger together, and shown as
 * metrics after that: whenever the process dies, the one that follows goes on with the same numbers. Where counting
 * begins, because a platform is new or the ledger was lost, what has ended already is left out: it may have been counted before.
 */
export class ExecutionPoller implements AsyncDisposable {
  readonly #parts: ExecutionParts;
  readonly #abort = new AbortController();
  readonly #failing = new Set<string>();
  /** Platforms that were polled, and those whose beginning is shown. */
  readonly #begun = new Set<string>();
  readonly #shown = new Set<string>();
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

  /** Shows what processes before this one have counted. Called once, before anybody scrapes: a counter that falls to zero is a new one. */
  restore(): void {
    const { ledger, metrics, expected } = this.#parts;
    metrics.restoreExecutions(ledger.tallies.runs());
    for (const platform of expected?.() ?? []) this.#known(platform);
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

  /** A pass has ended: what it was the first to connect is polled shortly, so that counting begins there. */
  passEnded(): void {
    if (this.#parts.expected?.().some((platform) => !this.#begun.has(platform)) === true) this.soon();
  }

  /** Counts what has ended on every connected platform since the last time. Never throws. */
  async poll(): Promise<void> {
    this.#forgetGone();
    const connected = await this.#parts.connected();
    await Promise.all([...connected].map(([platform, driver]) => this.#pollOne(platform, driver)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    this.#abort.abort(new Error('plumbline stops'));
    await this.#polling;
  }

  async #pollOne(platform: string, driver: Driver): Promise<void> {
    if (driver.executions === undefined) {
      this.#begun.add(platform);
      return;
    }
    const { log } = this.#parts;
    try {
      const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(LONGEST)]);
      const counting = this.#counting(platform);
      for (let page = 0; page < PAGES; page++)
        if (!(await this.#readPage(platform, driver, { counting, signal }))) break;
      this.#failing.delete(platform);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // Said once: an unreachable platform is the passes' business, and they say it too.
      log[this.#failing.has(platform) ? 'debug' : 'warn']('executions not read', { platform, error });
      this.#failing.add(platform);
    }
  }

  /** @returns whether there may be more. */
  async #readPage(
    platform: string,
    driver: Driver,
    { counting, signal }: { readonly counting: Counting; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { ledger, log, metrics, monitor, timers } = this.#parts;
    const name = `executions/${platform}`;
    const page = await driver.executions?.(ledger.cursor(name), signal);
    if (page === undefined) return false;
    const { executions, cursor, lost = 0, gap = false, more = false } = page;
    const runs = this.#named(platform, executions);
    await this.#parts.onRuns?.(platform, runs);
    const ended = runs.filter(({ execution }) => execution.status !== 'running' && execution.trial !== true);
    const fresh = counting.open ? [] : ended;
    const skipped = counting.open ? ended.length : 0;
    const weighed = monitor?.weigh(fresh.map((run) => seenOf(platform, run, driver))) ?? new Map<number, never>();
    const gaps = gap ? 1 : 0;
    counting.skipped += skipped;
    counting.lost = (counting.lost ?? 0) + lost;
    counting.gaps = (counting.gaps ?? 0) + gaps;
    counting.open &&= more;
    ledger.tallies.add({
      at: timers.now(),
      counts: weighed,
      runs: this.#countsOf(platform, fresh),
      cursors: { [name]: cursor, [`counting/${platform}`]: JSON.stringify(counting) },
    });
    for (const { execution, name: workflow } of fresh) metrics.execution(platform, workflow, execution);
    monitor?.counted(weighed);
    metrics.countedSince(platform, counting.since, { skipped, lost, gaps });
    if (lost > 0) log.warn('executions lost', { platform, lost });
    if (gap) log.info('executions forgotten by the platform', { platform });
    return more;
  }

  /** Since when is counted, how many runs were left out, and whether what was there before is still being read. */
  #counting(platform: string): Counting {
    const { ledger, timers } = this.#parts;
    this.#begun.add(platform);
    const known = this.#known(platform);
    if (known !== undefined) return known;
    this.#shown.add(platform);
    // A ledger of a version before this one has a cursor: there is no gap.
    return { since: timers.now(), skipped: 0, open: ledger.cursor(`executions/${platform}`) === undefined };
  }

  /** The same as the ledger has it; shown as metrics, once. */
  #known(platform: string): Counting | undefined {
    const { ledger, metrics } = this.#parts;
    const text = ledger.cursor(`counting/${platform}`);
    if (text === undefined) return undefined;
    const counting = JSON.parse(text) as Counting;
    if (!this.#shown.has(platform)) metrics.countedSince(platform, counting.since, counting);
    this.#shown.add(platform);
    return counting;
  }

  /** A platform that is configured no more has lost its series: should it come back, they are shown anew. */
  #forgetGone(): void {
    const names = this.#parts.expected?.();
    if (names === undefined) return;
    for (const set of [this.#begun, this.#shown])
      for (const platform of set) if (!names.includes(platform)) set.delete(platform);
  }

  #countsOf(platform: string, runs: readonly SeenRun[]): readonly RunCount[] {
    const counts = new Map<string, RunCount>();
    for (const { execution, name } of runs) {
      const workflow = this.#parts.metrics.workflowLabel(platform, name);
      const word = `${workflow}\n${execution.status}`;
      const count = (counts.get(word)?.count ?? 0) + 1;
      counts.set(word, { platform, workflow, result: execution.status, count });
    }
    return [...counts.values()];
  }

  #named(platform: string, executions: readonly Execution[]): readonly SeenRun[] {
    if (executions.length === 0) return [];
    const names = this.#names(platform);
    return executions.map((execution) => {
      const name = names.get(execution.workflow);
      return name === undefined ? { execution } : { execution, name };
    });
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

interface Counting {
  /** Milliseconds since 1970. */
  readonly since: number;
  skipped: number;
  /** Runs that the platform dropped unread, and times at which it forgot nobody knows how many; absent before they were kept. */
  lost?: number;
  gaps?: number;
  /** What was there when counting began is still being read, and not counted. */
  open: boolean;
}

function seenOf(platform: string, { execution, name }: SeenRun, { untimed }: Driver): Seen {
  const { status, startedAt, endedAt } = execution;
  const timed = untimed === undefined && endedAt !== undefined;
  const happening = {
    what: 'run' as const,
    ok: status === 'success',
    ...(timed ? { seconds: Math.max(0, endedAt - startedAt) / 1000 } : {}),
  };
  return { kind: 'Workflow', platform, object: name ?? '', happening };
}
