import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { JsonValue } from '../../src/manifest/manifest.ts';
import { deployRaw, rawFlows, startNodeRed } from '../drivers/node-red/server.ts';
import { startGitServer } from './git-server.ts';
import { load } from './measure.ts';
import { commitOne, makeRepository } from './repository.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const SECRET = 'bench-push-secret';
/** Turns that count; one before them does not. */
const TURNS = 10;
/** Milliseconds between two looks at the flow, and that anything may take. */
const LOOK_EVERY = 2;
/** Milliseconds after which a request counts as one that Node-RED dropped while it replaced nodes: it never answers those. */
const UNANSWERED = 50;
/** Milliseconds without a pass after which the daemon is at rest. */
const QUIET = 400;
const PATIENCE = 600_000;

/** Times of one sort in milliseconds, over all turns. */
interface Spread {
  readonly median: number;
  readonly worst: number;
}

export interface PushFigures {
  readonly bench: 'push';
  readonly workflows: number;
  readonly turns: number;
  readonly load: string;
  /** From the push standing on the git server until the flow answers anew. */
  readonly live: Spread;
  /** The same change written by a bare request, until the flow answers anew: the platform's own time. */
  readonly bare: Spread;
  /** What Plumbline and git add to that. */
  readonly added: Spread;
  readonly limit: number;
  readonly met: boolean;
}

/**
 * A commit to one of many workflows, pushed to a real git server that calls the daemon's hook, until the flow on a real
 * Node-RED answers with what was committed; and the same change written bare, in the same run.
 */
export async function benchPush(workflows: number, nodeFlags: readonly string[]): Promise<PushFigures> {
  const dir = await mkdtemp(join(tmpdir(), 'plumbline-push-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const nodeRed = await startNodeRed();
  cleanup.defer(() => nodeRed.stop());
  let hooks = '';
  let pushed = 0;
  const git = cleanup.use(
    await startGitServer(async ({ ref, before, after }) => {
      pushed = performance.now();
      if (hooks !== '') await tellPush(hooks, { ref, before, after });
    }),
  );
  const url = await git.create('flows');
  const repository = join(git.path, 'flows.git');
  await makeRepository(repository, workflows, definition);
  const daemon = await startDaemon(dir, { nodeRed: nodeRed.url, git: url, nodeFlags });
  cleanup.defer(() => daemon.stop());
  hooks = daemon.hooks;
  const flow = (index: number) => `${nodeRed.url}/w/${index}`;
  await answers(flow(workflows - 1), '0');

  const live: number[] = [];
  const bare: number[] = [];
  for (let turn = 1; turn <= TURNS + 1; turn += 1) {
    const index = (turn * 97) % workflows;
    const before = (await rawFlows(nodeRed.url)).flows;
    // A commit made on the side and pushed over HTTP, as a person's git does.
    await pushCommit({ dir, url, repository, index, turn });
    live.push((await answers(flow(index), String(turn))) - pushed);
    const after = (await rawFlows(nodeRed.url)).flows;
    await daemon.rest();
    // Back and forth by bare requests: the second is the same change, and its time is the platform's own.
    await deployRaw(nodeRed.url, before);
    await answers(flow(index), '0');
    const begin = performance.now();
    await deployRaw(nodeRed.url, after);
    bare.push((await answers(flow(index), String(turn))) - begin);
    await daemon.rest();
  }
  const added = live.map((time, turn) => time - (bare[turn] ?? 0));
  const limit = 500;
  const counted = (times: readonly number[]): Spread => spread(times.slice(1));
  const figures = { live: counted(live), bare: counted(bare), added: counted(added) };
  const met = figures.added.median <= limit;
  return { bench: 'push', workflows, turns: TURNS, load: load(), ...figures, limit, met };
}

/** A flow that tells its edition over HTTP. */
function definition(index: number, edition: number): JsonValue {
  const id = (part: number) => `${index.toString(16).padStart(8, '0')}${part.toString(16).padStart(8, '0')}`;
  const tab = id(0);
  const at = (position: number) => ({ z: tab, x: 120 + 160 * position, y: 80 });
  return [
    { id: tab, type: 'tab', label: `Workflow ${index}`, disabled: false, info: '', env: [] },
    { id: id(1), type: 'http in', ...at(0), name: 'Ask', url: `/w/${index}`, method: 'get', wires: [[id(2)]] },
    {
      id: id(2),
      type: 'function',
      ...at(1),
      name: 'Edition',
      func: `msg.payload = "${edition}";\nreturn msg;\n`,
      outputs: 1,
      wires: [[id(3)]],
    },
    { id: id(3), type: 'http response', ...at(2), name: 'Answer', wires: [] },
  ];
}

/** @returns when the flow answered so (performance.now()) */
async function answers(url: string, edition: string): Promise<number> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    // While its nodes are replaced a flow does not answer at all.
    const answer = await fetch(url, { signal: AbortSignal.timeout(UNANSWERED) }).catch(() => undefined);
    if (answer?.ok === true && (await answer.text()) === edition) return performance.now();
    await pause(LOOK_EVERY);
  }
  throw new Error(`${url} never answered ${edition}`);
}

