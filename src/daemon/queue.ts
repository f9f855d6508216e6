import { ReconcilerError } from '../errors.ts';
import type { QueueNumbers } from '../report/metrics.ts';
import type { Trigger } from '../report/pass-report.ts';
import { Shelf } from './shelf.ts';
import type { Timers } from './timers.ts';

/**
 * Work queue of passes, keyed by Sync × Platform.
 *
 *     later ──due──▶ waiting ──▶ preparing ──▶ ready ──▶ running ──▶ (gone)
 *                       ▲  one per key; a lane's   one at a time
 *            add ───────┘  width at a time         per group
 *
 * - One entry per key is active (preparing to running); whoever comes meanwhile waits, and those who wait are merged.
 * - A group (a Platform) has one entry running at a time, since it has one writer. Reading the source comes before,
 *   without the group's turn, in the source's own lane: a git server that hangs delays the Syncs it serves and no others.
 * - There is no limit across groups or lanes, so nothing slow on one of them is felt on another.
 * - Who came first goes first, but a change goes ahead of any drift poll that has waited for less than a minute. After
 *   that the drift poll goes first: no stream of commits keeps it away.
 */
export interface Place {
  readonly key: string;
  /** What has one writer: the Platform. */
  readonly group: string;
  /** What is read before: the source's server. */
  readonly lane: string;
}

export type Priority = 'command' | 'change' | 'drift';

export interface Ticket extends Place {
  readonly trigger: Trigger;
  readonly priority: Priority;
}

/** What the queue calls; errors it throws are handed to `failed`. */
export interface Worker {
  /** Slow reading that needs no turn on the platform. */
  prepare(ticket: Ticket, signal: AbortSignal): Promise<void>;
  run(ticket: Ticket, signal: AbortSignal): Promise<void>;
  failed(ticket: Ticket, error: unknown): void;
}

interface Entry {
  ticket: Ticket;
  since: number;
  state: 'waiting' | 'preparing' | 'ready' | 'running';
  /** Work of its own, which is merged with nothing. */
  readonly own?: Pick<Worker, 'prepare' | 'run' | 'failed'>;
  readonly abort: AbortController;
}

/** Milliseconds by which an entry stands behind those that came at the same time. */
const HANDICAP: Record<Priority, number> = { command: 0, change: 1_000, drift: 61_000 };
const LANE_WIDTH = 4;

export class WorkQueue {
  readonly #worker: Worker;
  readonly #timers: Timers;
  readonly #entries = new Set<Entry>();
  /** Entries by where they stand, so that no step looks at all of them. */
  readonly #waiting = new Shelf(rank);
  readonly #ready = new Shelf(rank);
  readonly #preparing = new Shelf(rank);
  readonly #running = new Shelf(rank);
  /** What waits and may be merged with, by key. */
  readonly #mergeable = new Map<string, Entry>();
  /** Keys that have an entry which is preparing, ready or running. */
  readonly #active = new Set<string>();
  readonly #later = new Map<string, { readonly cancel: () => void }>();
  readonly #left: (() => void)[] = [];
  #stopped = false;

  constructor(worker: Worker, timers: Timers) {
    this.#worker = worker;
    this.#timers = timers;
  }

  /**
   * Asks for a pass as soon as may be. Asked for again before it has begun, it is one pass that does for both: of the higher
   * priority, and one that looks at everything unless all ask for what a commit touched alone.
   */
  add(ticket: Ticket): void {
    if (this.#stopped) return;
    const waiting = this.#mergeable.get(ticket.key);
    if (waiting === undefined)
      this.#enter({ ticket, since: this.#timers.now(), state: 'waiting', abort: new AbortController() });
    else waiting.ticket = merged(waiting.ticket, ticket);
    this.#advance();
  }

  /** Asks for a pass after `delay` milliseconds. A key has one such date; a new one replaces it. */
  later(ticket: Ticket, delay: number): void {
    this.#later.get(ticket.key)?.cancel();
    if (this.#stopped) return;
    const cancel = this.#timers.after(delay, () => {
      this.#later.delete(ticket.key);
      this.add(ticket);
    });
    this.#later.set(ticket.key, { cancel });
  }

