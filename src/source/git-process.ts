import { spawn } from 'node:child_process';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { abortReason } from './git-failure.ts';

/** Where and how a git command runs. */
export interface GitPlace {
  /** The bare repository. */
  readonly dir: string;
  /** The whole environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
}

export interface GitStream {
  readonly signal: AbortSignal;
  /** Lines for standard input, written as fast as git takes them. */
  readonly input?: Iterable<string>;
}

const STDERR_LIMIT = 16_384;

/**
 * Runs git and yields its output as it comes, no faster than the reader takes it. simple-git collects a whole output
 * before it answers, which neither bounds memory nor lets a reader stop early; so listings and contents go this way.
 *
 * The command leads a process group of its own, and the group is killed when the reader stops early or the signal fires, so
 * that no child of git outlives its pass.
 * @throws Error with git's stderr as its message when git fails; the signal's reason when it was aborted.
 */
export async function* streamGit(
  place: GitPlace,
  args: readonly string[],
  options: GitStream,
): AsyncGenerator<Buffer, void> {
  options.signal.throwIfAborted();
  const child = spawn('git', args, {
    cwd: place.dir,
    env: { ...place.env },
    stdio: 'pipe',
    detached: true,
    windowsHide: true,
  });
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
  };
  options.signal.addEventListener('abort', kill, { once: true });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A failure to start is reported where `closed` is awaited; until then it must not count as unhandled.
  closed.catch(() => undefined);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_LIMIT) stderr += chunk.toString('utf8');
  });
  // git may close its input early when it fails; the exit code tells, so a broken pipe says nothing more.
  const feeding = pipeline(Readable.from(options.input ?? []), child.stdin).catch(() => undefined);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await closed;
    await feeding;
    if (options.signal.aborted) throw abortReason(options.signal);
    if (code !== 0)
      throw new Error(stderr.trim() === '' ? `git ${args[0] ?? ''} ended with ${code ?? 'a signal'}` : stderr.trim());
  } finally {
    options.signal.removeEventListener('abort', kill);
    kill();
  }
}

/**
 * Cuts a stream at NUL bytes, as `-z` output is. A record longer than `limit` bytes is an error: no path is.
 * The last record needs no terminator.
 */
export async function* records(stream: AsyncIterable<Buffer>, limit = 65_536): AsyncGenerator<Buffer, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = text.indexOf(0, start); end >= 0; end = text.indexOf(0, start)) {
      yield text.subarray(start, end);
      start = end + 1;
    }
    rest = text.subarray(start);
    if (rest.length > limit) throw new Error('git printed a record that is too long');
  }
  if (rest.length > 0) yield rest;
}
