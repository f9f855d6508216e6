import { createHash } from 'node:crypto';
import type { Journal } from '../apply/journal.ts';
import type { InventoryStore } from '../kube/inventory-store.ts';
import type { Ledger } from './ledger.ts';
import type { Scope } from './ownership.ts';
import { keyOf } from './shared-rows.ts';
import type { SharedRows } from './shared-rows.ts';

/** Bytes of text of one part; an object of a cluster may have 1 MiB with all that belongs to it. */
const PART = 400_000;

interface Written {
  /** Number of parts. */
  readonly of: number;
  /** Digest of each part as it was written or read last. */
  readonly digests: Map<number, string>;
}

/**
 * What replicas have to know of each other's work, kept in the cluster beside the ledger of the one that does it: a successor reads
 * it into its own ledger and goes on as after a crash (law 6). Intents are there before their stage is written to the platform;
 * outcomes go along with the intents of the next stage, or when the pass ends, so that a stage costs one write for each part that it
 * touches and an object costs none of its own.
 */
export class Inventory {
  readonly #store: InventoryStore;
  readonly #ledger: Ledger;
  /** @throws ReconcilerError `not-holder` when this replica may not write for the platform. */
  readonly #refuse: (platform: string) => void;
  readonly #written = new Map<string, Written>();
  readonly #dirty = new Set<string>();
  #turn: Promise<void> = Promise.resolve();

  constructor(store: InventoryStore, ledger: Ledger, refuse: (platform: string) => void) {
    this.#store = store;
    this.#ledger = ledger;
    this.#refuse = refuse;
  }

  /** The journal of a Sync on a Platform, whose intents are in the cluster when it says that they are written down. */
  journal(scope: Scope): Journal {
    const journal = this.#ledger.journal(scope);
    const changed = (): void => void this.#dirty.add(idOf(scope));
    return {
      intend: async (intents) => {
        if (intents.length === 0) return;
        journal.intend(intents);
        changed();
        await this.save(scope);
      },
      settleAll: (settlements) => {
        journal.settleAll(settlements);
        if (settlements.length > 0) changed();
      },
      archive: (entries) => journal.archive(entries),
      record: (records) => {
        journal.record(records);
        if (records.length > 0) changed();
      },
      conclude: () => this.save(scope),
    };
  }

  /** As `save`, for what is known of a Platform as a whole. */
  async savePlatform(platform: string): Promise<void> {
    await this.#next(() => this.#write({ sync: '', platform }, true));
  }

  /** Brings the cluster up to date with the ledger. What has not changed is not written. @throws ReconcilerError */
  async save(scope: Scope): Promise<void> {
    await this.#next(async () => {
      // Registers and platform facts are few and change outside of passes, too.
      await this.#write({ sync: '', platform: scope.platform }, true);
      if (!this.#dirty.has(idOf(scope))) return;
      await this.#write(scope, false);
      this.#dirty.delete(idOf(scope));
    });
  }

  /**
   * Reads into the ledger what the cluster knows of these platforms, in place of what stands there. A platform that no replica has
   * ever written down keeps what the ledger has: a single plumbline becomes one of several.
   * @throws ReconcilerError; then nothing may be written to them
   */
  async load(platforms: readonly string[], isOurs: (platform: string) => boolean): Promise<void> {
    await this.#next(async () => {
      const stored = (await this.#store.read()).filter(({ platform }) => isOurs(platform));
      const known = new Set(stored.map(({ platform }) => platform));
      for (const id of this.#written.keys()) if (isOurs(platformOf(id))) this.#written.delete(id);
      const syncs = new Map([...known].map((platform) => [platform, this.#ledger.cursors.known(platform)]));
      for (const platform of known) this.#ledger.shared.forgetPlatform(platform);
      for (const { sync, platform, of, parts } of stored) {
        for (const text of parts.values()) this.#ledger.shared.add(JSON.parse(text) as SharedRows);
        const digests = new Map([...parts].map(([part, text]) => [part, digestOf(text)]));
        this.#written.set(idOf({ sync, platform }), { of, digests });
      }
      for (const [platform, before] of syncs) this.#ledger.cursors.takeOver(platform, before);
      for (const platform of platforms) {
        if (known.has(platform) || !isOurs(platform)) continue;
        for (const sync of this.#ledger.shared.syncsOn(platform)) this.#dirty.add(idOf({ sync, platform }));
        await this.#write({ sync: '', platform }, true);
      }
    });
  }

  /** After Syncs were renamed: what the cluster has under names that own nothing any more goes. */
  async tidy(isOurs: (platform: string) => boolean): Promise<void> {
    await this.#next(async () => {
      for (const id of this.#written.keys()) {
        const [sync = '', platform = ''] = JSON.parse(id) as readonly string[];
        if (sync !== '' && isOurs(platform)) await this.#write({ sync, platform }, false);
      }
      for (const platform of new Set([...this.#written.keys()].map(platformOf))) {
        if (!isOurs(platform)) continue;
        for (const sync of this.#ledger.shared.syncsOn(platform)) await this.#write({ sync, platform }, false);
      }
    });
  }

  async #write(scope: Scope, keepEmpty: boolean): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#refuse(scope.platform);
      const before = this.#written.get(idOf(scope));
      const rows = this.#ledger.shared.rows(scope);
      const empty = Object.keys(rows).every((table) => table === 'cursor');
      if (empty && !keepEmpty) {
        if (before !== undefined) await this.#store.remove(scope);
        this.#written.delete(idOf(scope));
        return;
      }
      const { of, parts } = split(rows, before?.of ?? 1);
      const changed = new Map(
        [...parts].filter(([part, text]) => before?.of !== of || before.digests.get(part) !== digestOf(text)),
      );
      if (changed.size === 0) return;
      const foreign = await this.#store.write(scope, { of, parts: changed });
      if (foreign.length === 0) {
        const digests = new Map([...parts].map(([part, text]) => [part, digestOf(text)]));
        this.#written.set(idOf(scope), { of, digests });
        return;
      }
      if (attempt > 3) throw this.#store.contested(scope);
      // Somebody wrote who was the writer before: what it may have begun is looked for as well.
      for (const text of foreign) this.#ledger.shared.add(intentsIn(text));
      this.#written.delete(idOf(scope));
    }
  }

  #next(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function idOf({ sync, platform }: Scope): string {
  return JSON.stringify([sync, platform]);
}

function platformOf(id: string): string {
  return (JSON.parse(id) as readonly string[])[1] ?? '';
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function intentsIn(text: string): SharedRows {
  const { intent = [] } = JSON.parse(text) as SharedRows;
  return { intent };
}

/** Spreads rows over parts by what they are about: whatever changes about one object changes one part. */
function split(
  rows: SharedRows,
  atLeast: number,
): { readonly of: number; readonly parts: ReadonlyMap<number, string> } {
  const size = JSON.stringify(rows).length;
  let of = atLeast;
  while (size / of > PART) of *= 2;
  const sorted: Record<string, SharedRows[string][number][]>[] = Array.from({ length: of }, () => ({}));
  for (const [table, list] of Object.entries(rows)) {
    for (const row of list) {
      const key = keyOf(table, row);
      const part = sorted[key === undefined || of === 1 ? 0 : bucketOf(key, of)];
      if (part !== undefined) (part[table] ??= []).push(row);
    }
  }
  return { of, parts: new Map(sorted.map((part, index) => [index, JSON.stringify(part)])) };
}

function bucketOf(key: string, of: number): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) % of;
}
