import { createHash } from 'node:crypto';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import type { SyncName } from '../ledger/sync-states.ts';

/** A record that is given up, and why. */
export interface DeadLetter {
  readonly reason: string;
  readonly key?: string;
  readonly changedAt?: number;
  readonly attempts?: number;
  readonly data: JsonValue;
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
    const text = letters.map((letter) => `${this.#lineOf(sync, letter)}\n`).join('');
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    if (size + Buffer.byteLength(text) > LARGEST) throw full(file);
    const handle = await open(file, 'a', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Nothing of a record that holds a secret is written down (law 9). */
  #lineOf({ platform, name }: SyncName, { reason, key, changedAt, attempts, data }: DeadLetter): string {
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
      reason: this.#redact(reason),
      ...(attempts === undefined ? {} : { attempts }),
      ...(changedAt === undefined ? {} : { changedAt: new Date(changedAt).toISOString() }),
      ...(hidden ? { withheld: 'it holds a secret' } : { ...(key === undefined || key === '' ? {} : { key }), data }),
    });
  }
}

function full(file: string): ReconcilerError {
  return new ReconcilerError(`The dead letters in ${file} have reached ${LARGEST} bytes.`, 'backoff', {
    code: 'dead-letters-full',
    remedy: 'Look at them, mend what they tell of, and move the file away.',
  });
}
