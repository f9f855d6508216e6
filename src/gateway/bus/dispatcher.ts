import type { Bus } from '../../ledger/bus.ts';
import type { Settlement } from '../../ledger/bus-deliveries.ts';
import type { ReplayCursor, ReplaySelection } from '../../ledger/bus-replay.ts';
import type { BusEvent } from '../../ledger/bus-event.ts';
import type { GatewayReports } from '../../report/gateway-report.ts';
import type { Log } from '../../report/log.ts';
import { HandlerRun } from './handler-run.ts';
import { handlerKey } from './handler.ts';
import type { EventHandler } from './handler.ts';
import { PATIENCE } from './retry.ts';
import type { Patience } from './retry.ts';
import type { BusTimers } from './timers.ts';
import { Upkeep } from './upkeep.ts';

/** Events that are routed in one transaction. */
const PAGE = 200;
/** Milliseconds of rest after the ledger has refused something. */
const REST = { first: 1_000, longest: 30_000 };

export interface DispatcherParts {
  readonly bus: Bus;
  readonly timers: BusTimers;
  readonly reports: Pick<GatewayReports, 'delivery'>;
  readonly log: Log;
  readonly patience?: Patience;
}

/**
 * Brings events to their handlers: routes what came in, hands it over, tries again, gives up. Works in turns while there
 * is something to do, and sleeps until it is woken or the next attempt falls due. All it knows is in the ledger: killed
 * at any moment and started again, it goes on, and what was under way comes a second time.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #upkeep: Upkeep;
  readonly #runs = new Map<number, HandlerRun>();
  /** Who gets events, and what the bus calls them. */
  #targets: ReadonlyMap<EventHandler, number> = new Map();
  #settled: Settlement[] = [];
  #state: 'new' | 'running' | 'stopping' = 'new';
  #scheduled = false;
  /** Whether there may be events that are not routed. */
  #unrouted = true;
  #resting = 0;
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #onIdle: () => void = () => undefined;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#upkeep = new Upkeep(parts.bus, parts.timers);
  }

  /**
   * Who gets events from now on: always all of them, before `start` and whenever a plugin or a webhook came, went or
   * changed. What waits for one that is missing becomes dead letters. @throws ReconcilerError of the ledger.
   */
  setHandlers(handlers: readonly EventHandler[]): void {
    const byKey = new Map(handlers.map((handler) => [handlerKey(handler), handler]));
    const { ids, gone } = this.#parts.bus.enlist([...byKey.keys()]);
    this.#upkeep.bury(gone);
    const known = [...byKey].map(([key, handler]) => [handler, ids.get(key) ?? 0] as const);
    this.#targets = new Map(known);
    const present = new Set(ids.values());
    for (const [id, run] of this.#runs) {
      if (present.has(id)) continue;
      run.abort();
      this.#runs.delete(id);
    }
    for (const [handler, id] of this.#targets) this.#give(id, handler);
    this.wake();
  }

  /** Whether anybody gets such an event: what nobody wants need not be kept. */
  wanted(event: BusEvent): boolean {
    return this.#targetsOf(event).length > 0;
  }

  /** Begins to deliver; what an earlier process left is due at once. */
  start(): void {
    this.#state = 'running';
    this.wake();
  }

  /** Events were kept. Returns at once; how often it is called makes no difference. */
  wake(): void {
    this.#unrouted = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#state !== 'running' || this.#scheduled || this.#parts.timers.now() < this.#resting) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  /**
   * Begins nothing more, waits for what is under way, at most `deadline` milliseconds, ends what is left then, and writes
   * down the results. What was ended so is pending still.
   */
  async stop(deadline: number): Promise<void> {
    this.#state = 'stopping';
    this.#cancelTimer();
    for (const run of this.#runs.values()) run.halt();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      this.#checkIdle();
    });
    const cancel = this.#parts.timers.after(deadline, () => {
      for (const run of this.#runs.values()) run.abort();
    });
    await idle;
    cancel();
    try {
      this.#flush();
    } catch (error) {
      this.#parts.log.error('deliveries cannot be written down, and are made again', { error });
    }
  }

  /**
   * Makes deliveries pending again: named ones, the dead letters of a handler, or whole events, which then go to every
   * handler that wants them now. @throws ReconcilerError 'never' (`no-handler`), and of the ledger.
   */
  async replay(selection: ReplaySelection): Promise<{ readonly replayed: number; readonly skipped: number }> {
    let [replayed, skipped] = [0, 0];
    let after: ReplayCursor | undefined;
    do {
      const page = this.#parts.bus.replay(selection, after, (event) => this.#targetsOf(event));
      replayed += page.replayed;
      skipped += page.skipped;
      after = page.next;
      for (const run of this.#runs.values()) run.touch();
      this.wake();
      await new Promise((resolve) => setImmediate(resolve));
    } while (after !== undefined);
    return { replayed, skipped };
  }

  #give(id: number, handler: EventHandler): void {
    const run = this.#runs.get(id);
    if (run !== undefined) {
      run.handler = handler;
      return;
    }
    const onSettled = (settlement: Settlement): void => {
      this.#settled.push(settlement);
      this.#ended();
    };
    const onReleased = (error?: unknown): void => {
      if (error !== undefined) this.#rest(error);
      this.#ended();
    };
    const { patience = PATIENCE } = this.#parts;
    this.#runs.set(id, new HandlerRun(id, handler, { ...this.#parts, patience, onSettled, onReleased }));
  }

  #ended(): void {
    this.#schedule();
    if (this.#state === 'stopping') setImmediate(() => this.#checkIdle());
  }

  #checkIdle(): void {
    if ([...this.#runs.values()].every((run) => run.active === 0)) this.#onIdle();
  }

  /** One turn: results first, because they free the next of each subject. */
  #turn(): void {
    this.#scheduled = false;
    if (this.#state !== 'running') return;
    try {
      this.#flush();
      const more = [this.#route(), this.#upkeep.turn()].includes(true);
      for (const run of this.#runs.values()) run.fill();
      this.#failures = 0;
      if (more) this.#schedule();
      else this.#sleep();
    } catch (error) {
      this.#rest(error);
    }
  }

  /** @throws ReconcilerError of the ledger; then the results are kept for the next turn. */
  #flush(): void {
    const settled = this.#settled;
    if (settled.length === 0) return;
    this.#parts.bus.settle(settled);
    this.#settled = [];
    for (const { event, handler } of settled) this.#runs.get(handler)?.written(event);
  }

  #route(): boolean {
    if (!this.#unrouted) return false;
    const routed = this.#parts.bus.route(PAGE, (event) => {
      const targets = this.#targetsOf(event);
      for (const id of targets) this.#runs.get(id)?.touch();
      return targets;
    });
    this.#upkeep.routed(routed);
    this.#unrouted = routed === PAGE;
    return this.#unrouted;
  }

  #targetsOf(event: BusEvent): readonly number[] {
    return [...this.#targets].filter(([handler]) => this.#wants(handler, event)).map(([, id]) => id);
  }

  #wants(handler: EventHandler, event: BusEvent): boolean {
    try {
      return handler.wants(event);
    } catch (error) {
      this.#parts.log.error('handler cannot tell which events it wants', { handler: handlerKey(handler), error });
      return true;
    }
  }

  /** Until the next attempt falls due. */
  #sleep(): void {
    const { timers } = this.#parts;
    const next = Math.min(this.#upkeep.next, ...[...this.#runs.values()].map((run) => run.nextLook));
    this.#cancelTimer();
    this.#cancelTimer = timers.after(Math.max(0, next - timers.now()), () => this.#schedule());
  }

  /** The ledger refused something, such as when the disk is full: nothing is lost, and there is no point in hurrying. */
  #rest(error: unknown): void {
    const { timers, log } = this.#parts;
    this.#failures++;
    const pause = Math.min(REST.longest, REST.first * 2 ** Math.min(this.#failures - 1, 10));
    log.error('events cannot be moved on', { error, retryInMilliseconds: pause });
    this.#resting = timers.now() + pause;
    this.#cancelTimer();
    this.#cancelTimer = timers.after(pause, () => {
      this.#resting = 0;
      this.#schedule();
    });
  }
}
