import type { ArchiveEntry, Journal } from '../apply/journal.ts';
import type { Intent, LedgerRecord, Owned } from '../plan/types.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Archive } from './archive.ts';
import type { Database } from './database.ts';
import type { Ownership, Scope } from './ownership.ts';

/** What came of one intent, as `Journal.settle` takes it. */
export interface Settlement {
  readonly intent: string;
  readonly result: { readonly owned: Owned } | { readonly forget: Key } | 'unchanged';
}

/**
 * The journal of one Sync on one Platform. Intents, archived copies and records outlive a loss of power when the method
 * returns. Settlements outlive the process; a loss of power may take the last of them, and then their intents are
 * still there and are looked for again, which saves a disk flush per object.
 */
export class LedgerJournal implements Journal {
  readonly #database: Database;
  readonly #ownership: Ownership;
  readonly #archive: Archive;
  readonly #scope: Scope;

  constructor(
    parts: { readonly database: Database; readonly ownership: Ownership; readonly archive: Archive },
    scope: Scope,
  ) {
    this.#database = parts.database;
    this.#ownership = parts.ownership;
    this.#archive = parts.archive;
    this.#scope = scope;
  }

  /** An intent whose id is open already is replaced: ids may be derived from what is intended. */
  intend(intents: readonly Intent[]): void {
    if (intents.length === 0) return;
    this.#database.write('write down intents', () => {
      for (const intent of intents) this.#ownership.intend(this.#scope, intent);
    });
  }

  settle(intent: string, result: Settlement['result']): void {
    this.settleAll([{ intent, result }]);
  }

  /** Settles many in one transaction: all of them, or when it throws, none. */
  settleAll(settlements: readonly Settlement[]): void {
    if (settlements.length === 0) return;
    this.#database.write(
      'write down outcomes',
      () => {
        for (const { intent, result } of settlements) {
          this.#ownership.settle(this.#scope, intent);
          if (result === 'unchanged') continue;
          if ('owned' in result) this.#ownership.own(this.#scope, result.owned);
          else this.#ownership.forget(this.#scope, result.forget);
        }
      },
      'process',
    );
  }

  archive(entries: readonly ArchiveEntry[]): readonly string[] {
    if (entries.length === 0) return [];
    return this.#database.write('keep copies', () => this.#archive.keep(this.#scope, entries));
  }

  record(records: readonly LedgerRecord[]): void {
    if (records.length === 0) return;
    this.#database.write('write down ownership', () => {
      for (const record of records) {
        if (record.record === 'own') this.#ownership.own(this.#scope, record.owned);
        else if (record.record === 'forget') this.#ownership.forget(this.#scope, record.key);
        else this.#ownership.settle(this.#scope, record.intent);
      }
    });
  }
}
