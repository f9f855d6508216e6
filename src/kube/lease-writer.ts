import { isClusterError } from './failure.ts';
import { atLeast } from './lease.ts';
import type { Instant, LeaseBook, LeaseRecord } from './lease.ts';
import type { LeaseStore, Told } from './lease-store.ts';

/** How the Leases are kept; milliseconds. */
export interface ElectorTerms {
  /** Unlike that of any other process, past ones included. */
  readonly identity: string;
  readonly shards: number;
  /** How long requests may begin after a renewal. */
  readonly duration: number;
  /** Between two renewals, and between two tries. */
  readonly retry: number;
  /** Takes whatever is free, and is not counted by others. */
  readonly guest?: boolean;
}

export interface LeaseWriterParts {
  readonly terms: ElectorTerms;
  readonly store: LeaseStore;
  readonly book: LeaseBook;
  readonly clock: () => Instant;
  /** How long a request to a platform of that shard may take, milliseconds. */
  readonly graceOf: (shard: number) => number;
  /** Told of every Lease that was read. */
  readonly onRead: (told: Told) => void;
}

/** A replica that has not been heard of for so many times its duration left no trace worth keeping. */
const FORGOTTEN_AFTER = 20;
/** Tries of a write that others' annotations get in the way of. */
const TRIES = 4;

/** Writes Leases, and keeps the book of what came of it. */
export class LeaseWriter {
  readonly #parts: LeaseWriterParts;
  /** Where this replica takes requests that came to another one. */
  address: string | undefined;

  constructor(parts: LeaseWriterParts) {
    this.#parts = parts;
  }

  async take(shard: number): Promise<void> {
    const { store, terms, clock, graceOf } = this.#parts;
    const name = store.shardName(shard, terms.shards);
    const before = this.#parts.book.record(name);
    this.#parts.book.forget(shard);
    const sentAt = clock();
    const transitions = before === undefined ? 0 : before.transitions + 1;
    const wanted = { ...this.#recordOf(name, before, graceOf(shard)), shard, transitions };
    try {
      const { record } = await store.write(wanted, { timeout: this.#patience(), acquired: true });
      await this.#confirm(record, sentAt);
    } catch (error) {
      if (!isClusterError(error, 'cluster-conflict')) throw error;
      await this.readAll();
    }
  }

  /**
   * What was written holds from now on. Replicas that split the platforms in another way write other Leases, so before the first
   * request all of them are read: of two such replicas, at least one sees the other here.
   * So it is with a renewal that came too late: others may have taken their own meanwhile, and no version tells.
   */
  async #confirm(record: LeaseRecord, sentAt: Instant): Promise<void> {
    const { clock, book } = this.#parts;
    const { shard } = record;
    if (shard !== undefined && book.permit(shard, clock()) <= 0) {
      await this.readAll();
      // What was begun before it ran out may be on its way still: then it is not free at once, but runs out again.
      if (book.splitOtherwise(clock())) return book.held().includes(shard) ? book.close(shard) : this.release(record);
    }
    book.holds(record, sentAt, clock());
  }

  async renew(shard: number): Promise<void> {
    const { store, terms, graceOf } = this.#parts;
    await this.#write(store.shardName(shard, terms.shards), graceOf(shard), { shard });
  }

  renewMember(): Promise<void> {
    const { store, terms } = this.#parts;
    if (terms.guest === true) return Promise.resolve();
    return this.#write(store.memberName(terms.identity), 0, {});
  }

  /** Renews a Lease; one that somebody has annotated meanwhile is read first. */
  async #write(name: string, grace: number, shard: { readonly shard?: number }): Promise<void> {
    const { store, terms, clock } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      const before = this.#parts.book.record(name);
      const sentAt = clock();
      try {
        const wanted = { ...this.#recordOf(name, before, grace), ...shard };
        const { record } = await store.write(wanted, { timeout: this.#patience() });
        return await this.#confirm(record, sentAt);
      } catch (error) {
        if (
          attempt >= TRIES ||
          !(isClusterError(error, 'cluster-conflict') || isClusterError(error, 'cluster-not-found'))
        )
          throw error;
        const told = await store.get(name);
        if (told === undefined) this.#parts.book.vanished(name, before?.version ?? '');
        else this.observe(told);
        // Somebody else's, or nobody's: to be taken, not renewed.
        if (shard.shard !== undefined && told?.record.holder !== terms.identity) return;
      }
    }
  }

  async release(record: LeaseRecord, attempt = 1): Promise<void> {
    const { store, clock, terms } = this.#parts;
    try {
      const told = await store.write({ ...record, holder: '' }, { timeout: this.#patience() });
      this.#parts.book.released(told.record, clock());
    } catch (error) {
      if (!isClusterError(error, 'cluster-conflict') || attempt >= TRIES) throw error;
      const told = await store.get(record.name);
      if (told === undefined) return;
      if (told.record.holder === terms.identity) return this.release(told.record, attempt + 1);
      this.observe(told);
    }
  }

  async removeMember(): Promise<void> {
    const { store, terms } = this.#parts;
    const record = this.#parts.book.record(store.memberName(terms.identity));
    if (record !== undefined) await store.remove(record).catch(() => undefined);
  }

  /** Leases of replicas that died without saying so. */
  async forgetOld(): Promise<void> {
    const { store, terms, clock } = this.#parts;
    for (const { record, since } of this.#parts.book.replicas()) {
      if (atLeast(since, clock()) < record.duration * FORGOTTEN_AFTER || record.holder === terms.identity) continue;
      await store.remove(record).catch(() => undefined);
      this.#parts.book.vanished(record.name, record.version);
    }
  }

  async readAll(signal?: AbortSignal): Promise<string> {
    const { told, version } = await this.#parts.store.list(signal);
    this.#parts.book.observeAll(
      told.map(({ record }) => record),
      version,
      this.#parts.clock(),
    );
    for (const one of told) this.#parts.onRead(one);
    return version;
  }

  #recordOf(name: string, before: LeaseRecord | undefined, grace: number): LeaseRecord {
    const { terms } = this.#parts;
    const { identity: holder, shards: of, duration } = terms;
    const { address } = this;
    return {
      name,
      of,
      holder,
      ...(address === undefined ? {} : { address }),
      duration,
      grace,
      renewed: '',
      version: before?.version ?? '',
      transitions: before?.transitions ?? 0,
    };
  }

  /** Milliseconds that one request to the API server may take. */
  #patience(): number {
    return Math.max(500, Math.min(8_000, Math.round(this.#parts.terms.duration / 3)));
  }

  observe(told: Told): void {
    this.#parts.book.observe(told.record, this.#parts.clock());
    this.#parts.onRead(told);
  }
}
