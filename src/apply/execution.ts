import type { Driver } from '../drivers/driver.ts';
import type { JsonObject, Key } from '../manifest/manifest.ts';
import type { Change, Owned, RemoteObject } from '../plan/types.ts';
import type { SecretValue } from '../secrets/secrets.ts';
import type { Journal } from './journal.ts';

/** What carrying out a plan takes. */
export interface Execution {
  readonly driver: Pick<Driver, 'apply'>;
  readonly journal: Journal;
  /** The normalised desired content of a change. */
  desired(change: Change): Promise<JsonObject>;
  secrets(change: Change): Promise<Readonly<Record<string, SecretValue>>>;
  /** What the ledger is told of an object once it stands. */
  owned(change: Change, remote: string): Owned;
  /** What is on the platform now, for the archive; undefined when it is gone. */
  observed(changes: readonly Change[], signal: AbortSignal): Promise<ReadonlyMap<Key, RemoteObject>>;
  /** The id that a create chooses, where the client may choose. */
  idFor(key: Key): string | undefined;
  readonly clock: () => number;
}
