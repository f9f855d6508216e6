import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { startCluster } from '../kubernetes/cluster.ts';
import { replicaAccount } from '../kubernetes/replicas/account.ts';
import { Fleet } from '../kubernetes/replicas/fleet.ts';
import { STRIKES, playRound } from '../kubernetes/replicas/rounds.ts';
import type { Round } from '../kubernetes/replicas/rounds.ts';
import { mintTerrain, nodeRedTerrain } from '../kubernetes/replicas/terrain.ts';

/** A short Lease, so that many rounds fit into an hour, and what a replica takes by default; milliseconds. */
const SHORT = { duration: 2_000, retry: 600, timeout: 1_000 };
const DEFAULTS = { duration: 35_000, retry: 5_000, timeout: 30_000 };
const TERRAINS = { mint: mintTerrain, 'node-red': nodeRedTerrain };

/**
 * Rounds of SIGKILL, SIGSTOP, partition and SIGTERM, in turn, on both platforms: half of them on each, or on one that is named. Prints one line of
 * JSON for each sort and platform.
 */
export async function benchFailover(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '100' },
      platform: { type: 'string' },
      'default-times': { type: 'boolean' },
    },
  });
  const times = values['default-times'] === true ? DEFAULTS : SHORT;
  const makers = Object.entries(TERRAINS).filter(([name]) => values.platform === undefined || values.platform === name);
  if (makers.length === 0) throw new Error(`There are the platforms ${Object.keys(TERRAINS).join(' and ')}.`);
  const rounds = Math.ceil(Number(values.rounds) / makers.length);
  await using cluster = await startCluster();
  const account = await replicaAccount(cluster);
  for (const [, make] of makers) {
    await cluster.kubectl(['delete', 'leases,configmaps', '-l', 'plumbline.dev/installation=fleet']);
    await using terrain = await make();
    const terms = { ...times, replicas: 2, shards: 1, platforms: { main: terrain.url }, mint: terrain.mint };
    await using fleet = await Fleet.make(cluster, terms, account);
    await fleet.place.commit(terrain.files(0));
    for (const replica of fleet.replicas) await replica.start();
    const played: Round[] = [];
    for (let round = 1; round <= rounds; round++) {
      const strike = STRIKES[round % STRIKES.length] ?? 'kill';
      // Until the other one has taken over, and some more.
      const away = times.duration + times.timeout + 1_500;
      const one = await playRound(round, strike, { fleet, terrain, duration: times.duration, away });
      played.push(one);
      console.error(`${terrain.name} ${round}: ${JSON.stringify(one)}`);
    }
    for (const strike of STRIKES)
      console.log(JSON.stringify(summary({ platform: terrain.name, strike, times }, played)));
  }
}

function summary(
  { platform, strike, times }: { readonly platform: string; readonly strike: string; readonly times: typeof SHORT },
  played: readonly Round[],
): Readonly<Record<string, unknown>> {
  const rounds = played.filter((one) => one.strike === strike);
  const sum = (pick: (one: Round) => number): number => rounds.reduce((total, one) => total + pick(one), 0);
  const spread = (pick: (one: Round) => number): Readonly<Record<string, number>> => {
    const sorted = rounds.map(pick).toSorted((a, b) => a - b);
    return { median: Math.round(sorted[sorted.length >> 1] ?? 0), most: Math.round(sorted.at(-1) ?? 0) };
  };
  return {
    bench: 'failover',
    platform,
    strike,
    rounds: rounds.length,
    lease: times.duration,
    requestTimeout: times.timeout,
    takeover: spread(({ takeover }) => takeover),
    converged: spread(({ converged }) => converged),
    overlapping: sum(({ overlapping }) => overlapping),
    late: sum(({ late }) => late),
    fenced: sum(({ fenced }) => fenced),
    begunAfter: sum(({ begunAfter }) => begunAfter),
    untold: sum(({ untold }) => untold),
    load: loadavg()[0],
  };
}
