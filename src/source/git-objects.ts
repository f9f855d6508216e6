import { streamGit } from './git-process.ts';
import type { GitPlace } from './git-process.ts';

/**
 * The blobs `ids`, in that order, from one `git cat-file --batch`. At most one blob is held at a time; git waits while
 * the reader is busy.
 * @throws Error when a blob is missing or git fails.
 */
export async function* readBlobs(
  place: GitPlace,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<{ readonly id: string; readonly bytes: Buffer }, void> {
  if (ids.length === 0) return;
  const output = streamGit(place, ['cat-file', '--batch'], { signal, input: idLines(ids) });
  const reader = new ByteReader(output);
  try {
    for (const id of ids) {
      const header = (await reader.line()).split(' ');
      if (header[1] !== 'blob') throw new Error(`bad object ${id}: ${header[1] ?? 'no answer'} instead of a file`);
      const bytes = await reader.take(Number(header[2]));
      await reader.take(1);
      yield { id, bytes };
    }
  } finally {
    await output.return();
  }
}

/** Ids for a command's standard input, in blocks: one write per id would be one system call per id. */
function* idLines(ids: readonly string[]): Generator<string, void> {
  for (let start = 0; start < ids.length; start += 512) yield `${ids.slice(start, start + 512).join('\n')}\n`;
}

/** Reads lines and counted bytes from a stream of chunks. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer, unknown>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    let end = this.#rest.indexOf(10);
    while (end < 0) {
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
      end = this.#rest.indexOf(10);
    }
    const line = this.#rest.subarray(0, end).toString('latin1');
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = [this.#rest];
    let have = this.#rest.length;
    while (have < count) {
      const chunk = await this.#next();
      parts.push(chunk);
      have += chunk.length;
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts);
    this.#rest = all.subarray(count);
    // A copy, so that a small file does not keep a whole chunk alive.
    return Buffer.from(all.subarray(0, count));
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error('git cat-file ended early');
    return value;
  }
}
