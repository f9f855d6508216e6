import { ReconcilerError } from '../../errors.ts';
import type { Bus } from '../../ledger/bus.ts';
import type { DueDelivery, Settlement } from '../../ledger/bus-deliveries.ts';
import type { Log } from '../../report/log.ts';
import type { GatewayReports } from '../../report/gateway-report.ts';
import { handlerKey } from './handler.ts';
import type { EventHandler } from './handler.ts';
import { afterFailure } from './retry.ts';
import type { Patience } from './retry.ts';
import type { BusTimers } from './timers.ts';

/** Deliveries of one handler that are under way at a time, each of another subject. */
const UNDER_WAY = 4;
/** Deliveries that are looked up at once; only their numbers are held. */
const PAGE = 64;
/** Milliseconds after which a handler that neither takes nor refuses an event has failed. */
const LONGEST_ATTEMPT = 60_000;

export interface RunParts {
  readonly bus: Bus;
  readonly timers: BusTimers;
  readonly reports: Pick<GatewayReports, 'delivery'>;
  readonly log: Log;
  readonly patience: Patience;
  /** Told what came of an attempt; it stays with the run until `written`. */
  readonly onSettled: (settlement: Settlement) => void;
  /** Told that an attempt has ended without a result, and of an error of the ledger if that was why. */
  readonly onReleased: (error?: unknown) => void;
}

/** What one handler has under way: it has its own queue and its own four, so that nobody waits for another's receiver. */
export class HandlerRun {
  readonly #id: number;
  readonly #parts: RunParts;
  #handler: EventHandler;
  #queue: DueDelivery[] = [];
  /** Attempts that have begun and whose result is not written down yet. */
  readonly #begun = new Set<number>();
  readonly #attempts = new Set<AbortController>();
  /** Whether the ledger may hold something that is due and not in the queue. */
  #stale = true;
  /** When the ledger has to be looked at again, milliseconds since 1970. */
  #nextLook = Infinity;
  #halted = false;
  #aborted = false;

  constructor(id: number, handler: EventHandler, parts: RunParts) {
    this.#id = id;
    this.#handler = handler;
    this.#parts = parts;
  }

  get handler(): EventHandler {
    return this.#handler;
  }

  set handler(handler: EventHandler) {
    this.#handler = handler;
  }

  /** Attempts that have not ended. */
  get active(): number {
    return this.#attempts.size;
  }

  get nextLook(): number {
    return this.#nextLook;
  }

  /** Something may have become due. */
  touch(): void {
    this.#stale = true;
  }

  /** The results of attempts are in the ledger. */
  written(event: number): void {
    this.#begun.delete(event);
    this.#stale = true;
  }

  /** Begins nothing any more. */
  halt(): void {
    this.#halted = true;
    this.#queue = [];
    this.#nextLook = Infinity;
  }

  /** Ends what is under way; it counts as not attempted. */
  abort(): void {
    this.halt();
    this.#aborted = true;
    for (const attempt of this.#attempts) attempt.abort();
  }

  /** Begins what is due, as far as there is room. @throws ReconcilerError of the ledger. */
  fill(): void {
    if (this.#halted) return;
    const { bus, timers } = this.#parts;
    if (this.#nextLook <= timers.now()) this.#stale = true;
    if (this.#stale && this.#queue.length === 0) {
      const most = PAGE + this.#begun.size;
      const due = bus.due(this.#id, most);
      this.#queue = due.filter(({ event }) => !this.#begun.has(event));
      this.#stale = due.length === most;
      this.#nextLook = bus.nextDue(this.#id) ?? Infinity;
    }
    this.#begin();
  }

  #begin(): void {
    while (this.#attempts.size < UNDER_WAY && !this.#halted) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#begun.add(next.event);
      const attempt = new AbortController();
      this.#attempts.add(attempt);
      void this.#deliver(next, attempt);
    }
  }

  async #deliver(due: DueDelivery, attempt: AbortController): Promise<void> {
    const { timers, onSettled, onReleased } = this.#parts;
    const began = timers.now();
    try {
      const settlement = await this.#attempt(due, attempt);
      if (settlement.outcome !== 'done' && this.#aborted) {
        this.#begun.delete(due.event);
        onReleased();
      } else {
        this.#tell(due, settlement, (timers.now() - began) / 1000);
        onSettled(settlement);
      }
    } catch (error) {
      this.#begun.delete(due.event);
      this.#stale = true;
      onReleased(error);
    } finally {
      this.#attempts.delete(attempt);
      this.#begin();
    }
  }

  /** @throws ReconcilerError of the ledger; what the handler throws is a result. */
  async #attempt(due: DueDelivery, attempt: AbortController): Promise<Settlement> {
    const { bus, timers, patience } = this.#parts;
    const { event: seq, handler } = due;
    const event = bus.event(seq);
    if (event === undefined) return { event: seq, handler, outcome: 'dead', error: 'The event is not kept any more.' };
    const stop = timers.after(LONGEST_ATTEMPT, () => attempt.abort());
    try {
      await Promise.race([this.#handler.handle(event, attempt.signal), aborted(attempt.signal)]);
      return { event: seq, handler, outcome: 'done' };
    } catch (error) {
      return afterFailure(due, error, { now: timers.now(), random: timers.random(), patience });
    } finally {
      stop();
    }
  }

  #tell({ event, attempts }: DueDelivery, settlement: Settlement, seconds: number): void {
    const { reports, log } = this.#parts;
    const { kind, name } = this.#handler;
    const { outcome } = settlement;
    reports.delivery(kind, name, outcome === 'done' ? 'delivered' : outcome, seconds);
    if (settlement.outcome === 'done') return;
    const fields = { handler: handlerKey(this.#handler), event, attempt: attempts + 1, because: settlement.error };
    if (settlement.outcome === 'dead') log.warn('event given up', fields);
    else log.debug('event not delivered', { ...fields, nextAt: new Date(settlement.nextAt).toISOString() });
  }
}

/** Rejects when the signal fires: a handler may ignore it. */
async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const refuse = (): void =>
      reject(new ReconcilerError('The handler did not end in time.', 'backoff', { code: 'handler-timeout' }));
    signal.addEventListener('abort', refuse, { once: true });
  });
}
