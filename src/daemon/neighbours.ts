import type { ReconcilerError } from '../errors.ts';
import { partIn } from '../kube/inventory-store.ts';
import type { InventoryStore } from '../kube/inventory-store.ts';
import { nameOf } from '../kube/object.ts';
import type { ObjectChange, ObjectWatch } from '../kube/watch.ts';
import type { Scope } from '../ledger/ownership.ts';
import { toldIn } from '../ledger/told-rows.ts';
import type { ToldRows } from '../ledger/told-rows.ts';
import type { Key } from '../manifest/manifest.ts';

type Outputs = Readonly<Record<string, string>>;

interface Part {
  readonly of: number;
  readonly told: ToldRows;
}

/**
 * What other replicas have written down of the platforms that they hold, as far as it matters here: outputs of what they own, and which Syncs have
 * succeeded. Followed from the first time that somebody asks for it on; where nothing refers to another replica's work, nothing is.
 */
export class Neighbours implements AsyncDisposable {
  /** Told when what is known may be different now; `syncs` have succeeded since, or under other settings. */
  onNews: (syncs: ReadonlySet<string>) => void = () => undefined;
  readonly #store: InventoryStore;
  readonly #onFault: (error: unknown) => void;
  /** By what they are about, then by their own names. */
  readonly #parts = new Map<string, Map<string, Part>>();
  #watch: ObjectWatch | undefined;
  #trouble: ReconcilerError | undefined;

  constructor(store: InventoryStore, onFault: (error: unknown) => void) {
    this.#store = store;
    this.#onFault = onFault;
  }

  /** Why what is known may be old, or nothing is. */
  get trouble(): ReconcilerError | undefined {
    return this.#trouble;
  }

  /** Outputs of an object as its owner has written them down; undefined when it has not. */
  outputs({ sync, platform }: Scope, key: Key): Outputs | undefined {
    this.#follow();
    // While an inventory is split anew, both layouts of it are there.
    const newest = this.#partsOf(sync, platform).toSorted((one, other) => other.of - one.of);
    return newest.map(({ told }) => told.outputs.get(key)).find((outputs) => outputs !== undefined);
  }

  /** What stood for the settings of the Sync when a pass of it last succeeded there first; undefined when none has. */
  succeeded({ sync, platform }: Scope): string | undefined {
    this.#follow();
    const parts = this.#partsOf('', platform);
    return parts.map(({ told }) => told.succeeded.get(sync)).find((settings) => settings !== undefined);
  }

  /** Resolves when all of that is known that was told before, or when the signal says that it is enough. */
  async known(signal: AbortSignal): Promise<void> {
    const enough = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#follow().listed, enough]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
  }

  #partsOf(sync: string, platform: string): readonly Part[] {
    return [...(this.#parts.get(idOf({ sync, platform }))?.values() ?? [])];
  }

  #follow(): ObjectWatch {
    this.#watch ??= this.#store.watch(toldIn, {
      change: (change) => this.#changed(change),
      trouble: (trouble) => {
        this.#trouble = trouble;
        if (trouble !== undefined) this.#onFault(trouble);
      },
      fault: this.#onFault,
    });
    return this.#watch;
  }

  #changed({ object, gone }: ObjectChange): void {
    const { of, kept, ...scope } = partIn(object);
    const told = kept as ToldRows;
    const parts = this.#parts.get(idOf(scope)) ?? new Map<string, Part>();
    const before = parts.get(nameOf(object))?.told.succeeded ?? new Map<string, string>();
    if (gone) parts.delete(nameOf(object));
    else parts.set(nameOf(object), { of, told });
    if (parts.size === 0) this.#parts.delete(idOf(scope));
    else this.#parts.set(idOf(scope), parts);
    const succeeded = gone ? [] : [...told.succeeded].filter(([one, settings]) => before.get(one) !== settings);
    this.onNews(new Set(succeeded.map(([one]) => one)));
  }
}

function idOf({ sync, platform }: Scope): string {
  return JSON.stringify([sync, platform]);
}
