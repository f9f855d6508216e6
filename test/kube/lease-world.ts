import { LeaseBook } from '../../src/kube/lease.ts';
import type { Instant, LeaseRecord } from '../../src/kube/lease.ts';

export const DURATION = 1_000;
export const GRACE = 300;

/** Something that happens to one replica, `after` milliseconds after the happening before it. */
export type Happening = { readonly after: number; readonly who: number } & (
  | { readonly what: 'tick'; readonly there: number; readonly back: number; readonly lost: 'no' | 'way' | 'answer' }
  | { readonly what: 'request'; readonly shard: number; readonly lasts: number }
  | { readonly what: 'pause'; readonly lasts: number }
  | { readonly what: 'set-clock'; readonly by: number }
  | { readonly what: 'crash' }
  | { readonly what: 'release'; readonly shard: number }
);

interface Window {
  readonly who: number;
  readonly shard: number;
  readonly of: number;
  readonly from: number;
  readonly to: number;
}

interface Replica {
  readonly who: number;
  readonly of: number;
  book: LeaseBook;
  life: number;
  wall: number;
  pausedUntil: number;
}

/** Replicas with clocks of their own and one server, on a timeline that a test draws by chance. */
export class LeaseWorld {
  readonly windows: Window[] = [];
  readonly #replicas: readonly Replica[];
  readonly #records = new Map<string, LeaseRecord>();
  readonly #queue: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #now = 0;
  #count = 0;
  #order = 0;

