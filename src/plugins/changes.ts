import type { Origin } from '../errors.ts';
import type { JsonObject, Key, Kind } from '../manifest/manifest.ts';
import type { PluginRefusal } from './refusal.ts';

/** One change that a plan would make, as a plugin sees it. Secrets are references in a manifest and are no part of it. */
export interface AskedChange {
  readonly verb: 'create' | 'update' | 'adopt';
  readonly key: Key;
  readonly kind: Kind;
  readonly name: string;
  readonly title: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: Origin;
  /** The desired content, as `Manifest.spec()` gives it. */
  readonly spec: JsonObject;
}

/** A change whose content is read when somebody is asked about it. */
export interface PendingChange {
  readonly key: Key;
  readonly kind: Kind;
  read(): Promise<AskedChange>;
}

export interface ChangesAsked {
  readonly platform: string;
  readonly sync: string;
  readonly revision: string;
  readonly changes: readonly PendingChange[];
  /** Milliseconds after which what was not answered counts as failed. */
  readonly patience: number;
}

/** Whoever looks at the changes of a plan before it is carried out. */
export interface ChangeChecks {
  /** Whether anybody is asked about changes of this kind on this platform. */
  concerns(kind: Kind, platform: string): boolean;
  /** What is refused, by key. Fails closed, and rejects only with the signal's reason or when content cannot be read. */
  checkChanges(asked: ChangesAsked, signal: AbortSignal): Promise<ReadonlyMap<Key, readonly PluginRefusal[]>>;
}

/** Bytes of the changes that one call is about, and of a single one that can be asked about at all. */
const BATCH = 1024 * 1024;
const LARGEST = 32 * 1024 * 1024;
/** Changes in one call at most. */
const MOST = 500;

export interface Batch {
  readonly changes: readonly AskedChange[];
  readonly tooLarge: readonly Key[];
}

/** Reads changes and puts them together in batches of bounded size: definitions can be megabytes. */
export async function* batchesOf(pending: readonly PendingChange[], signal: AbortSignal): AsyncGenerator<Batch> {
  let changes: AskedChange[] = [];
  let tooLarge: Key[] = [];
  let size = 0;
  for (const one of pending) {
    signal.throwIfAborted();
    const change = await one.read();
    const bytes = Buffer.byteLength(JSON.stringify(change));
    if (bytes > LARGEST) {
      tooLarge.push(one.key);
      continue;
    }
    if (changes.length > 0 && (size + bytes > BATCH || changes.length >= MOST)) {
      yield { changes, tooLarge };
      [changes, tooLarge, size] = [[], [], 0];
    }
    changes.push(change);
    size += bytes;
  }
  if (changes.length + tooLarge.length > 0) yield { changes, tooLarge };
}
