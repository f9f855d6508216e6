import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { ReconcilerError } from '../errors.ts';
import { notHolder } from '../drivers/fenced.ts';
import type { Fence } from '../drivers/driver.ts';
import type { KubeClient } from '../kube/client.ts';
import { Elector } from '../kube/elector.ts';
import type { Instant } from '../kube/lease.ts';
import { LeaseStore } from '../kube/lease-store.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';

/** How several replicas share the platforms; milliseconds. */
export interface ShardTerms {
  /** Where the Leases lie. */
  readonly namespace: string;
  readonly installation: string;
  readonly shards: number;
  readonly duration: number;
  readonly retry: number;
  /** Takes only what nobody holds, and has no part in spreading shards evenly: a command, not a replica. */
  readonly guest?: boolean;
}

/** What holding a shard means to the one who runs passes. */
export interface ShardKeeper {
  /** Milliseconds for one request, of every platform that is configured. */
  timeouts(): ReadonlyMap<string, number>;
  /** These platforms are ours: whatever has to be known before the first pass is fetched. Tried again when it throws. */
  take(isOurs: (platform: string) => boolean): Promise<void>;
  /** Passes may run from now on, and everything is to be looked at. */
  ready(isOurs: (platform: string) => boolean): void;
  /** They are not any more. */
  lose(isTheirs: (platform: string) => boolean): void;
  /** Resolves when nothing of theirs runs any more. @returns whether everything ended by itself */
  drain(isTheirs: (platform: string) => boolean): Promise<boolean>;
  /** Somebody who does not hold the shard wants a look at `sync/NAME` or `platform/NAME`. */
  look(what: string): void;
}

/** What replicas ask each other to look at when a suspension has come or gone. */
export const SUSPENSIONS = 'suspensions';

/** Milliseconds for one request, of a shard without platforms. */
const LEAST_GRACE = 1_000;

/** Names whose shards are remembered. */
const NAMES = 20_000;

/** The shard that a platform belongs to; the same for every replica and every release. */
function shardOf(platform: string, shards: number): number {
  return createHash('sha256').update(platform).digest().readUInt32BE(0) % shards;
}

/** Which platforms this replica may write to, as the Leases say. */
export class Shards implements AsyncDisposable {
  readonly identity: string;
  readonly #terms: ShardTerms;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #elector: Elector;
  /** Shards of which everything is known that passes need. */
  readonly #ready = new Set<number>();
  /** By platform: asked for at every request. */
  readonly #shards = new Map<string, number>();
  #keeper: ShardKeeper | undefined;
  #stopped = false;