  /** How many shards each replica believes in. */
  constructor(shards: readonly number[]) {
    this.#replicas = shards.map((of, who) => ({
      who,
      of,
      book: bookOf(who, 0, of),
      life: 0,
      wall: who * 1_000_000,
      pausedUntil: 0,
    }));
  }

  run(happenings: readonly Happening[]): void {
    let at = 0;
    for (const happening of happenings) {
      at += happening.after;
      const replica = this.#replicas[happening.who % this.#replicas.length];
      if (replica !== undefined) this.#at(at, () => this.#happen(replica, happening));
    }
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
  }

  /** Pairs of windows in which two replicas were free to write to one platform. */
  overlaps(): readonly (readonly [Window, Window])[] {
    return this.windows.flatMap((one, index) =>
      this.windows.slice(index + 1).flatMap((other) => {
        const same = one.of === other.of ? one.shard === other.shard : true;
        const apart = one.to <= other.from || other.to <= one.from;
        return one.who !== other.who && same && !apart ? [[one, other] as const] : [];
      }),
    );
  }

  #happen(replica: Replica, happening: Happening): void {
    if (happening.what === 'crash') {
      replica.life += 1;
      replica.book = bookOf(replica.who, replica.life, replica.of);
      return;
    }
    if (happening.what === 'set-clock') replica.wall += happening.by;
    else if (happening.what === 'pause')
      replica.pausedUntil = Math.max(replica.pausedUntil, this.#now + happening.lasts);
    else this.#awake(replica, () => this.#act(replica, happening));
  }

  #act(replica: Replica, happening: Happening): void {
    if (happening.what === 'request') this.#request(replica, happening.shard, happening.lasts);
    else if (happening.what === 'tick') this.#tick(replica, happening);
    else if (happening.what === 'release') this.#release(replica, happening.shard);
  }

  #request(replica: Replica, wanted: number, lasts: number): void {
    const shard = wanted % replica.of;
    const permit = replica.book.permit(shard, this.#clock(replica));
    if (permit <= 0) return;
    const to = this.#now + Math.min(lasts, permit);
    this.windows.push({ who: replica.who, shard, of: replica.of, from: this.#now, to });
  }

  #tick(replica: Replica, how: Extract<Happening, { what: 'tick' }>): void {
    this.#list(replica, how, () => {
      const { take, renew } = replica.book.wishes(this.#clock(replica));
      this.#write(replica, how, undefined);
      for (const shard of take) replica.book.forget(shard);
      for (const shard of [...take, ...renew]) this.#write(replica, how, shard);
    });
  }

  #list(replica: Replica, how: { there: number; back: number }, then: () => void): void {
    const { life } = replica;
    this.#at(this.#now + how.there, () => {
      const records = [...this.#records.values()];
      const version = String(this.#count);
      this.#at(this.#now + how.back, () =>
        this.#awake(replica, () => {
          if (replica.life !== life) return;
          replica.book.observeAll(records, version, this.#clock(replica));
          then();
        }),
      );
    });
  }

  #write(replica: Replica, how: Extract<Happening, { what: 'tick' }>, shard: number | undefined): void {
    const { life } = replica;
    const name = shard === undefined ? `replica-${replica.who}` : `${shard}-of-${replica.of}`;
    const before = replica.book.record(name);
    const holder = identity(replica.who, life);
    const record = recordOf({ name, shard, of: replica.of, holder }, before?.version ?? '');
    const sentAt = this.#clock(replica);
    if (how.lost === 'way') return;
    this.#at(this.#now + how.there, () => {
      const written = this.#store(record);
      if (written === undefined || how.lost === 'answer') return;
      this.#at(this.#now + how.back, () =>
        this.#awake(replica, () => {
          if (replica.life === life) this.#confirm(replica, { how, written, sentAt });
        }),
      );
    });
  }

  /** As the elector does: what is taken is looked at once more before the first request. */
  #confirm(
    replica: Replica,
    {
      how,
      written,
      sentAt,
    }: { readonly how: { there: number; back: number }; readonly written: LeaseRecord; readonly sentAt: Instant },
  ): void {
    const { book } = replica;
    const { shard } = written;
    if (shard === undefined || book.permit(shard, this.#clock(replica)) > 0)
      return book.holds(written, sentAt, this.#clock(replica));
    this.#list(replica, how, () => {
      if (!book.splitOtherwise(this.#clock(replica))) book.holds(written, sentAt, this.#clock(replica));
      else if (book.held().includes(shard)) book.close(shard);
      else this.#store({ ...written, holder: '' });
    });
  }

  #release(replica: Replica, wanted: number): void {
    const shard = wanted % replica.of;
    if (!replica.book.held().includes(shard)) return;
    // What was begun has to end before.
    if (this.windows.some(({ who, to, ...one }) => who === replica.who && one.shard === shard && to > this.#now))
      return;
    replica.book.close(shard);
    const record = replica.book.shard(shard);
    const written = record === undefined ? undefined : this.#store({ ...record, holder: '' });
    if (written !== undefined) replica.book.released(written, this.#clock(replica));
  }

  /** The server: a write that expects another version is refused. */
  #store(record: LeaseRecord): LeaseRecord | undefined {
    if ((this.#records.get(record.name)?.version ?? '') !== record.version) return undefined;
    this.#count += 1;
    const written = { ...record, version: String(this.#count), renewed: String(this.#count) };
    this.#records.set(record.name, written);
    return written;
  }

  #clock({ wall }: Replica): Instant {
    return { monotonic: this.#now, wall: this.#now + wall };
  }

  #awake(replica: Replica, run: () => void): void {
    if (replica.pausedUntil > this.#now) this.#at(replica.pausedUntil, () => this.#awake(replica, run));
    else run();
  }

  #at(at: number, run: () => void): void {
    this.#order += 1;
    this.#queue.push({ at, order: this.#order, run });
  }

  #next(): { readonly at: number; readonly run: () => void } | undefined {
    this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
    return this.#queue.shift();
  }
}

export function identity(who: number, life = 0): string {
  return `replica-${who}.${life}`;
}

export function bookOf(who: number, life: number, shards: number): LeaseBook {
  return new LeaseBook({ identity: identity(who, life), shards, duration: DURATION });
}

export function recordOf(
  what: { readonly name: string; readonly shard?: number | undefined; readonly of: number; readonly holder: string },
  version: string,
): LeaseRecord {
  const { name, shard, of, holder } = what;
  const rest = { duration: DURATION, grace: GRACE, renewed: version, version, transitions: 0 };
  return { name, of, holder, ...rest, ...(shard === undefined ? {} : { shard }) };
}
