import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Socket } from 'node:net';
import { ByteReader } from './byte-reader.ts';
import type { GitPlace } from './git-process.ts';

const STDERR_LIMIT = 16_384;

/**
 * A `git cat-file --batch` that answers one reader at a time. It ends by itself when this process does, because its
 * input ends then.
 */
export class BlobProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #reader: ByteReader;
  readonly #closed: Promise<void>;
  #stderr = '';

  constructor(place: GitPlace) {
    this.#child = spawn('git', ['cat-file', '--batch'], {
      cwd: place.dir,
      env: { ...place.env },
      stdio: 'pipe',
      detached: true,
      windowsHide: true,
    });
    const { stdin, stdout, stderr } = this.#child;
    // A broken pipe says nothing that the end of the output does not say.
    stdin.on('error', () => undefined);
    stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < STDERR_LIMIT) this.#stderr += chunk.toString('utf8');
    });
    this.#closed = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#stderr ||= error.message;
        resolve();
      });
      this.#child.once('close', () => resolve());
    });
    this.#reader = new ByteReader(stdout);
  }

  /** Resolves when the process has ended, whatever ended it. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Asks for blobs; `answer` gives them in the same order. */
  ask(ids: readonly string[]): void {
    this.#child.stdin.write(`${ids.join('\n')}\n`);
  }

  /** @throws Error when the blob is missing or git fails; the process is of no use afterwards. */
  async answer(id: string): Promise<Buffer> {
    try {
      const header = (await this.#reader.line()).split(' ');
      if (header[1] !== 'blob') throw new Error(`bad object ${id}: ${header[1] ?? 'no answer'} instead of a file`);
      const bytes = await this.#reader.take(Number(header[2]));
      await this.#reader.skip(1);
      return bytes;
    } catch (error) {
      this.kill();
      await this.#closed;
      const said = this.#stderr.trim();
      throw said === '' ? error : new Error(said, { cause: error });
    }
  }

  /** Whether this process has to stay for it. */
  hold(held: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const handle of [this.#child, stdin, stdout, stderr]) {
      if (handle !== this.#child && !(handle instanceof Socket)) continue;
      if (held) handle.ref();
      else handle.unref();
    }
  }

  end(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL');
    }
  }
}