  constructor(
    client: KubeClient,
    terms: ShardTerms,
    { log, metrics }: { readonly log: Log; readonly metrics: Metrics },
  ) {
    // Never used twice: a process that is started again is not the one that held the Lease.
    this.identity = `${hostname()}-${randomBytes(4).toString('hex')}`;
    this.#terms = terms;
    this.#log = log;
    this.#metrics = metrics;
    this.#elector = new Elector({
      terms: { ...terms, identity: this.identity },
      store: new LeaseStore(client, terms),
      clock,
      graceOf: (shard) => this.#graceOf(shard),
      onTaken: (shard) => this.#taken(shard),
      onLost: (shard) => this.#lost(shard),
      drain: (shard) => this.#keeper?.drain(this.#within(shard)) ?? Promise.resolve(true),
      onLook: (what) => this.#keeper?.look(what),
      onError: (doing, error) => log.warn('leases not in order', { doing, error }),
    });
    for (let shard = 0; shard < terms.shards; shard++) metrics.shardHeld(shard, false);
  }

  /** Takes part from now on. `address`: where this replica takes requests that came to another one. */
  serve(keeper: ShardKeeper, address?: string): void {
    this.#keeper = keeper;
    this.#elector.start(address);
  }

  /** Whether the Leases have been read: a replica that holds nothing is as ready as one that does. */
  get takesPart(): boolean {
    return this.#elector.seen;
  }

  /** Whether passes of that platform may run here. */
  holds(platform: string): boolean {
    const shard = this.#shardOf(platform);
    return this.#ready.has(shard) && this.#elector.holds(shard);
  }

  /** @throws ReconcilerError `not-holder` when this replica does not hold the platform's shard. */
  refuse(platform: string): void {
    if (!this.holds(platform)) throw this.#notHolder(platform);
  }

  fence(platform: string): Fence {
    const shard = this.#shardOf(platform);
    return {
      permit: () => {
        const left = this.#elector.permit(shard);
        if (left <= 0) throw this.#notHolder(platform);
        return left;
      },
    };
  }

  /** Has whoever holds the platform look at `what`; resolves when that cannot get lost any more. @throws ReconcilerError */
  async ask(platform: string, what: string): Promise<void> {
    await this.#elector.ask(this.#shardOf(platform), what);
  }

  /** Resolves when each of these platforms is held here, or by somebody else who is known. @throws ReconcilerError when that cannot be told */
  async known(platforms: readonly string[], signal: AbortSignal): Promise<void> {
    while (!platforms.every((name) => this.holds(name) || this.#holderText(name) !== undefined)) {
      if (signal.aborted) {
        throw new ReconcilerError('The Leases of the cluster could not be read or taken in time.', 'backoff', {
          code: 'leases-unknown',
          remedy:
            'Check --kubeconfig and --namespace, and that the account may get, list, watch, create and update Leases there.',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Where the holder of a platform takes requests; undefined when nobody is known to. */
  addressOf(platform: string): string | undefined {
    return this.#elector.holderOf(this.#shardOf(platform))?.address;
  }

  /** Gives the shards up; those of which a pass had to be broken off run out by themselves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#elector[Symbol.asyncDispose]();
  }

  #shardOf(platform: string): number {
    const known = this.#shards.get(platform);
    if (known !== undefined) return known;
    const shard = shardOf(platform, this.#terms.shards);
    // Names come and go for as long as the process lives.
    if (this.#shards.size >= NAMES) this.#shards.clear();
    this.#shards.set(platform, shard);
    return shard;
  }

  #within(shard: number): (platform: string) => boolean {
    return (platform) => this.#shardOf(platform) === shard;
  }

  #graceOf(shard: number): number {
    const within = this.#within(shard);
    const timeouts = [...(this.#keeper?.timeouts() ?? [])].flatMap(([name, timeout]) =>
      within(name) ? [timeout] : [],
    );
    return Math.max(LEAST_GRACE, ...timeouts);
  }

  #holderText(platform: string): string | undefined {
    const holder = this.#elector.holderOf(this.#shardOf(platform));
    if (holder === undefined || holder.identity === this.identity) return undefined;
    return `replica ${holder.identity}${holder.address === undefined ? '' : ` (${holder.address})`}`;
  }

  #notHolder(platform: string): ReconcilerError {
    return notHolder(platform, this.#holderText(platform), this.#terms.guest);
  }

  #taken(shard: number): void {
    this.#log.info('shard taken', { shard, of: this.#terms.shards, replica: this.identity });
    void this.#prepare(shard);
  }

  async #prepare(shard: number): Promise<void> {
    while (!this.#stopped && this.#elector.holds(shard) && !this.#ready.has(shard)) {
      try {
        await this.#keeper?.take(this.#within(shard));
        if (!this.#elector.holds(shard)) return;
        this.#ready.add(shard);
        this.#metrics.shardHeld(shard, true);
        this.#keeper?.ready(this.#within(shard));
      } catch (error) {
        this.#log.error('shard not ready', { shard, error });
        await new Promise((resolve) => setTimeout(resolve, this.#terms.retry).unref());
      }
    }
  }

  #lost(shard: number): void {
    this.#ready.delete(shard);
    this.#metrics.shardHeld(shard, false);
    this.#log.info('shard given up', { shard, of: this.#terms.shards, replica: this.identity });
    this.#keeper?.lose(this.#within(shard));
  }
}

function clock(): Instant {
  return { monotonic: performance.now(), wall: Date.now() };
}
