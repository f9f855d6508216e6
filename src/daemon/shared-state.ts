import type { KubeClient } from '../kube/client.ts';
import { InventoryStore } from '../kube/inventory-store.ts';
import type { InstallationPlace } from '../kube/installation.ts';
import { SuspensionStore } from '../kube/suspension-store.ts';
import { Inventory } from '../ledger/inventory.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** What replicas keep in the cluster for each other. */
export class SharedState {
  readonly inventory: Inventory;
  readonly #suspensions: SuspensionStore;
  readonly #ledger: Ledger;

  /** `refuse` throws when this replica may not write for a platform. From now on journals of the ledger write to the cluster, too. */
  constructor(
    { client, ...place }: InstallationPlace & { readonly client: KubeClient },
    ledger: Ledger,
    refuse: (platform: string) => void,
  ) {
    this.#ledger = ledger;
    this.#suspensions = new SuspensionStore(client, place);
    this.inventory = new Inventory(new InventoryStore(client, place), ledger, refuse);
    ledger.journalOf = (scope) => this.inventory.journal(scope);
  }

  /** Suspensions as the cluster has them, which is how they are; the ledger's own while it has none. @throws ReconcilerError */
  async readSuspensions(): Promise<void> {
    const stored = await this.#suspensions.read();
    if (stored !== undefined) this.#ledger.setSuspensions(stored);
    else for (const one of this.#ledger.suspensions()) await this.#suspensions.write(one.sync, one);
  }

  /** Writes down for all replicas whether a Sync is suspended. @throws ReconcilerError; then this replica alone knows */
  async tellSuspension(sync: string): Promise<void> {
    const found = this.#ledger.suspensions().find((one) => one.sync === sync);
    await this.#suspensions.write(sync, found);
  }
}
