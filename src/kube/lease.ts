/** A moment, by the monotonic clock and by the wall clock; milliseconds. */
export interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

/**
 * Time that has passed at most. The monotonic clock goes on while the process is stopped (SIGSTOP) but not while the machine
 * sleeps; the wall clock goes on then, but can be set. Whoever may have lost something counts the longer of both.
 */
function atMost(since: Instant, now: Instant): number {
  return Math.max(now.monotonic - since.monotonic, now.wall - since.wall);
}

/** Time that has passed at least: whoever waits for another one's time to be over trusts no clock that can be set. */
export function atLeast(since: Instant, now: Instant): number {
  return now.monotonic - since.monotonic;
}

/** A Lease as this program reads and writes it; times in milliseconds. */
export interface LeaseRecord {
  readonly name: string;
  /** Number of the shard; undefined for the Lease by which a replica tells that it lives. */
  readonly shard?: number;
  /** How many shards there are, as the holder had it. */
  readonly of: number;
  /** Identity of the holder; empty when it was released. */
  readonly holder: string;
  /** Where the holder takes requests, for those who come to another replica. */
  readonly address?: string;
  /** For how long after a renewal the holder may begin requests. */
  readonly duration: number;
  /** For how long after that a request that it began may go on. */
  readonly grace: number;
  /** Whatever changes with every renewal. */
  readonly renewed: string;
  /** resourceVersion: a write that expects another one is refused. */
  readonly version: string;
  readonly transitions: number;
}

export interface Seen {
  readonly record: LeaseRecord;
  /** When this renewal was first seen, by the clock of this process: nobody's clocks are compared. */
  readonly since: Instant;
}

interface Held {
  /** When the renewal that holds was sent. */
  readonly sentAt: Instant;
  readonly duration: number;
  readonly grace: number;
  /** Being given up: no request begins any more. */
  readonly closing: boolean;
}

export interface Wishes {
  readonly take: readonly number[];
  readonly renew: readonly number[];
  /** One at most: whoever has less takes it, and then is counted again. */
  readonly giveUp: readonly number[];
}

export interface LeaseTerms {
  readonly identity: string;
  readonly shards: number;
  /** Milliseconds. */
  readonly duration: number;
  /** Takes whatever is free, and is not counted by others. */
  readonly guest?: boolean;
}

/**
 * What one replica knows of all Leases, and what follows from that. No input or output and no clock of its own: the moments
 * come as arguments.
 *
 *     free ──take──▶ held ──renew──▶ held ──close──▶ closing ──release──▶ free
 *                      └── not renewed in time: no request begins; taken by another after duration + grace
 *     closing and not released (a request may still be on its way, or the server did not answer): free after duration + grace
 *
 * Why windows never overlap: the holder's time counts from before its renewal was sent, that of the others from after they have
 * seen it; the holder begins nothing after `duration`, what it has begun ends within `grace`, and the others wait for both.
 */
export class LeaseBook {
  readonly #terms: LeaseTerms;
  readonly #seen = new Map<string, Seen>();
  readonly #held = new Map<number, Held>();

  constructor(terms: LeaseTerms) {
    this.#terms = terms;
  }

  /** Takes in all Leases as they were read at `version`; `now` is a moment after the reading ended. */
  observeAll(records: readonly LeaseRecord[], version: string, now: Instant): void {
    const names = new Set(records.map(({ name }) => name));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.vanished(name, version);
    for (const record of records) this.observe(record, now);
  }

