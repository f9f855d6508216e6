import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNodeRed } from '../drivers/node-red/server.ts';
import { sizesOf } from './arguments.ts';
import type { Sizes } from './arguments.ts';
import { memoryDefinition } from './memory-terrain.ts';
import { nodeRedDefinition } from './node-red-terrain.ts';
import { makeRepository } from './repository.ts';
import { OTHERS } from './others.ts';
import type { Answer, Order, Scenario } from './scenario.ts';
import { passTable, targetTable } from './table.ts';
import { targetsOf } from './targets.ts';
import type { Figures, Target } from './targets.ts';

const CHILD = fileURLToPath(new URL('scenario.ts', import.meta.url));

/** Measures the pass. One line of JSON per set of figures on stdout, tables for people on stderr. */
async function main(sizes: Sizes): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'plumbline-bench-'));
  try {
    if (sizes.platforms.has('memory')) {
      const few = await onMemory(join(dir, 'few'), sizes.few, sizes);
      const all = await onMemory(join(dir, 'all'), sizes.objects, sizes);
      tell(few, []);
      tell(all, targetsOf(all, few));
    }
    if (sizes.platforms.has('node-red')) {
      const figures = await onNodeRed(join(dir, 'node-red'), sizes);
      tell(figures, targetsOf(figures, undefined));
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function onMemory(dir: string, objects: number, sizes: Sizes): Promise<Figures> {
  const file = join(dir, 'platform');
  await makeRepository(join(dir, 'repository'), objects, memoryDefinition);
  return { platform: 'memory', objects, answers: await scenarios({ dir, objects, platform: { memory: file } }, sizes) };
}

async function onNodeRed(dir: string, sizes: Sizes): Promise<Figures> {
  const server = await startNodeRed();
  try {
    const objects = sizes.tabs;
    await makeRepository(join(dir, 'repository'), objects, nodeRedDefinition);
    const answers = await scenarios({ dir, objects, platform: { 'node-red': server.url } }, sizes);
    return { platform: 'node-red', objects, answers };
  } finally {
    await server.stop();
  }
}

/** The scenarios one after the other, each in a process of its own, on what the one before left behind. */
async function scenarios(
  where: { readonly dir: string; readonly objects: number; readonly platform: Order['platform'] },
  { profiles, nodeFlags }: Sizes,
): Promise<Figures['answers']> {
  const { dir, objects, platform } = where;
  const run = (scenario: Scenario): Promise<Answer> => {
    const order = { scenario, platform, repository: join(dir, 'repository'), stateDir: join(dir, 'state'), objects };
    const [name = ''] = Object.keys(platform);
    const folder = profiles === undefined ? undefined : join(profiles, `${name}-${objects}-${scenario}`);
    return inProcess(order, [
      ...nodeFlags,
      ...(folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]),
    ]);
  };
  return { cold: await run('cold'), quiet: await run('quiet'), commit: await run('commit') };
}

async function inProcess(order: Order, flags: readonly string[]): Promise<Answer> {
  const child = fork(CHILD, { execArgv: ['--disable-warning=ExperimentalWarning', ...flags] });
  let answer: Answer | undefined;
  child.once('message', (message: Answer) => (answer = message));
  child.send(order);
  await once(child, 'exit');
  if (answer === undefined) throw new Error(`the ${order.scenario} scenario broke off, see above`);
  return answer;
}

function tell(figures: Figures, targets: readonly Target[]): void {
  for (const { measured, peak } of Object.values(figures.answers)) {
    for (const one of measured)
      console.log(JSON.stringify({ platform: figures.platform, objects: figures.objects, ...one, peak }));
  }
  for (const target of targets) console.log(JSON.stringify({ platform: figures.platform, ...target }));
  console.error(passTable(figures));
  if (targets.length > 0) console.error(targetTable(targets));
}

const args = process.argv.slice(2);
const at = args.findIndex((word) => !word.startsWith('--'));
const other = OTHERS[args[at] ?? ''];
if (other === undefined) await main(sizesOf(args));
else await other(args.slice(at + 1), sizesOf(args.slice(0, at)).nodeFlags);
