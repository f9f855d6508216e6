import { performance } from 'node:perf_hooks';
import { messageOf } from '../../src/errors.ts';
import type { JsonObject } from '../../src/manifest/manifest.ts';
import { tell } from '../drivers/crash/pass.ts';
import { DirectusDesk } from '../drivers/directus/desk.ts';
import { RawDirectus } from '../drivers/directus/raw-directus.ts';
import { DirectusCli } from './directus-cli.ts';
import { DirectusSync } from './directus-sync.ts';
import { load, median, processTime, rested } from './measure.ts';
import { VERSIONS } from '../platforms/versions.ts';

/** Flows, and what each consists of. */
const FLOWS = 300;
const OPERATIONS = 4;
/** Flows in one request of the hand-written client: the best of 50, 100, 150 and 300 on the test machine. */
const BARE_BATCH = 100;
/** Times that each is measured, in turns, since others may use this machine too; the first does not count, of the others the median does. */
const ROUNDS = 4;

/** Figures of one run; milliseconds. */
export interface DirectusFigures {
  readonly flows: number;
  readonly operations: number;
  /** The first pass, its writes alone, and what a hand-written client takes for the same flows in bulk. */
  readonly cold: number;
  readonly applying: number;
  readonly bare: number;
  /** The first pass and its writes alone, over bare requests of the same round. */
  readonly coldRatio: number;
  readonly applyingRatio: number;
  /** CPU of the server during both, until they are answered; 0 where the system does not tell. */
  readonly coldCpu: number;
  readonly bareCpu: number;
  /** A pass of a running daemon that finds nothing to do, and what it asks; and the first one after a restart. */
  readonly quiet: number;
  readonly quietRequests: readonly string[];
  readonly restarted: number;
  readonly restartedRequests: readonly string[];
  /** What `@directus/cli` takes for the same flows: onto an empty server, and where they stand already. */
  readonly cli: number;
  readonly cliQuiet: number;
  /** The same by `directus-sync`, and bare requests there: it takes Directus 11 only. */
  readonly sync: SyncFigures | { readonly failed: string };
}

interface SyncFigures {
  readonly bare: number;
  readonly pushed: number;
  readonly pushedAgain: number;
}

/** Applies 300 flows with 1,200 operations to a real Directus 12, beside bare bulk requests, its own CLI and directus-sync; then a pass with nothing to do. */
export async function benchDirectus(): Promise<DirectusFigures> {
  await using raw = await RawDirectus.start(VERSIONS.directus);
  await createBare(raw);
  using cli = await DirectusCli.dump(raw.url);
  const all: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await measureRound(raw, cli, round % 2 === 0));
  const rounds = all.slice(1);
  const typical = (of: (round: Round) => number): number => median(rounds.map(of));
  const [last] = rounds.slice(-1);
  const figures: Omit<DirectusFigures, 'sync'> = {
    flows: FLOWS,
    operations: FLOWS * OPERATIONS,
    cold: typical(({ cold }) => cold),
    applying: typical(({ applying }) => applying),
    bare: typical(({ bare }) => bare),
    coldRatio: typical(({ cold, bare }) => cold / bare),
    applyingRatio: typical(({ applying, bare }) => applying / bare),
    coldCpu: typical(({ coldCpu }) => coldCpu),
    bareCpu: typical(({ bareCpu }) => bareCpu),
    quiet: typical(({ quiet }) => quiet),
    quietRequests: last?.quietRequests ?? [],
    restarted: typical(({ restarted }) => restarted),
    restartedRequests: last?.restartedRequests ?? [],
    cli: typical((round) => round.cli),
    cliQuiet: typical((round) => round.cliQuiet),
  };
  report(figures);
  // A tool of others that does not run takes nothing from what was measured.
  const sync = await measureSync().catch((error: unknown) => ({ failed: messageOf(error) }));
  reportSync(sync);
  return { ...figures, sync };
}

type Round = Omit<DirectusFigures, 'flows' | 'operations' | 'coldRatio' | 'applyingRatio' | 'sync'>;

/** One round: the CLI, then bare requests and a pass, in this order or the other, each onto an empty server at rest. */
async function measureRound(raw: RawDirectus, cli: DirectusCli, bareFirst: boolean): Promise<Round> {
  await emptied(raw);
  const pushed = await cli.push();
  await rested(raw.server.pid);
  const pushedAgain = await cli.push();
  const before = bareFirst ? await measureBare(raw) : undefined;
  const ours = await measureOurs(raw);
  return { ...ours, ...(before ?? (await measureBare(raw))), cli: pushed, cliQuiet: pushedAgain };
}

/** Once: it writes row by row, which takes its time. */
async function measureSync(): Promise<SyncFigures> {
  using sync = await DirectusSync.install();
  await using raw = await RawDirectus.start(VERSIONS.directusOpen, sync.settings);
  await createBare(raw);
  await sync.pull(raw.url);
  await emptied(raw);
  const bare = await createBare(raw);
  await emptied(raw);
  const pushed = await sync.push(raw.url);
  await rested(raw.server.pid);
  return { bare, pushed, pushedAgain: await sync.push(raw.url) };
}

async function measureBare(raw: RawDirectus): Promise<Pick<Round, 'bare' | 'bareCpu'>> {
  await emptied(raw);
  const before = cpuOf(raw);
  return { bare: await createBare(raw), bareCpu: cpuOf(raw) - before };
}

