import { Ledger } from '../../src/ledger/ledger.ts';
import { ManifestLoader } from '../../src/manifest/load.ts';
import { reconcile } from '../../src/reconcile.ts';
import { PassMemory } from '../../src/reconcile/memory.ts';
import type { Pass } from '../../src/reconcile/pass.ts';
import type { PassReport, Trigger } from '../../src/report/pass-report.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import { GitSource } from '../../src/source/git.ts';
import { measure, peakMegabytes, typical } from './measure.ts';
import type { Cost } from './measure.ts';
import { commitOne } from './repository.ts';
import type { Terrain } from './terrain.ts';

/** `cold`: onto an empty platform. `quiet`: nothing changed. `commit`: one file did. Each in a process of its own. */
export type Scenario = 'cold' | 'quiet' | 'commit';

/** One scenario, as the parent orders it. */
export interface Order {
  readonly scenario: Scenario;
  readonly platform: { readonly memory: string } | { readonly 'node-red': string };
  readonly repository: string;
  readonly stateDir: string;
  readonly objects: number;
}

/** What one kind of pass cost, per pass. Times in milliseconds. */
export interface Measured {
  readonly pass: Scenario | 'restart';
  readonly requests: number;
  readonly cost: Cost;
  readonly bare: Cost;
  /** Steps of the last pass measured. */
  readonly durations: PassReport['durations'];
}
export interface Answer {
  readonly measured: readonly Measured[];
  /** Largest memory of the process, in megabytes. */
  readonly peak: number;
}

const REPEATS = { quiet: 3, commit: 8 } as const;

process.once('message', (order: Order) => {
  run(order).then(
    (answer) => process.send?.(answer, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});

async function run(order: Order): Promise<Answer> {
  const { scenario, objects } = order;
  await using terrain = await terrainOf(order);
  using ledger = Ledger.open(order.stateDir);
  const pass = passOf(order, { terrain, ledger });
  const one = (what: Measured['pass'], trigger: Trigger): Promise<Measured> =>
    measured(what, { ...pass, trigger }, terrain);
  const done: Measured[] = [await one(scenario === 'cold' ? 'cold' : 'restart', 'start')];
  if (scenario === 'quiet') {
    const passes: Measured[] = [];
    for (let turn = 0; turn < REPEATS.quiet; turn += 1) passes.push(await one('quiet', 'interval'));
    done.push(summed(passes));
  }
  if (scenario === 'commit') {
    const passes: Measured[] = [];
    for (let turn = 1; turn <= REPEATS.commit; turn += 1) {
      const index = (turn * 13) % objects;
      await commitOne(order.repository, index, terrain.definition(index, turn));
      passes.push(await one('commit', 'commit'));
    }
    done.push(summed(passes));
  }
  const peak = peakMegabytes();
  terrain.save();
  return { measured: done, peak };
}

async function measured(what: Measured['pass'], pass: Pass, terrain: Terrain): Promise<Measured> {
  await terrain.begin();
  let report: PassReport | undefined;
  const cost = await measure(async () => (report = await reconcile(pass, AbortSignal.timeout(600_000))));
  if (report === undefined) throw new Error('there is no report');
  expectDone(what, report, pass);
  const bare = await terrain.end();
  await bare.prepare();
  const floor = await measure(() => bare.send());
  return { pass: what, requests: bare.requests, cost, bare: floor, durations: report.durations };
}

/** A benchmark of something that did not happen would look splendid. */
function expectDone(what: Measured['pass'], report: PassReport, { memory }: Pass): void {
  const changes = report.outcomes.filter(({ status }) => status === 'applied').length;
  const wanted = { cold: memory.seen?.size ?? -1, restart: 0, quiet: 0, commit: 1 }[what];
  const clean = report.error === undefined && report.problems.length === 0 && report.result !== 'withheld';
  if (clean && changes === wanted) return;
  const [problem] = report.problems;
  const [failed] = report.outcomes.flatMap((one) => (one.status === 'failed' ? [one.error.message] : []));
  const told = report.error?.message ?? problem?.message ?? failed ?? report.plan?.withheld[0]?.because;
  throw new Error(`the ${what} pass ended as ${report.result} with ${changes} changes instead of ${wanted}: ${told}`);
}

function summed(passes: readonly Measured[]): Measured {
  const last = passes.at(-1);
  if (last === undefined) throw new Error('no pass was measured');
  return { ...last, cost: typical(passes.map(({ cost }) => cost)), bare: typical(passes.map(({ bare }) => bare)) };
}

/** Loads only the platform that is measured: the other one's code would count as memory. */
async function terrainOf({ platform }: Order): Promise<Terrain> {
  if ('memory' in platform) return (await import('./memory-terrain.ts')).memoryTerrain(platform.memory);
  return (await import('./node-red-terrain.ts')).nodeRedTerrain(platform['node-red']);
}

function passOf(order: Order, { terrain, ledger }: { terrain: Terrain; ledger: Ledger }): Omit<Pass, 'trigger'> {
  const { format, driver, kinds } = terrain;
  const secretScope = { kind: 'source', env: [] } as const;
  return {
    sync: 'bench',
    platform: 'bench',
    source: new GitSource(
      { url: `file://${order.repository}`, ref: { branch: 'main' } },
      { cacheDir: `${order.stateDir}/git`, environment: process.env },
    ),
    loader: new ManifestLoader({ formats: [format], defaultFormat: format.name, secretScope }),
    driver,
    ledger,
    secrets: new SecretStore({ env: {}, hashKey: Buffer.alloc(32, 7) }),
    secretScope,
    terms: {
      owner: 'bench/bench',
      previousOwners: [],
      drift: 'revert',
      gracePeriod: 0,
      adopt: 'refuse',
      prune: { enabled: true, maxDeletions: { percent: 10 }, maxRevocations: { percent: 10 } },
      exclusive: false,
      kinds,
      release: [],
      approvals: {},
    },
    rules: { windows: [] },
    mode: 'apply',
    only: [],
    memory: new PassMemory(),
    clock: Date.now,
  };
}
