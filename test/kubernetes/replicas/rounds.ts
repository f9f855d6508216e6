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
  /** Requests of any kind whose first byte a replica sent when its Lease had expired by its own clock. */
  readonly begunAfter: number;
  /** Requests that arrived although their sender told of none: what it tells would be worth nothing. */
  readonly untold: number;
}

export interface RoundTerms {
  readonly fleet: Fleet;
  readonly terrain: Terrain;
  /** Milliseconds of the Lease. */
  readonly duration: number;
  /** Milliseconds that a replica is stopped or cut off: longer than its Lease. */
  readonly away: number;
}

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
  const told = fleet.replicas.map(({ begun }) => begun.length);
  const held = recorder.hold(1 + (round % terrain.depth));
  await (terrain.change?.(round) ?? fleet.place.commit(terrain.files(round)));
  await Promise.race([held, never(`round ${round}: the holder writes`)]);
  const struckAt = performance.now();
  const back = hit(strike, holder);
  // Who is cut off goes on writing for longer than its Lease holds.
  recorder.delay = strike === 'partition' ? Math.min(duration / 4, (4 * duration) / terrain.writes) : 40;
  recorder.release();
  await fleet.held(fleet.replicas.filter((one) => one !== holder));
  const takeover = performance.now() - struckAt;
  await stands(terms, round, `round ${round}, ${strike}`, () =>
    fleet.replicas.map(({ log }) => log.slice(-2_000)).join('\n'),
  );
  const converged = performance.now() - struckAt;
  if (livesOn) await pause(Math.max(0, away - (performance.now() - struckAt)));
  await back();
  await settled(fleet);
  // Whatever the one that was away had in hand has arrived by now, and was put right.
  await pause(300);
  recorder.delay = 0;
  await stands(terms, round, `round ${round}, ${strike}, with everybody back`, () => '');
  const counts = countWrites(fleet.writes.slice(before), holder.index);
  // What arrives before the sender's own word of it has come is told a moment later.
  await until(async () => fleet.replicas.every(({ untold }) => untold <= 0), 'all requests told', 5_000).catch(
    () => {},
  );
  const untold = fleet.replicas.reduce((sum, one) => sum + Math.max(0, one.untold), 0);
  const begun = fleet.replicas.flatMap((one, index) => one.begun.slice(told[index]));
  const begunAfter = begun.filter(({ overdue }) => overdue > 0).length;
  return { strike, takeover, converged, ...counts, begunAfter, untold };
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
