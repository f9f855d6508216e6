import type { KubeClient } from './client.ts';
import { isClusterError } from './failure.ts';
import { digest, ownLabels, ownPrefix } from './installation.ts';
import type { InstallationPlace } from './installation.ts';
import { CONFIG_MAPS } from './object.ts';

/** A Sync that a person stopped; `since` in milliseconds since 1970. */
export interface StoredSuspension {
  readonly sync: string;
  readonly by: string;
  readonly reason: string;
  readonly since: number;
}

/** Milliseconds. */
const TIMEOUT = 15_000;

/** Suspensions, where every replica finds them: one ConfigMap, in which each Sync is a field of its own. */
export class SuspensionStore {
  readonly #client: KubeClient;
  readonly #place: InstallationPlace;
  readonly #call = { signal: new AbortController().signal, timeout: TIMEOUT };

  constructor(client: KubeClient, place: InstallationPlace) {
    this.#client = client;
    this.#place = place;
  }

  /** Undefined while nothing was ever suspended in this installation. @throws ReconcilerError as `KubeClient` */
  async read(): Promise<readonly StoredSuspension[] | undefined> {
    const found = await this.#client.find(CONFIG_MAPS, this.#name(), this.#call);
    if (found === undefined) return undefined;
    return Object.values((found['data'] ?? {}) as Readonly<Record<string, string>>).map(
      (text) => JSON.parse(text) as StoredSuspension,
    );
  }

  /** Sets or, with undefined, ends the suspension of a Sync; those of others stay as they are. @throws ReconcilerError as `KubeClient` */
  async write(sync: string, suspension: StoredSuspension | undefined): Promise<void> {
    const value = suspension === undefined ? null : JSON.stringify(suspension);
    const patch = { data: { [digest(sync)]: value } };
    try {
      await this.#client.merge(CONFIG_MAPS, this.#name(), patch, this.#call);
    } catch (error) {
      if (!isClusterError(error, 'cluster-not-found')) throw error;
      await this.#create();
      await this.#client.merge(CONFIG_MAPS, this.#name(), patch, this.#call);
    }
  }

  async #create(): Promise<void> {
    const metadata = { ...this.#name(), labels: ownLabels(this.#place) };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    await this.#client.create(CONFIG_MAPS, object, this.#call).catch((error: unknown) => {
      if (!isClusterError(error, 'cluster-conflict')) throw error;
    });
  }

  #name() {
    return { namespace: this.#place.namespace, name: `${ownPrefix(this.#place)}-suspensions` };
  }
}
