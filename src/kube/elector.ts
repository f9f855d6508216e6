import { LeaseBook } from './lease.ts';
import type { Instant } from './lease.ts';
import type { LeaseStore, Told } from './lease-store.ts';
import type { ObjectWatch } from './watch.ts';
import { LeaseWriter } from './lease-writer.ts';
import type { ElectorTerms } from './lease-writer.ts';

export interface ElectorParts {
  readonly terms: ElectorTerms;
  readonly store: LeaseStore;
  readonly clock: () => Instant;
  /** How long a request to a platform of that shard may take, milliseconds. */
  readonly graceOf: (shard: number) => number;
  /** Requests may begin from now on. */
  readonly onTaken: (shard: number) => void;
  /** They may not any more, whoever writes now. */
  readonly onLost: (shard: number) => void;
  /** Resolves when nothing of the shard is under way any more; nothing new is to begin. @returns whether everything ended by itself. */
  readonly drain: (shard: number) => Promise<boolean>;
  /** Somebody asks for another look. */
  readonly onLook: (what: string) => void;
  readonly onError: (doing: string, error: unknown) => void;
}

/** Takes part in the distribution of shards: keeps the Leases of its own, takes what is free, gives up what is too much. */
export class Elector implements AsyncDisposable {
  readonly #parts: ElectorParts;
  readonly #book: LeaseBook;
  readonly #writer: LeaseWriter;
  readonly #active = new Set<number>();
  readonly #looked = new Map<string, string>();
  readonly #abort = new AbortController();
  #watch: ObjectWatch | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** What the next turn is for, while one is asked for. */
  #asked: 'nothing' | 'look' | 'renew' = 'nothing';
  readonly #draining = new Set<number>();
  #seen = false;
  #leaving = false;
  #timer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;

  constructor(parts: ElectorParts) {
    this.#parts = parts;
    this.#book = new LeaseBook(parts.terms);
    this.#writer = new LeaseWriter({ ...parts, book: this.#book, onRead: (told) => this.#hear(told) });
  }

  /** Whether the Leases have been read: from then on this replica takes part. */
  get seen(): boolean {
    return this.#seen;
  }

  /** `address`: where this replica takes requests that came to another one. */
  start(address?: string): void {
    this.#writer.address = address;
    this.#watch = this.#follow();
    this.#tick();
  }

  /** Whether passes of that shard may run here. */
  holds(shard: number): boolean {
    return this.#active.has(shard) && !this.#draining.has(shard) && this.permit(shard) > 0;
  }

  /** Milliseconds that a request begun now may take; 0 when none may begin. */
  permit(shard: number): number {
    return this.#book.permit(shard, this.#parts.clock());
  }

  /** Who holds it, as far as is known; undefined when nobody does. */
  holderOf(shard: number): { readonly identity: string; readonly address?: string } | undefined {
    const record = this.#book.shard(shard);
    if (record === undefined || record.holder === '') return undefined;
    return { identity: record.holder, ...(record.address === undefined ? {} : { address: record.address }) };
  }

  members(): readonly string[] {
    return this.#book.members(this.#parts.clock());
  }

  /** Has the holder of a shard look at something; resolves when that is written down where it, or whoever follows it, finds it. */
  async ask(shard: number, what: string): Promise<void> {
    const { store, terms } = this.#parts;
    await store.look(store.shardName(shard, terms.shards), what, new Date().toISOString());
  }

