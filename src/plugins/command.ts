import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { PluginFolder } from './folder.ts';

/** Copied beside the compiled code as it is, so that what runs in a package is what runs here. */
const BOOTSTRAP = fileURLToPath(new URL('child/bootstrap.mjs', import.meta.url));

/** A child process and the lines to it. */
export interface Child {
  readonly process: ChildProcess;
  /** What it prints. */
  readonly printed: readonly Readable[];
  readonly requests: Duplex;
  readonly answers: Duplex;
  /** The child ends when this closes, whatever it is doing. */
  readonly alive: Duplex;
}

/**
 * Starts the process of a plugin: no environment, no inherited descriptors but the five that it is given.
 * @param memory MiB of the JavaScript heap
 */
export function spawnChild(folder: PluginFolder, memory: number): Child {
  const child = spawn(process.execPath, commandOf(folder, memory), {
    cwd: folder.root,
    env: {},
    // A session of its own: Ctrl-C at the daemon's terminal is for the daemon.
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  const [, stdout, stderr, requests, answers, alive] = child.stdio as unknown as readonly Duplex[];
  if (!stdout || !stderr || !requests || !answers || !alive) throw new Error('a child process has no pipes');
  // A broken pipe is told by the end of the process.
  for (const stream of [stdout, stderr, requests, answers, alive]) stream.on('error', () => undefined);
  return { process: child, printed: [stdout, stderr], requests, answers, alive };
}

/** Whether the child keeps this process from ending. When this process ends, so does the child. */
export function hold({ process: child, printed, requests, answers, alive }: Child, held: boolean): void {
  const word = held ? 'ref' : 'unref';
  child[word]();
  for (const stream of [...printed, requests, answers, alive])
    (stream as Partial<Pick<ChildProcess, typeof word>>)[word]?.();
}

/**
 * Arguments for the runtime: the plugin may read its folder, and nothing else. Worker threads are allowed for the watchdog
 * that the bootstrap starts, and given up before the plugin's code is loaded.
 */
function commandOf(folder: PluginFolder, memory: number): readonly string[] {
  return [
    '--permission',
    `--allow-fs-read=${BOOTSTRAP}`,
    `--allow-fs-read=${folder.root}`,
    '--allow-worker',
    '--no-addons',
    '--disable-proto=throw',
    '--disable-sigusr1',
    '--disable-warning=SecurityWarning',
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=8',
    `--max-old-space-size=${memory}`,
    BOOTSTRAP,
  ];
}
