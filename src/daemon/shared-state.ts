import type { KubeClient } from '../kube/client.ts';
import { InventoryStore } from '../kube/inventory-store.ts';
import type { InstallationPlace } from '../kube/installation.ts';
import { SuspensionStore } from '../kube/suspension-store.ts';
import { Inventory } from '../ledger/inventory.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Scope } from '../ledger/ownership.ts';
import { succeededCursor } from '../ledger/shared-rows.ts';
import { Neighbours } from './neighbours.ts';

export interface SharedStateParts {
  /** Throws when this replica may not write for a platform. */
  readonly refuse: (platform: string) => void;
  /** Told what keeps the inventories of others from being followed. */
  readonly onFault: (error: unknown) => void;
}

/** What replicas keep in the cluster for each other. */
export class SharedState implements AsyncDisposable {
  readonly inventory: Inventory;
  readonly neighbours: Neighbours;
  readonly #suspensions: SuspensionStore;
  readonly #ledger: Ledger;

  /** From now on journals of the ledger write to the cluster, too. */
  constructor(
    { client, ...place }: InstallationPlace & { readonly client: KubeClient },
    ledger: Ledger,
    { refuse, onFault }: SharedStateParts,
  ) {
    this.#ledger = ledger;
    this.#suspensions = new SuspensionStore(client, place);
    this.neighbours = new Neighbours(new InventoryStore(client, place), onFault);
    this.inventory = new Inventory(new InventoryStore(client, place), ledger, refuse);
    ledger.journalOf = (scope) => this.inventory.journal(scope);
  }

  /** Suspensions as the cluster has them, which is how they are; the ledger's own while it has none. @throws ReconcilerError */
  async readSuspensions(): Promise<void> {
    const stored = await this.#suspensions.read();
    if (stored !== undefined) this.#ledger.setSuspensions(stored);
    else for (const one of this.#ledger.suspensions()) await this.#suspensions.write(one.sync, one);
  }

  /**
   * Writes down for all replicas that a pass has succeeded; nothing when that stands there already. `settings` stand for the Sync as it is configured.
   * @throws ReconcilerError; the next pass tries again
   */
  async tellSuccess(scope: Scope, settings: string): Promise<void> {
    const cursor = succeededCursor(scope);
    if (this.#ledger.cursor(cursor) === settings) return;
    this.#ledger.setCursor(cursor, settings);
    try {
      await this.inventory.save(scope);
    } catch (error) {
      this.#ledger.setCursor(cursor, '');
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.neighbours[Symbol.asyncDispose]();
  }

  /** Writes down for all replicas whether a Sync is suspended. @throws ReconcilerError; then this replica alone knows */
  async tellSuspension(sync: string): Promise<void> {
    const found = this.#ledger.suspensions().find((one) => one.sync === sync);
    await this.#suspensions.write(sync, found);
  }
}