  /** What comes late, overtaken by an answer to a write of ours, is no news. */
  observe(record: LeaseRecord, now: Instant): void {
    const before = this.#seen.get(record.name);
    if (before !== undefined && isOlder(record.version, before.record.version)) return;
    const renewal = before?.record.holder !== record.holder || before.record.renewed !== record.renewed;
    this.#seen.set(record.name, { record, since: renewal || before === undefined ? now : before.since });
    if (record.holder !== this.#terms.identity) this.#lose(record);
  }

  vanished(name: string, version: string): void {
    const gone = this.#seen.get(name);
    if (gone !== undefined && isOlder(version, gone.record.version)) return;
    this.#seen.delete(name);
    if (gone !== undefined) this.#lose(gone.record);
  }

  /** Shards of another split have the same numbers, and are none of ours. */
  #lose({ shard, of }: LeaseRecord): void {
    if (shard !== undefined && of === this.#terms.shards) this.#held.delete(shard);
  }

  /**
   * A write of ours went through: taken, or renewed. `sentAt` is a moment before it was sent. An answer that comes after the Lease was released,
   * or taken by another, gives nothing back.
   */
  holds(record: LeaseRecord, sentAt: Instant, now: Instant): void {
    this.observe(record, now);
    const { shard, duration, grace } = record;
    if (shard === undefined || this.#seen.get(record.name)?.record.holder !== record.holder) return;
    const before = this.#held.get(shard);
    this.#held.set(shard, { sentAt, duration, grace, closing: before?.closing ?? false });
  }

  /** From now on no request begins; the shard is ours until it is released, or runs out. */
  close(shard: number): void {
    const held = this.#held.get(shard);
    if (held !== undefined) this.#held.set(shard, { ...held, closing: true });
  }

  /** Before it is taken: what was left of an earlier time counts no more. */
  forget(shard: number): void {
    this.#held.delete(shard);
  }

  released(record: LeaseRecord, now: Instant): void {
    this.observe(record, now);
    if (record.shard !== undefined) this.#held.delete(record.shard);
  }

  record(name: string): LeaseRecord | undefined {
    return this.#seen.get(name)?.record;
  }

  shard(index: number): LeaseRecord | undefined {
    return [...this.#seen.values()].find(({ record }) => record.shard === index && record.of === this.#terms.shards)
      ?.record;
  }

  /** Shards that this replica has taken, whether or not requests may begin: what it has begun there may be on its way. */
  held(): readonly number[] {
    return [...this.#held.keys()].toSorted((a, b) => a - b);
  }

  /** Replicas that have told that they live, the dead among them. */
  replicas(): readonly Seen[] {
    return [...this.#seen.values()].filter(({ record }) => record.shard === undefined);
  }

  /** Milliseconds until the first Lease of another replica runs out by itself. */
  nextDue(now: Instant): number | undefined {
    const left = [...this.#seen.values()].flatMap(({ record, since }) =>
      record.holder === '' || record.holder === this.#terms.identity
        ? []
        : record.duration + record.grace - atLeast(since, now),
    );
    const due = left.filter((one) => one > 0);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Whole milliseconds that a request begun now may take; 0 when none may begin. */
  permit(shard: number, now: Instant): number {
    const held = this.#held.get(shard);
    if (held === undefined || held.closing) return 0;
    const left = held.duration - atMost(held.sentAt, now);
    return left <= 0 ? 0 : Math.ceil(left + held.grace);
  }

  /** Replicas that live, as far as can be told; this one always does. */
  members(now: Instant): readonly string[] {
    const others = [...this.#seen.values()].flatMap(({ record, since }) =>
      record.shard === undefined && record.holder !== '' && atLeast(since, now) < record.duration
        ? [record.holder]
        : [],
    );
    return [...new Set([...others, this.#terms.identity])].toSorted();
  }

  /** Whether others have split the platforms in another way and may still write: then nothing is taken. */
  splitOtherwise(now: Instant): boolean {
    return [...this.#seen.values()].some(
      ({ record, since }) =>
        record.shard !== undefined && record.of !== this.#terms.shards && !isFree({ record, since }, now),
    );
  }

  /** What is to be done now. Each replica comes to its own part of one result: the one with the fewest takes, the one with the most gives up. */
  wishes(now: Instant): Wishes {
    const { identity, shards } = this.#terms;
    const counts = new Map(this.members(now).map((member) => [member, 0]));
    const free: number[] = [];
    const mine: number[] = [];
    for (let shard = 0; shard < shards; shard++) {
      const seen = this.#seenShard(shard);
      const held = this.#held.get(shard);
      // What was given up and could not be released is anybody's once it has run out, its last holder's too.
      const ours = seen?.record.holder === identity && held?.closing !== true;
      if (ours) mine.push(shard);
      else if (seen === undefined || isFree(seen, now)) {
        free.push(shard);
        continue;
      }
      const holder = seen?.record.holder ?? '';
      const count = counts.get(holder);
      if (count !== undefined) counts.set(holder, count + 1);
    }
    if (this.#terms.guest === true) return { take: this.splitOtherwise(now) ? [] : free, renew: mine, giveUp: [] };
    const take = this.splitOtherwise(now) ? [] : free.filter(() => isNext(counts, identity));
    // What is being given up is in our name still, and is one too many no more.
    const spread = new Map(counts).set(identity, mine.length);
    return { take, renew: mine, giveUp: surplus(spread, identity) && free.length === 0 ? mine.slice(-1) : [] };
  }

  #seenShard(shard: number): Seen | undefined {
    return [...this.#seen.values()].find(({ record }) => record.shard === shard && record.of === this.#terms.shards);
  }
}

/** Versions count up; a server that has others orders nothing for us, and then what comes last is the news. */
function isOlder(version: string, than: string): boolean {
  const counts = /^\d+$/;
  return counts.test(version) && counts.test(than) && BigInt(version) < BigInt(than);
}

function isFree({ record, since }: Seen, now: Instant): boolean {
  return record.holder === '' || atLeast(since, now) >= record.duration + record.grace;
}

/** Gives the next free shard to who has the fewest (of equals, the first by name), and tells whether that is this one. */
function isNext(counts: Map<string, number>, identity: string): boolean {
  const [next] = [...counts].toSorted(([a, few], [b, many]) => few - many || (a < b ? -1 : 1));
  if (next === undefined) return false;
  counts.set(next[0], next[1] + 1);
  return next[0] === identity;
}

/** Whether this replica has the most (of equals, it is the last by name), and another one at least two less. */
function surplus(counts: ReadonlyMap<string, number>, identity: string): boolean {
  const own = counts.get(identity) ?? 0;
  const all = [...counts].toSorted(([a, few], [b, many]) => many - few || (a < b ? 1 : -1));
  const [most] = all;
  return most?.[0] === identity && [...counts.values()].some((count) => own - count >= 2);
}
