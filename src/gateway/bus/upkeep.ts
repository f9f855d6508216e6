import type { Bus } from '../../ledger/bus.ts';
import type { BusTimers } from './timers.ts';

/** Deliveries that are given up in one transaction, and events routed after which there may be old ones to drop. */
const PAGE = 200;
/** Milliseconds between looks for what need not be kept any longer, when little happens. */
const INTERVAL = 60_000;
const GONE = 'There is no such handler any more: it was removed or switched off.';

/** What the dispatcher does besides delivering, a little each turn: gives up what nobody takes, drops what is old. */
export class Upkeep {
  readonly #bus: Bus;
  readonly #timers: BusTimers;
  #gone: readonly number[] = [];
  #routed = 0;
  #next = 0;

  constructor(bus: Bus, timers: BusTimers) {
    this.#bus = bus;
    this.#timers = timers;
  }

  /** When it is to be looked at again although nothing happened, milliseconds since 1970. */
  get next(): number {
    return this.#next;
  }

  /** Handlers that are no more; what waits for them becomes dead letters. */
  bury(gone: readonly number[]): void {
    this.#gone = gone;
  }

  routed(events: number): void {
    this.#routed += events;
  }

  /** @returns whether more is to be done now. @throws ReconcilerError of the ledger. */
  turn(): boolean {
    const buried = this.#buryPage();
    return this.#prune() || buried;
  }

  #buryPage(): boolean {
    const [handler, ...rest] = this.#gone;
    if (handler === undefined) return false;
    if (!this.#bus.bury(handler, GONE, PAGE)) this.#gone = rest;
    return this.#gone.length > 0;
  }

  #prune(): boolean {
    const now = this.#timers.now();
    if (this.#routed < PAGE && now < this.#next) return false;
    const more = this.#bus.prune();
    if (!more) {
      this.#routed = 0;
      this.#next = now + INTERVAL;
    }
    return more;
  }
}