async function tellPush(
  hooks: string,
  push: { readonly ref: string; readonly before: string; readonly after: string },
) {
  const body = JSON.stringify({ ...push, repository: { full_name: 'bench/flows' } });
  const answer = await fetch(`${hooks}/hooks/git/bench`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    },
    body,
  });
  if (!answer.ok) throw new Error(`the hook answered ${answer.status}: ${await answer.text()}`);
}

async function pushCommit(order: {
  readonly dir: string;
  readonly url: string;
  readonly repository: string;
  readonly index: number;
  readonly turn: number;
}): Promise<void> {
  const { dir, url, repository, index, turn } = order;
  const own = join(dir, 'own.git');
  if (turn === 1) await run('git', ['clone', '--quiet', '--bare', repository, own]);
  await commitOne(own, index, definition(index, turn));
  await run('git', ['-C', own, 'push', '--quiet', url, 'main']);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}

interface RunningDaemon {
  readonly hooks: string;
  /** Waits until no pass has ended for a while: what the bare requests do is looked at too. */
  rest(): Promise<void>;
  stop(): Promise<void>;
}

async function startDaemon(
  dir: string,
  {
    nodeRed,
    git,
    nodeFlags,
  }: { readonly nodeRed: string; readonly git: string; readonly nodeFlags: readonly string[] },
): Promise<RunningDaemon> {
  const metadata = { name: 'bench' };
  const apiVersion = 'plumbline.dev/v1alpha1';
  const secret = join(dir, 'secret');
  await writeFile(secret, SECRET);
  const limits = { requestsPerSecond: 1000 };
  const platform = { apiVersion, kind: 'Platform', metadata, spec: { driver: 'node-red', url: nodeRed, limits } };
  const webhook = { provider: 'github', secret: { valueFrom: { file: secret } } };
  // Nothing but pushes may wake it, and what the bare requests do is reported, not reverted.
  const terms = { platform: 'bench', interval: '24h', drift: 'report' };
  const sync = { apiVersion, kind: 'Sync', metadata, spec: { source: { git: { url: git, webhook } }, ...terms } };
  const configuration = join(dir, 'plumbline.yaml');
  await writeFile(configuration, [platform, sync].map((document) => stringify(document)).join('---\n'));
  const state = join(dir, 'state');
  const listeners = ['--listen', '127.0.0.1:0', '--listen-hooks', '127.0.0.1:0', '--log-level', 'error'];
  const args = [...nodeFlags, MAIN, 'start', '--config', configuration, '--state-dir', state, ...listeners];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const told = await daemonFile(join(state, 'daemon.json'), child);
  const passes = async (): Promise<number> => {
    const text = await (await fetch(`${told.address}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('plumbline_passes_total{'));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  await until(async () => (await passes()) > 0);
  return {
    hooks: told.hooks,
    rest: async () => {
      for (let before = -1, now = await passes(); now !== before; now = await passes()) {
        before = now;
        await pause(QUIET);
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      await new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve(undefined)));
    },
  };
}

async function daemonFile(file: string, child: ChildProcess): Promise<{ address: string; hooks: string }> {
  return until(async () => {
    if (child.exitCode !== null) throw new Error('the daemon did not start');
    const text = await readFile(file, 'utf8').catch(() => '');
    return text === '' ? undefined : (JSON.parse(text) as { address: string; hooks: string });
  });
}

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await pause(20);
  }
  throw new Error('not in time');
}

function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((one, other) => one - other);
  const rounded = (time: number | undefined) => Math.round(time ?? 0);
  return { median: rounded(sorted[Math.floor(sorted.length / 2)]), worst: rounded(sorted.at(-1)) };
}