async function measureOurs(raw: RawDirectus): Promise<Omit<Round, 'bare' | 'bareCpu' | 'cli' | 'cliQuiet'>> {
  await emptied(raw);
  const requests: string[] = [];
  using desk = new DirectusDesk(raw.url, ({ method, route }) => void requests.push(`${method} ${route}`));
  for (let number = 0; number < FLOWS; number += 1)
    desk.manifest('Workflow', `flow-${number}`, { title: `Flow ${number}`, definition: definitionOf(number) });
  await using daemon = desk.daemon();
  const beforeCold = cpuOf(raw);
  const first = await daemon.pass();
  const coldCpu = cpuOf(raw) - beforeCold;
  if (first.result !== 'applied') throw new Error(tell(first));
  // What the first pass wrote is new to the second; the third finds what the second saw.
  await daemon.pass();
  await rested(raw.server.pid);
  const quiet = await measureQuiet(daemon, requests);
  const restarted = await measureQuiet(desk, requests);
  return {
    cold: first.endedAt - first.startedAt,
    applying: first.durations['apply'] ?? 0,
    coldCpu,
    quiet: quiet.took,
    quietRequests: quiet.asked,
    restarted: restarted.took,
    restartedRequests: restarted.asked,
  };
}

/** Nothing is there, and the server has nothing left to do. */
async function emptied(raw: RawDirectus): Promise<void> {
  await raw.clear();
  await rested(raw.server.pid);
}

function cpuOf({ server: { pid } }: RawDirectus): number {
  return pid === undefined ? 0 : (processTime(pid) ?? 0);
}

/** Milliseconds of a pass that finds nothing to do, and what it asks. */
async function measureQuiet(
  by: Pick<DirectusDesk, 'pass'>,
  requests: string[],
): Promise<{ readonly took: number; readonly asked: readonly string[] }> {
  requests.length = 0;
  const begin = performance.now();
  const report = await by.pass();
  const took = performance.now() - begin;
  if (report.result !== 'in-sync') throw new Error(tell(report));
  return { took, asked: [...requests] };
}

function report(figures: Omit<DirectusFigures, 'sync'>): void {
  const { coldCpu, bareCpu, coldRatio, applyingRatio } = figures;
  const { cold, bare, quiet, quietRequests, restarted, restartedRequests, flows, operations, cli, cliQuiet } = figures;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const times = (value: number): string => `${value.toFixed(2)} × bare`;
  const bound = (met: boolean, of: string): string => `bound ${of} ${met ? 'met' : 'MISSED'}`;
  console.error(`directus: ${flows} flows, ${operations} operations; load ${load()}`);
  console.error(`  bare bulk requests   ${ms(bare)}`);
  console.error(
    `  cold pass            ${ms(cold)}: ${times(coldRatio)} (${bound(coldRatio <= 1.15, '1.15')}), its writes alone ${times(applyingRatio)}`,
  );
  console.error(`  the server's CPU     ${bareCpu} ms for bare requests, ${coldCpu} ms for the cold pass`);
  console.error(`  quiet pass           ${ms(quiet)} (${bound(quiet < 300, '300 ms')}): ${quietRequests.join(', ')}`);
  console.error(`  @directus/cli        ${ms(cli)} (${times(cli / bare)}), where nothing is to do ${ms(cliQuiet)}`);
  console.error(`  after a restart      ${ms(restarted)}: ${restartedRequests.join(', ')}`);
}

function reportSync(sync: DirectusFigures['sync']): void {
  const told =
    'failed' in sync
      ? `did not run: ${sync.failed}`
      : `${Math.round(sync.pushed)} ms (${(sync.pushed / sync.bare).toFixed(2)} × bare on Directus 11), where nothing is to do ${Math.round(sync.pushedAgain)} ms`;
  console.error(`  directus-sync        ${told}`);
}

/** What a person would write for the same: arrays of flows, operations in them in the order that Directus needs. */
async function createBare(raw: RawDirectus): Promise<number> {
  const rows = Array.from({ length: FLOWS }, (_, number) => bareFlow(number));
  const begin = performance.now();
  for (let at = 0; at < rows.length; at += BARE_BATCH) await raw.ask('POST', '/flows', rows.slice(at, at + BARE_BATCH));
  return performance.now() - begin;
}

function bareFlow(number: number): JsonObject {
  const id = (part: number): string => `00000000-0000-4000-8000-${String(number * 10 + part).padStart(12, '0')}`;
  const { operations: _operations, operation: _operation, ...flow } = definitionOf(number);
  const operations = Array.from({ length: OPERATIONS }, (_, index) => ({
    ...operationOf(number, index),
    id: id(index + 1),
    resolve: index + 1 < OPERATIONS ? id(index + 2) : null,
    position_x: 19 + 18 * index,
    position_y: 1,
  }));
  return {
    ...flow,
    id: id(0),
    name: `Flow ${number}`,
    status: 'inactive',
    operation: id(1),
    operations: operations.toReversed(),
  };
}

function definitionOf(number: number): JsonObject {
  const operations = Array.from({ length: OPERATIONS }, (_, index) => ({
    ...operationOf(number, index),
    ...(index + 1 < OPERATIONS ? { resolve: `step_${index + 1}` } : {}),
  }));
  return { trigger: 'webhook', options: { method: 'POST' }, operation: 'step_0', operations };
}

function operationOf(number: number, index: number): JsonObject {
  return {
    key: `step_${index}`,
    type: 'log',
    name: `Step ${index}`,
    options: { message: `flow ${number}, step ${index}: {{ $last }}` },
  };
}
