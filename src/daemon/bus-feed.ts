import { ReconcilerError } from '../errors.ts';
import { contentHash } from '../manifest/canonical.ts';
import type { Execution } from '../drivers/driver.ts';
import type { BusEvent } from '../ledger/bus-event.ts';
import type { LedgerEvent } from '../ledger/events.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Log } from '../report/log.ts';
import type { SeenRun } from './executions.ts';

export interface BusFeedParts {
  readonly ledger: Ledger;
  readonly log: Log;
  /** Puts an event on the bus, durably. */
  readonly accept: (event: BusEvent) => Promise<unknown>;
  /** Whether anybody would get it: what nobody wants is not written down a second time. */
  readonly wanted: (event: BusEvent) => boolean;
}

const CURSOR = 'bus/events';
const PAGE = 200;

/**
 * Puts what Plumbline itself has to tell on the bus: what passes did and found, and how workflows ran. The events of
 * passes are in the ledger already; the cursor behind them moves once the bus has them, so that a crash in between hands
 * them on again, under the same ids.
 */
export class BusFeed {
  readonly #parts: BusFeedParts;
  #turn: Promise<void> = Promise.resolve();
  #waiting = false;

  constructor(parts: BusFeedParts) {
    this.#parts = parts;
    const { ledger } = parts;
    // What happened before anybody could listen is history.
    if (ledger.cursor(CURSOR) === undefined) ledger.setCursor(CURSOR, String(ledger.events({ limit: 1 })[0]?.id ?? 0));
  }

  /** Hands on what the ledger's events say since the last time. Returns at once; calls merge. */
  passEnded(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#turn = this.#turn.then(async () => {
      this.#waiting = false;
      await this.#catchUp();
    });
  }

  /** Resolves when what was handed over so far is on the bus, or could not be. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** @throws ReconcilerError when the bus cannot take them: then they have to be told again. */
  async runsSeen(platform: string, runs: readonly SeenRun[]): Promise<void> {
    const events = runs.flatMap(({ execution, name }) => {
      const event = name === undefined ? undefined : runEvent(platform, name, execution);
      return event === undefined || !this.#parts.wanted(event) ? [] : [event];
    });
    await Promise.all(events.map((event) => this.#take(event)));
  }

  /** What the bus will never take is told and left out: nothing behind it may wait for it. */
  async #take(event: BusEvent): Promise<void> {
    const { accept, log } = this.#parts;
    try {
      await accept(event);
    } catch (error) {
      if (!(error instanceof ReconcilerError) || error.code?.startsWith('event-') !== true) throw error;
      log.error('event left out', { source: event.source, type: event.type, subject: event.subject, error });
    }
  }

  async #catchUp(): Promise<void> {
    const { ledger, log, wanted } = this.#parts;
    try {
      for (;;) {
        const after = Number(ledger.cursor(CURSOR) ?? 0);
        const page = ledger.events({ after, limit: PAGE });
        const last = page.at(-1);
        if (last === undefined) return;
        const events = page.flatMap((event) => passEvent(event) ?? []).filter(wanted);
        await Promise.all(events.map((event) => this.#take(event)));
        ledger.setCursor(CURSOR, String(last.id));
      }
    } catch (error) {
      // The next pass, or the next start, goes on at the cursor.
      log.warn('events of passes not on the bus yet', { error });
    }
  }
}

/** What a pass told, as an event: field paths, never values (law 9). */
function passEvent(event: LedgerEvent & { readonly id: number }): BusEvent | undefined {
  const { id, at, type, sync, platform, key, message, paths } = event;
  if (sync === undefined || platform === undefined) return undefined;
  return {
    // The time too: a ledger that was lost counts from 1 again, and receivers know what they have seen by its id.
    id: `event-${id}-${at}`,
    source: `syncs/${sync}`,
    type: `reconcile.${type}`,
    subject: key ?? `Sync/${sync}`,
    time: at,
    platform,
    data: { sync, platform, message, ...(key === undefined ? {} : { key }), ...(paths === undefined ? {} : { paths }) },
  };
}

/** How a run of a governed workflow ended. What the platform says of an error is not in it: that is data of the workflow. */
function runEvent(platform: string, workflow: string, execution: Execution): BusEvent | undefined {
  const { id, status, startedAt, endedAt, correlation } = execution;
  if (status === 'running') return undefined;
  return {
    id: `execution-${/^[!-~]{1,150}$/.test(id) ? id : contentHash(id)}-${status}`,
    // Not the source of what platforms send: no id of theirs can stand in the way of this one.
    source: `platforms/${platform}/executions`,
    type: status === 'success' ? 'workflow.succeeded' : 'workflow.failed',
    subject: `Workflow/${workflow}`,
    time: endedAt ?? startedAt,
    platform,
    data: {
      workflow,
      execution: id,
      startedAt: new Date(startedAt).toISOString(),
      ...(endedAt === undefined
        ? {}
        : { endedAt: new Date(endedAt).toISOString(), milliseconds: Math.round(endedAt - startedAt) }),
      ...(correlation === undefined ? {} : { correlationId: correlation }),
    },
  };
}