  /**
   * Runs `work` when no pass of that key and no other work of that group runs: for what a person asked for.
   * @throws what `work` throws; ReconcilerError `stopping` when the queue stops first.
   */
  async exclusive<T>(place: Place, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#stopped) throw stopping();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const own = {
      prepare: async () => undefined,
      run: async (_: Ticket, signal: AbortSignal) => resolve(await work(signal)),
      failed: (_: Ticket, error: unknown) => reject(error),
    };
    const ticket: Ticket = { ...place, trigger: 'command', priority: 'command' };
    this.#enter({ ticket, since: this.#timers.now(), state: 'waiting', own, abort: new AbortController() });
    this.#advance();
    return promise;
  }

  /** Drops what waits under a key; resolves when nothing of it runs any more. */
  async remove(key: string): Promise<void> {
    this.#later.get(key)?.cancel();
    this.#later.delete(key);
    this.#dropWaiting((entry) => entry.ticket.key === key);
    await this.#until(() => ![...this.#entries].some((entry) => entry.ticket.key === key));
  }

  /** Takes no more work and drops what has not begun; resolves when everything that runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#later.values()) cancel();
    this.#later.clear();
    this.#dropWaiting(() => true);
    await this.#until(() => this.#entries.size === 0);
  }

  /** Tells everything that runs to end now; with `which`, only what runs in such a group. */
  abort(reason: Error, which: (group: string) => boolean = () => true): void {
    for (const entry of this.#entries) if (which(entry.ticket.group)) entry.abort.abort(reason);
  }

  /** Resolves when nothing runs in such a group; what waits there is left to whoever runs it. @returns whether nothing of it was aborted */
  async idle(which: (group: string) => boolean): Promise<boolean> {
    const running = [...this.#entries].filter(({ state, ticket }) => state === 'running' && which(ticket.group));
    await this.#until(() => !running.some((entry) => this.#entries.has(entry)));
    return !running.some(({ abort }) => abort.signal.aborted);
  }

  numbers(): QueueNumbers {
    const now = this.#timers.now();
    const waiting = [...this.#entries].filter(({ state }) => state === 'waiting' || state === 'ready');
    return {
      waiting: waiting.length,
      running: this.#entries.size - waiting.length,
      delayed: this.#later.size,
      oldest: waiting.reduce((oldest, { since }) => Math.max(oldest, now - since), 0),
    };
  }

  #enter(entry: Entry): void {
    this.#entries.add(entry);
    this.#waiting.put(entry.ticket.lane, entry);
    if (entry.own === undefined) this.#mergeable.set(entry.ticket.key, entry);
  }

  /** Begins what may begin: lanes do not wait for one another, nor do groups. */
  #advance(): void {
    for (const lane of this.#stopped ? [] : this.#waiting.names()) {
      while (this.#preparing.count(lane) < LANE_WIDTH) {
        const next = this.#waiting.first(lane, ({ ticket }) => !this.#active.has(ticket.key));
        if (next === undefined) break;
        void this.#step(next, 'preparing');
      }
    }
    for (const group of this.#ready.names()) {
      const next = this.#running.count(group) > 0 ? undefined : this.#ready.first(group);
      if (next !== undefined) void this.#step(next, 'running');
    }
  }

  /** Notes where an entry stands; undefined: it has left. */
  #move(entry: Entry, state: Entry['state'] | undefined): void {
    const { key, lane, group } = entry.ticket;
    for (const shelf of [this.#waiting, this.#preparing]) shelf.take(lane, entry);
    for (const shelf of [this.#ready, this.#running]) shelf.take(group, entry);
    if (this.#mergeable.get(key) === entry) this.#mergeable.delete(key);
    if (entry.state !== 'waiting') this.#active.delete(key);
    if (state === undefined) return;
    entry.state = state;
    this.#active.add(key);
    if (state === 'preparing') this.#preparing.put(lane, entry);
    else if (state === 'ready') this.#ready.put(group, entry);
    else this.#running.put(group, entry);
  }

  async #step(entry: Entry, state: 'preparing' | 'running'): Promise<void> {
    this.#move(entry, state);
    const worker = entry.own ?? this.#worker;
    try {
      if (state === 'preparing') await worker.prepare(entry.ticket, entry.abort.signal);
      else await worker.run(entry.ticket, entry.abort.signal);
    } catch (error) {
      this.#leave(entry);
      worker.failed(entry.ticket, error);
      return;
    }
    if (state === 'running') this.#leave(entry);
    else if (this.#stopped) this.#drop(entry);
    else {
      this.#move(entry, 'ready');
      this.#advance();
    }
  }

  #dropWaiting(which: (entry: Entry) => boolean): void {
    for (const entry of this.#entries) {
      if ((entry.state === 'waiting' || entry.state === 'ready') && which(entry)) this.#drop(entry);
    }
  }

  #drop(entry: Entry): void {
    this.#leave(entry);
    entry.own?.failed(entry.ticket, stopping());
  }

  #leave(entry: Entry): void {
    this.#entries.delete(entry);
    this.#move(entry, undefined);
    for (const check of this.#left.splice(0)) check();
    this.#advance();
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) await new Promise<void>((resolve) => this.#left.push(resolve));
  }
}

function merged(waiting: Ticket, asked: Ticket): Ticket {
  const [lead, other] = HANDICAP[asked.priority] < HANDICAP[waiting.priority] ? [asked, waiting] : [waiting, asked];
  const { trigger } = lead.trigger === 'commit' ? other : lead;
  return { ...waiting, priority: lead.priority, trigger };
}

function rank(entry: Entry): number {
  return entry.since + HANDICAP[entry.ticket.priority];
}

function stopping(): ReconcilerError {
  return new ReconcilerError('It was not begun, because plumbline is stopping or the Sync was removed.', 'never', {
    code: 'stopping',
    remedy: 'Ask again when plumbline runs.',
  });
}
