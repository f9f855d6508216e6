import { parseArgs } from 'node:util';
import { startCluster } from '../kubernetes/cluster.ts';
import { replicaAccount } from '../kubernetes/replicas/account.ts';
import { Fleet } from '../kubernetes/replicas/fleet.ts';
import { STRIKES, playRound } from '../kubernetes/replicas/rounds.ts';
import type { Round } from '../kubernetes/replicas/rounds.ts';
import { mintTerrain, nodeRedTerrain } from '../kubernetes/replicas/terrain.ts';

const TERMS = { replicas: 2, shards: 1, duration: 2_000, retry: 400, timeout: 1_000 };
/** Milliseconds that a replica is stopped or cut off. */
const AWAY = 4_500;

/** Rounds of SIGKILL, SIGSTOP, partition and SIGTERM, in turn, on both platforms: half of them on each. Prints one line of JSON each. */
export async function benchFailover(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rounds: { type: 'string', default: '100' } } });
  const rounds = Number(values.rounds);
  await using cluster = await startCluster();
  const account = await replicaAccount(cluster);
  for (const make of [mintTerrain, nodeRedTerrain]) {
    await cluster.kubectl(['delete', 'leases,configmaps', '-l', 'plumbline.dev/installation=fleet']);
    await using terrain = await make();
    const terms = { ...TERMS, platforms: { main: terrain.url }, mint: terrain.mint };
    await using fleet = await Fleet.make(cluster, terms, account);
    await fleet.place.commit(terrain.files(0));
    for (const replica of fleet.replicas) await replica.start();
    const played: Round[] = [];
    for (let round = 1; round <= Math.ceil(rounds / 2); round++) {
      const strike = STRIKES[round % STRIKES.length] ?? 'kill';
      const one = await playRound(round, strike, { fleet, terrain, away: AWAY });
      played.push(one);
      console.error(`${terrain.name} ${round}: ${JSON.stringify(one)}`);
    }
    for (const strike of STRIKES) console.log(JSON.stringify(summary(terrain.name, strike, played)));
  }
}

function summary(platform: string, strike: string, played: readonly Round[]): Readonly<Record<string, unknown>> {
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
    lease: TERMS.duration,
    requestTimeout: TERMS.timeout,
    takeover: spread(({ takeover }) => takeover),
    converged: spread(({ converged }) => converged),
    overlapping: sum(({ overlapping }) => overlapping),
    late: sum(({ late }) => late),
    fenced: sum(({ fenced }) => fenced),
  };
}
