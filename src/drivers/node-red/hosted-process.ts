import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { HostedFiles } from './hosted-files.ts';

const Running = z.object({ pid: z.int().positive(), parent: z.int().positive() });
const Answer = z.object({ answer: z.string(), ready: z.boolean() });

/**
 * Whether the server on a port is the process that was handed the nonce, and has loaded its flows. The answer is bound to the
 * port, so that nobody who listens there can pass the question on to the right one.
 */
export async function askChild(
  port: number,
  nonce: string,
  signal: AbortSignal,
): Promise<'absent' | 'foreign' | 'loading' | 'ready'> {
  const challenge = randomBytes(24).toString('base64url');
  let body: unknown;
  try {
    const url = `http://127.0.0.1:${port}/plumbline/challenge?challenge=${challenge}`;
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]),
      redirect: 'error',
    });
    if (response.status !== 200) return 'foreign';
    body = await response.json();
  } catch {
    return 'absent';
  }
  const said = Answer.safeParse(body);
  if (!said.success) return 'foreign';
  const expected = createHmac('sha256', nonce).update(`${challenge}:${port}`).digest();
  const given = Buffer.from(said.data.answer, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'foreign';
  return said.data.ready ? 'ready' : 'loading';
}

/** The wanted port if nobody listens on it, else one that the operating system picks. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? 0;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

/**
 * Stops the Node-RED that a killed Plumbline left behind (one that hangs so badly that it did not notice). A process is ours
 * when the system's process list says that it was started for this very user directory: a process id alone may be anybody's by now.
 * @throws ReconcilerError ('backoff') when another living Plumbline runs it.
 */
export async function stopLeftover(files: HostedFiles): Promise<'none' | 'stopped'> {
  const known = readRunning(files.process);
  if (known === undefined || !(await isOurs(known.pid, files.userDir))) {
    rmSync(files.process, { force: true });
    return 'none';
  }
  if ((await parentOf(known.pid)) === known.parent) {
    throw new ReconcilerError(
      `Another Plumbline (process ${known.parent}) runs the Node-RED in ${files.userDir}.`,
      'backoff',
      {
        code: 'hosted-in-use',
        remedy: 'Stop it first, or give this one a state directory of its own (--state-dir).',
      },
    );
  }
  await endProcess(known.pid, async () => isOurs(known.pid, files.userDir));
  rmSync(files.process, { force: true });
  return 'stopped';
}

async function endProcess(pid: number, isThere: () => Promise<boolean>): Promise<void> {
  for (const [signal, patience] of [
    ['SIGTERM', 1500],
    ['SIGKILL', 5000],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadline = Date.now() + patience;
    while (Date.now() < deadline) {
      if (!(await isThere())) return;
      await sleep(50);
    }
  }
}

function readRunning(file: string): z.infer<typeof Running> | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return Running.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

async function isOurs(pid: number, userDir: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const [command, status] = await Promise.all([fileOf(`/proc/${pid}/cmdline`), fileOf(`/proc/${pid}/stat`)]);
    return command.includes(userDir) && !/\) Z /.test(status);
  }
  return (await ps(pid, 'command=')).includes(userDir);
}

async function parentOf(pid: number): Promise<number | undefined> {
  const text =
    process.platform === 'linux'
      ? (await fileOf(`/proc/${pid}/stat`)).replace(/^.*\) \w /s, '')
      : await ps(pid, 'ppid=');
  const parent = Number.parseInt(text, 10);
  return Number.isNaN(parent) ? undefined : parent;
}

const fileOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
const ps = (pid: number, column: string): Promise<string> =>
  promisify(execFile)('/bin/ps', ['-o', column, '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