  /** Gives everything up: what has ended by itself is free at once, the rest runs out. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    await Promise.all(this.#book.held().map((shard) => this.#giveUp(shard)));
    clearTimeout(this.#timer);
    clearTimeout(this.#wake);
    await this.#turn;
    await this.#writer.removeMember();
    this.#abort.abort(new Error('plumbline stops'));
    await this.#watch?.[Symbol.asyncDispose]();
  }

  #tick(): void {
    const { retry } = this.#parts.terms;
    this.#timer = setTimeout(() => this.#tick(), retry * (0.9 + 0.2 * Math.random()));
    // A turn that hangs renews nothing, and whoever runs passes has to be told in time.
    this.#settle();
    this.#run('renew');
  }

  /** One turn after the other; those that are asked for while one waits are merged with it. */
  #run(what: 'look' | 'renew'): void {
    const waiting = this.#asked !== 'nothing';
    if (this.#asked !== 'renew') this.#asked = what;
    if (waiting) return;
    this.#turn = this.#turn.then(async () => {
      const renewing = this.#asked === 'renew';
      this.#asked = 'nothing';
      try {
        await this.#keep(renewing);
      } catch (error) {
        if (!this.#abort.signal.aborted) this.#parts.onError('keep the Leases', error);
      }
      this.#settle();
    });
  }

  async #keep(renewing: boolean): Promise<void> {
    if (!this.#seen) await this.#readAll();
    const { clock } = this.#parts;
    if (renewing) {
      const { renew } = this.#book.wishes(clock());
      const writes = [...renew.map((shard) => this.#writer.renew(shard)), this.#writer.renewMember()];
      const failed = (await Promise.allSettled(writes)).find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await this.#writer.forgetOld();
    }
    if (this.#leaving) return;
    // What is not followed is read: old news must not keep a shard without a holder.
    if (this.#watch?.sound !== true) await this.#readAll();
    const { take, giveUp } = this.#book.wishes(clock());
    await Promise.all(take.map((shard) => this.#writer.take(shard)));
    if (this.#draining.size === 0) for (const shard of giveUp) void this.#giveUp(shard);
    this.#wakeWhenDue();
  }

  /** Tells which shards have come and gone. */
  #settle(): void {
    const { onTaken, onLost } = this.#parts;
    for (const shard of this.#active) {
      if (this.permit(shard) > 0) continue;
      this.#active.delete(shard);
      onLost(shard);
    }
    for (const shard of this.#book.held()) {
      if (this.#active.has(shard) || this.permit(shard) <= 0) continue;
      this.#active.add(shard);
      onTaken(shard);
    }
  }

  /** Lets what runs end, then frees the shard. Never throws. */
  async #giveUp(shard: number): Promise<void> {
    const { store, terms, drain, onLost, onError } = this.#parts;
    if (this.#draining.has(shard)) return;
    this.#draining.add(shard);
    try {
      const ended = await drain(shard);
      this.#book.close(shard);
      if (this.#active.delete(shard)) onLost(shard);
      // What was broken off may still arrive at the platform: the next holder waits until it cannot any more.
      if (!ended) return;
      const record = this.#book.record(store.shardName(shard, terms.shards));
      if (record?.holder === terms.identity) await this.#writer.release(record);
    } catch (error) {
      onError('release a Lease', error);
    } finally {
      this.#draining.delete(shard);
    }
  }

  async #readAll(): Promise<string> {
    const version = await this.#writer.readAll(this.#abort.signal);
    this.#seen = true;
    return version;
  }

  /** Every change of a Lease, as it comes. */
  #follow(): ObjectWatch {
    const { store, terms, onError } = this.#parts;
    return store.watch(
      (told, gone) => {
        if (gone) this.#book.vanished(told.record.name, '');
        else this.#writer.observe(told);
        if (gone || told.record.holder !== terms.identity) this.#run('look');
      },
      (error) => onError('watch the Leases', error),
    );
  }

  /** Those who ask for another look: the next renewal takes their wish off the Lease, since by then it is in the queue. */
  #hear({ record, looks }: Told): void {
    if (record.holder !== this.#parts.terms.identity || !this.#active.has(record.shard ?? -1)) return;
    for (const [what, at] of looks) {
      if (this.#looked.get(what) === at) continue;
      this.#looked.set(what, at);
      this.#parts.onLook(what);
    }
  }

  /** A Lease that runs out tells nobody: the next look is due when the first of them does. */
  #wakeWhenDue(): void {
    clearTimeout(this.#wake);
    const due = this.#book.nextDue(this.#parts.clock());
    if (due !== undefined) this.#wake = setTimeout(() => this.#run('look'), Math.max(20, due));
  }
}
