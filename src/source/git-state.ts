import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** The last state of a source that was accepted; kept beside the mirror, so that a restart does not forget what going backwards is. */
export interface LastGood {
  readonly revision: string;
  /** Ref name it came from (`refs/tags/v1.2.0`). */
  readonly name: string;
  readonly version?: string;
  /** Entries below the path, refused ones included. */
  readonly entries: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** When serving this revision in place of a newer one began. */
  readonly staleSince?: number;
}

const FILE = 'plumbline.json';

/** Undefined when there is none, or when it cannot be understood: then the next read counts as the first. */
export async function loadLastGood(dir: string): Promise<LastGood | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(dir, FILE), 'utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { revision, name, version, entries, at, staleSince } = value as Record<string, unknown>;
  if (typeof revision !== 'string' || !/^[0-9a-f]{40,64}$/.test(revision) || typeof name !== 'string') return undefined;
  return {
    revision,
    name,
    entries: typeof entries === 'number' ? entries : 0,
    at: typeof at === 'number' ? at : 0,
    ...(typeof version === 'string' ? { version } : {}),
    ...(typeof staleSince === 'number' ? { staleSince } : {}),
  };
}

/** Replaces the file in one step and waits for the disk: half a file after a crash would be a forgotten revision. */
export async function saveLastGood(dir: string, good: LastGood): Promise<void> {
  const target = join(dir, FILE);
  const handle = await open(`${target}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(good)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${target}.new`, target);
}
