import { messageOf, ReconcilerError } from '../../errors.ts';
import type { Bus } from '../../ledger/bus.ts';
import type { Accepted, BusEvent } from '../../ledger/bus-event.ts';
import type { Intake } from '../parts.ts';

/** Bytes of an event's data as JSON. */
export const LARGEST_EVENT = 256 * 1024;
/** Milliseconds after which somebody who was put off may try again. */
const PUT_OFF = 10_000;
/** Most that goes into one transaction: the loop serves others in between. */
const MOST_EVENTS = 1000;
const MOST_BYTES = 8 * 1024 * 1024;
const LONGEST_ID = 200;
const LONGEST_NAME = 500;

export interface IntakeParts {
  readonly bus: Bus;
  /** Called when events are kept that wait to be routed. */
  readonly onStored: () => void;
}

interface Waiting {
  readonly event: BusEvent;
  readonly size: number;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The way onto the bus. All events that are handed in during one turn of the loop are kept in one transaction, so that
 * the cost of reaching the disk is shared; while it is written, the next ones gather. Who hands them in tells what came of
 * them: it knows from whom they are.
 */
export class BusIntake implements Intake {
  readonly #parts: IntakeParts;
  #waiting: Waiting[] = [];
  #scheduled = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /**
   * @throws ReconcilerError 'never' (`event-invalid`, `event-too-large`), 'backoff' (`bus-full`, with retryAfter), and what
   *   the ledger says (`ledger-full`, …): then the event is not kept.
   */
  async accept(event: BusEvent): Promise<Accepted> {
    const size = sizeOf(event);
    return await new Promise<Accepted>((resolve, reject) => {
      this.#waiting.push({ event, size, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#keep());
  }

  #keep(): void {
    this.#scheduled = false;
    const batch = this.#nextBatch();
    if (this.#waiting.length > 0) this.#schedule();
    try {
      const fitting = this.#turnAway(batch);
      const results = fitting.length === 0 ? [] : this.#parts.bus.append(fitting.map(({ event }) => event));
      for (const [index, { resolve }] of fitting.entries()) resolve(results[index] ?? 'stored');
      if (results.includes('stored')) this.#parts.onStored();
    } catch (error) {
      // Those that were turned away before are settled already: rejecting them again does nothing.
      for (const { reject } of batch) reject(error);
    }
  }

  #nextBatch(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#waiting) {
      if (count > 0 && (count >= MOST_EVENTS || bytes + size > MOST_BYTES)) break;
      bytes += size;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Rejects what there is no room for. @returns the rest. */
  #turnAway(batch: readonly Waiting[]): readonly Waiting[] {
    const { bus } = this.#parts;
    const { pending, bytes } = bus.standing();
    let room = { events: bus.limits.pending - pending, bytes: bus.limits.bytes - bytes };
    return batch.filter(({ size, reject }) => {
      const fits = room.events > 0 && room.bytes >= size;
      if (fits) room = { events: room.events - 1, bytes: room.bytes - size };
      else reject(full(pending, bytes));
      return fits;
    });
  }
}

function full(pending: number, bytes: number): ReconcilerError {
  const megabytes = Math.round(bytes / 1_000_000);
  return new ReconcilerError(
    `The event was not taken: ${pending} events wait to be handled, and ${megabytes} MB are kept, which is all there is room for.`,
    'backoff',
    {
      code: 'bus-full',
      retryAfter: PUT_OFF,
      remedy: 'Send it again later; look which handler does not keep up.',
    },
  );
}

/** @returns the bytes of what would be kept. @throws ReconcilerError as `accept`. */
function sizeOf(event: BusEvent): number {
  check('id', event.id, LONGEST_ID);
  check('source', event.source, LONGEST_NAME);
  check('type', event.type, LONGEST_NAME);
  check('platform', event.platform, LONGEST_NAME);
  if (event.subject !== undefined) check('subject', event.subject, LONGEST_NAME);
  if (!Number.isFinite(event.time)) throw invalid('time', 'is not a time');
  const size = Buffer.byteLength(textOf(event));
  if (size > LARGEST_EVENT) {
    throw new ReconcilerError(`The event's data has ${size} bytes, more than ${LARGEST_EVENT}.`, 'never', {
      code: 'event-too-large',
      remedy: 'Send a reference to what is large, not the thing itself.',
    });
  }
  return size;
}

function textOf(event: BusEvent): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(event.data);
  } catch (error) {
    throw invalid('data', `is not JSON (${messageOf(error)})`);
  }
  if (text === undefined) throw invalid('data', 'is missing');
  return text;
}

function check(field: string, text: string, longest: number): void {
  if (text === '') throw invalid(field, 'is empty');
  if (text.length > longest) throw invalid(field, `is longer than ${longest} characters`);
  if (/\p{Cc}/u.test(text) || !text.isWellFormed()) throw invalid(field, 'has characters that cannot be printed');
}

function invalid(field: string, because: string): ReconcilerError {
  return new ReconcilerError(`The event's ${field} ${because}.`, 'never', {
    code: 'event-invalid',
    remedy: `Send an event with a ${field} that is right.`,
  });
}
