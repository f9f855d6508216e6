import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../daemon/fixture.ts';
import type { Fleet, Replica } from './fleet.ts';
import type { Terrain } from './terrain.ts';
import type { PlatformWrite } from './wires.ts';

export const STRIKES = ['kill', 'stop', 'partition', 'leave'] as const;
export type Strike = (typeof STRIKES)[number];

/** What one round brought; milliseconds. */
export interface Round {
  readonly strike: Strike;
  /** From the strike to the first Lease in another's hands. */
  readonly takeover: number;
  /** From the strike until the platform stood as git said. */
  readonly converged: number;
  /** Pairs of writes of two replicas that were under way at once, refused ones left out. */
  readonly overlapping: number;
  /** Writes of the struck replica that were handed on after another one had written, and that the platform took. */
  readonly late: number;
  /** Those that it refused, because what they were based on had changed. */
  readonly fenced: number;
  /** Requests of any kind that a struck replica which lived on began when its Lease had expired. */
  readonly begunAfter: number;
}

export interface RoundTerms {
  readonly fleet: Fleet;
  readonly terrain: Terrain;
  /** Milliseconds of the Lease. */
  readonly duration: number;
  /** Milliseconds that a replica is stopped or cut off: longer than its Lease. */
  readonly away: number;
}

/** Milliseconds between the question to the fence and the arrival of a request's first bytes in this process, when it is idle: the machine may be busy. */
const ON_THE_WAY = 250;

/**
 * Commits, strikes the holder in the middle of its writes, waits for another one to make it good, and brings the first back. Which write is
 * under way at the strike differs from round to round.
 */
export async function playRound(round: number, strike: Strike, terms: RoundTerms): Promise<Round> {
  const { fleet, terrain, away, duration } = terms;
  await settled(fleet);
  const holder = await fleet.holderOf(0);
  const [recorder] = holder?.recorders ?? [];
  if (holder === undefined || recorder === undefined) throw new Error('nobody holds the shard');
  const livesOn = strike === 'stop' || strike === 'partition';
  const before = fleet.writes.length;
  const held = recorder.hold(1 + (round % terrain.depth));
  await (terrain.change?.(round) ?? fleet.place.commit(terrain.files(round)));
  await Promise.race([held, never(`round ${round}: the holder writes`)]);
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const struckAt = performance.now();
  const back = hit(strike, holder);
  // Who is cut off goes on writing for longer than its Lease holds.
  recorder.delay = strike === 'partition' ? Math.min(duration / 4, (4 * duration) / terrain.writes) : 40;
  recorder.release();
  const expiry = livesOn ? await expiryOf(fleet, duration) : Infinity;
  const taken = await fleet.held(fleet.replicas.filter((one) => one !== holder));
  const takeover = performance.now() - struckAt;
  await stands(terms, round, `round ${round}, ${strike}`, () =>
    fleet.replicas.map(({ log }) => log.slice(-2_000)).join('\n'),
  );
  const converged = performance.now() - struckAt;
  if (livesOn) await pause(Math.max(0, away - (performance.now() - struckAt)));
  const backAt = performance.now();
  await back();
  await settled(fleet);
  // Whatever the one that was away had in hand has arrived by now, and was put right.
  await pause(300);
  recorder.delay = 0;
  await stands(terms, round, `round ${round}, ${strike}, with everybody back`, () => '');
  lag.disable();
  const counts = countWrites(fleet.writes.slice(before), holder.index);
  // What this process was late to see may have happened so much earlier.
  const from = expiry + ON_THE_WAY + lag.max / 1e6;
  // A Lease that the replica has taken again since its return lets it begin what it likes.
  const retaken = (await fleet.shards())[0]?.transitions === taken[0]?.transitions ? Infinity : backAt;
  const begunAfter = fleet.traffic.begun.filter(
    ({ who, at }) => who === holder.index && at > from && at < retaken,
  ).length;
  return { strike, takeover, converged, ...counts, begunAfter };
}

/** When the Lease of a replica that renews nothing any more ends by its own clock, at the latest; milliseconds, as `performance.now`. */
async function expiryOf(fleet: Fleet, duration: number): Promise<number> {
  // A renewal that was on its way has arrived by then.
  await pause(300);
  const [lease] = await fleet.shards();
  return performance.now() + Date.parse(lease?.renewed ?? '') + duration - Date.now();
}

async function never(what: string): Promise<never> {
  await pause(60_000, undefined, { ref: false });
  throw new Error(`not in time: ${what}`);
}

/** Everybody runs, takes part, and one of them holds the shard. */
async function settled(fleet: Fleet): Promise<void> {
  await fleet.held(fleet.replicas);
  await until(async () => {
    const { told } = await fleet.leases.list();
    const living = new Set(told.flatMap(({ record }) => (record.shard === undefined ? [record.holder] : [])));
    return fleet.replicas.every((one) => living.has(one.told.identity));
  }, 'all replicas take part');
}

/** @returns how the replica comes back */
function hit(strike: Strike, replica: Replica): () => Promise<void> {
  if (strike === 'stop') {
    replica.signal('SIGSTOP');
    return async () => replica.signal('SIGCONT');
  }
  if (strike === 'partition') {
    replica.wire.cut();
    return async () => replica.wire.mend();
  }
  const ended = replica.end(strike === 'kill' ? 'SIGKILL' : 'SIGTERM');
  return async () => {
    await ended;
    await replica.start();
  };
}

async function stands({ terrain }: RoundTerms, round: number, what: string, more: () => string): Promise<void> {
  const wanted = terrain.wanted(round).join('\n');
  let seen = '';
  await until(async () => (seen = (await terrain.picture()).join('\n')) === wanted, what, 120_000).catch(
    (error: unknown) => {
      throw new Error(`${what}: the platform stands so\n${seen}\ninstead of\n${wanted}\n${more()}`, { cause: error });
    },
  );
}

function countWrites(writes: readonly PlatformWrite[], struck: number): Pick<Round, 'overlapping' | 'late' | 'fenced'> {
  const taken = writes.filter(({ status }) => status < 400);
  const overlapping = taken.flatMap((one, index) =>
    taken.slice(index + 1).filter((other) => one.who !== other.who && one.from < other.to && other.from < one.to),
  ).length;
  const successor = Math.min(...taken.filter(({ who }) => who !== struck).map(({ from }) => from));
  const after = writes.filter(({ who, from }) => who === struck && from > successor);
  const late = after.filter(({ status }) => status < 400).length;
  return { overlapping, late, fenced: after.length - late };
}
