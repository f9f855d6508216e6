import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import { isObject } from '../manifest/pointer.ts';
import type { SyncName } from '../ledger/sync-states.ts';
import { exclusively } from '../source/exclusive.ts';

/** A record that is given up, and why. */
export interface DeadLetter {
  /** What `data` is: that of a record, something that is no record, or the trigger of a run. */
  readonly what: 'record' | 'fragment' | 'trigger';
  readonly reason: string;
  readonly key?: string;
  readonly changedAt?: number;
  readonly attempts?: number;
  readonly data: JsonValue;
}

/** One as it is kept. */
export interface KeptLetter {
  readonly id: string;
  /** When it was given up; milliseconds since 1970. */
  readonly at: number;
  readonly what: DeadLetter['what'];
  readonly reason: string;
  readonly key: string;
  readonly changedAt?: number;
  readonly attempts: number;
  /** Undefined where it held a secret. */
  readonly data?: JsonValue;
}

/** Bytes of one file; beyond them nothing more is given up, and so nothing more is read. */
const LARGEST = 64 * 1024 * 1024;

/**
 * What Integrations could not bring to its place: one file of JSON lines per Integration, each line with its reason. A line is on
 * disk before the record is forgotten; when the process dies in between it comes a second time, under the same id.
 */
export class DeadLetters {
  readonly #dir: string;
  readonly #redact: (text: string) => string;
  readonly #now: () => number;
  /** Keys of what is in a file, by file; of those that somebody asked for. */
  readonly #keys = new Map<string, Set<string>>();

  constructor(dir: string, { redact, now }: { readonly redact: (text: string) => string; readonly now: () => number }) {
    this.#dir = dir;
    this.#redact = redact;
    this.#now = now;
  }

  fileOf({ platform, name }: SyncName): string {
    return join(this.#dir, platform, `${name}.jsonl`);
  }

  /** @throws ReconcilerError `dead-letters-full`; what the file system says */
  async add(sync: SyncName, letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    const file = this.fileOf(sync);
    await exclusively(file, () => this.#append(file, sync, letters));
  }

  /** Each once, oldest first, however often it stands there; a line that cannot be read is left alone. @throws what the file system says */
  async *list(sync: SyncName): AsyncGenerator<KeptLetter> {
    const seen = new Set<string>();
    for await (const line of linesOf(this.fileOf(sync))) {
      const letter = letterIn(line);
      if (letter === undefined || seen.has(letter.id)) continue;
      seen.add(letter.id);
      yield letter;
    }
  }

  /** Keys of which there are letters. @throws what the file system says */
  async keys(sync: SyncName): Promise<ReadonlySet<string>> {
    const file = this.fileOf(sync);
    const known = this.#keys.get(file);
    if (known !== undefined) return known;
    return exclusively(file, async () => {
      const keys = new Set<string>();
      for await (const { key } of this.list(sync)) if (key !== '') keys.add(key);
      this.#keys.set(file, keys);
      return keys;
    });
  }

  /** Takes letters out of their file, which is as it was or as it is meant, whatever happens meanwhile. @throws what the file system says */
  async remove(sync: SyncName, ids: ReadonlySet<string>): Promise<void> {
    if (ids.size === 0) return;
    const file = this.fileOf(sync);
    await exclusively(file, async () => {
      const kept = `${file}.new`;
      const keys = new Set<string>();
      const handle = await open(kept, 'w', 0o600);
      try {
        for await (const line of linesOf(file)) {
          const letter = letterIn(line);
          if (letter !== undefined && ids.has(letter.id)) continue;
          await handle.appendFile(`${line}\n`);
          if (letter !== undefined && letter.key !== '') keys.add(letter.key);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      const { size } = await stat(kept);
      if (size > 0) await rename(kept, file);
      else for (const gone of [file, kept]) await rm(gone, { force: true });
      this.#keys.set(file, keys);
    });
  }

  async #append(file: string, sync: SyncName, letters: readonly DeadLetter[]): Promise<void> {
    const lines = letters.map((letter) => this.#lineOf(sync, letter));
    const text = lines.map((line) => `${line}\n`).join('');
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    if (size + Buffer.byteLength(text) > LARGEST) throw full(file);
    const handle = await open(file, 'a+', 0o600);
    try {
      await handle.writeFile(size > 0 && (await isCutOff(handle, size)) ? `\n${text}` : text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const keys = this.#keys.get(file);
    for (const line of lines) {
      const { key = '' } = letterIn(line) ?? {};
      if (key !== '') keys?.add(key);
    }
  }

  /** Nothing of a record that holds a secret is written down (law 9). */
  #lineOf({ platform, name }: SyncName, { what, reason, key, changedAt, attempts, data }: DeadLetter): string {
    const content = JSON.stringify({ key, data });
    const hidden = this.#redact(content) !== content;
    const id = createHash('sha256')
      .update(JSON.stringify([platform, name, content, changedAt]))
      .digest('hex')
      .slice(0, 16);
    return JSON.stringify({
      id,
      at: new Date(this.#now()).toISOString(),
      platform,
      integration: name,
      what,
      reason: this.#redact(reason),
      ...(attempts === undefined ? {} : { attempts }),
      ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt).toISOString() }),
      ...(hidden ? { withheld: 'it holds a secret' } : { ...(key === undefined || key === '' ? {} : { key }), data }),
    });
  }
}

/** Whether the last line has no end: the process died while it was written. */
async function isCutOff(handle: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: size - 1 });
  return buffer.toString() !== '\n';
}

async function* linesOf(file: string): AsyncGenerator<string> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isObject(error) && error['code'] === 'ENOENT') return;
    throw error;
  }
  try {
    for await (const line of handle.readLines()) if (line !== '') yield line;
  } finally {
    await handle.close();
  }
}

function letterIn(line: string): KeptLetter | undefined {
  let read: JsonObject;
  try {
    read = JSON.parse(line) as JsonObject;
  } catch {
    return undefined;
  }
  const { id, at, what, reason, key, changedAt, attempts, data } = read;
  if (typeof id !== 'string' || typeof at !== 'string' || typeof reason !== 'string') return undefined;
  return {
    id,
    at: Date.parse(at),
    what: what === 'record' || what === 'trigger' ? what : 'fragment',
    reason,
    key: typeof key === 'string' ? key : '',
    attempts: typeof attempts === 'number' ? attempts : 0,
    ...(typeof changedAt === 'string' ? { changedAt: Date.parse(changedAt) } : {}),
    ...(data === undefined ? {} : { data }),
  };
}

function full(file: string): ReconcilerError {
  return new ReconcilerError(`The dead letters in ${file} have reached ${LARGEST} bytes.`, 'backoff', {
    code: 'dead-letters-full',
    remedy: 'Look at them with "plumbline integrations letters", mend what they tell of, and replay or discard them.',
  });
}
