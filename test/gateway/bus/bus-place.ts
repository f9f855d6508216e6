import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { Dispatcher } from '../../../src/gateway/bus/dispatcher.ts';
import type { EventHandler } from '../../../src/gateway/bus/handler.ts';
import { BusIntake } from '../../../src/gateway/bus/intake.ts';
import type { BusEvent } from '../../../src/ledger/bus-event.ts';
import type { BusLimits } from '../../../src/ledger/bus-limits.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { createLog } from '../../../src/report/log.ts';
import { ManualTimers } from '../../daemon/manual-timers.ts';

/** A ledger, an intake and a dispatcher, with time that the test moves, and all that they tell. */
export class BusPlace implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'plumbline-bus-'));
  readonly timers = new ManualTimers();
  /** `<kind>/<name> <result>` of every attempt. */
  readonly told: string[] = [];
  readonly logged: string[] = [];
  ledger: Ledger;
  intake: BusIntake;
  dispatcher: Dispatcher;
  readonly #limits: Partial<BusLimits>;

  constructor(limits: Partial<BusLimits> = {}) {
    this.#limits = limits;
    [this.ledger, this.intake, this.dispatcher] = this.#open();
  }

  /** Everything anew, as after a crash: nothing is told to stop. */
  async reopen(handlers: readonly EventHandler[]): Promise<void> {
    await this.dispatcher.stop(0);
    this.ledger.close();
    [this.ledger, this.intake, this.dispatcher] = this.#open();
    this.dispatcher.setHandlers(handlers);
    this.dispatcher.start();
  }

  start(...handlers: readonly EventHandler[]): void {
    this.dispatcher.setHandlers(handlers);
    this.dispatcher.start();
  }

  async accept(...events: readonly BusEvent[]): Promise<void> {
    await Promise.all(events.map((event) => this.intake.accept(event)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.dispatcher.stop(0);
    this.timers.advance(0);
    await stopped;
    this.ledger.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #open(): [Ledger, BusIntake, Dispatcher] {
    const { timers, told, logged } = this;
    const redact = (text: string): string => text.replaceAll('hunter2', '[secret]');
    const ledger = Ledger.open(this.directory, { now: () => timers.now(), redact, limits: { bus: this.#limits } });
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged.push(chunk.toString());
        done();
      },
    });
    const log = createLog({ level: 'debug', format: 'json', redact, stream });
    const reports = {
      delivery: (kind: string, name: string, result: string) => void told.push(`${kind}/${name} ${result}`),
    };
    const dispatcher = new Dispatcher({ bus: ledger.bus, timers, reports, log });
    const intake = new BusIntake({ bus: ledger.bus, onStored: () => dispatcher.wake() });
    return [ledger, intake, dispatcher];
  }
}

/** A handler that the test governs: by default it takes everything at once. */
export class Taker implements EventHandler {
  readonly kind = 'plugin';
  readonly name: string;
  readonly taken: string[] = [];
  underWay = 0;
  mostUnderWay = 0;
  handling: (event: BusEvent, signal: AbortSignal) => Promise<void> = async () => undefined;
  wanting: (event: BusEvent) => boolean = () => true;

  constructor(name: string) {
    this.name = name;
  }

  wants(event: BusEvent): boolean {
    return this.wanting(event);
  }

  async handle(event: BusEvent, signal: AbortSignal): Promise<void> {
    this.taken.push(event.id);
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    try {
      await this.handling(event, signal);
    } finally {
      this.underWay--;
    }
  }
}

/** Never ends by itself. */
export async function forever(): Promise<void> {
  await new Promise(() => undefined);
}

/** Lets turns of the loop pass until something is so. */
export async function until(what: string, isSo: () => boolean, milliseconds = 20_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await turn();
  }
}

/** Lets everything happen that can happen without time passing. */
export async function quiet(): Promise<void> {
  for (let round = 0; round < 50; round++) await turn();
}
