import type { JsonObject, Key, Kind } from '../manifest/manifest.ts';
import type { Intent, LedgerRecord, Owned } from '../plan/types.ts';

/** What was on the platform before it was overwritten or deleted (law 14). */
export interface ArchiveEntry {
  readonly key: Key;
  readonly kind: Kind;
  readonly remote: string;
  readonly title: string;
  readonly value: JsonObject;
  readonly reason: 'drift' | 'delete' | 'adopt';
  readonly revision: string;
  /** Who changed it on the platform, and when (milliseconds since 1970), as far as it tells. */
  readonly changedBy?: string;
  readonly changedAt?: number;
}

/** What came of one intent: owned from now on, not owned any more, or as it was. */
export interface Settlement {
  readonly intent: string;
  readonly result: { readonly owned: Owned } | { readonly forget: Key } | 'unchanged';
}

/**
 * Where `apply` writes what it is about to do and what came of it. Every method is durable when it returns: a
 * process killed one instruction later finds it again. The ledger implements it, for one Sync on one Platform; where
 * replicas take over from each other, intents are also where the others find them, which takes a while.
 */
export interface Journal {
  /** Before the write: one intent per change. @throws when they cannot be kept: then nothing is written. */
  intend(intents: readonly Intent[]): void | Promise<void>;
  /** After the write, many at once: all of them, or when it throws, none. */
  settleAll(settlements: readonly Settlement[]): void;
  /** Keeps copies; returns their ids, by which `restore` finds them. @throws when they cannot be kept: then nothing is written. */
  archive(entries: readonly ArchiveEntry[]): readonly string[];
  /** Bookkeeping of a plan that needs no write on the platform. */
  record(records: readonly LedgerRecord[]): void;
  /** When everything is done: what was settled and recorded is where a successor finds it, too. Until then it finds intents. */
  conclude?(): Promise<void>;
}
