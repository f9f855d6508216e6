import type { Audit, AuditRecord } from '../../ledger/audit.ts';
import type { Log } from '../../report/log.ts';

/** Milliseconds between two writes. */
const EVERY = 1000;
/** Calls that are kept in memory; equal refused ones are one. */
const MOST_CALLS = 2000;
const MOST_REFUSED = 500;
/** Address under which refused calls are counted that there is no room for one by one. */
const OTHERS = 'others';

/**
 * Collects records of calls and writes them together. Refused calls that are equal but for the time become one record
 * with a count, and beyond a bound all become one: a flood costs a bounded number of rows per second, and no call that was
 * let in is lost to it. What a killed process had collected, a second's worth, is lost.
 */
export class AuditTrail {
  readonly #audit: Pick<Audit, 'add'>;
  readonly #log: Log;
  #calls: AuditRecord[] = [];
  #refused = new Map<string, AuditRecord>();
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(audit: Pick<Audit, 'add'>, log: Log) {
    this.#audit = audit;
    this.#log = log;
  }

  add(record: AuditRecord): void {
    if (record.refused) this.#addRefused(record);
    else this.#calls.push(record);
    if (this.#calls.length >= MOST_CALLS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), EVERY).unref();
  }

  /** Writes what was collected. Never throws: a call that was answered cannot be taken back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = [...this.#calls, ...this.#refused.values()].sort((a, b) => a.at - b.at);
    this.#calls = [];
    this.#refused = new Map();
    try {
      this.#audit.add(records);
      this.#failing = false;
    } catch (error) {
      this.#log[this.#failing ? 'debug' : 'error']('calls not audited', { calls: records.length, error });
      this.#failing = true;
    }
  }

  #addRefused(record: AuditRecord): void {
    const known = this.#refused.get(sameness(record));
    const kept = known === undefined && this.#refused.size >= MOST_REFUSED ? withoutWho(record) : record;
    const name = sameness(kept);
    const times = (this.#refused.get(name)?.times ?? 0) + record.times;
    this.#refused.set(name, { ...kept, times });
  }
}

function sameness({ at: _at, times: _times, ...rest }: AuditRecord): string {
  return JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutWho({ at, refused, times }: AuditRecord): AuditRecord {
  return { at, refused, times, method: '*', route: '*', status: 0, address: OTHERS };
}
