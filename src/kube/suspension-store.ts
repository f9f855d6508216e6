import type { KubeClient } from './client.ts';
import { isClusterError } from './failure.ts';
import { INSTALLATION, digest, labelValue } from './lease-store.ts';
import type { LeasePlace } from './lease-store.ts';
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
  readonly #place: LeasePlace;
  readonly #call = { signal: new AbortController().signal, timeout: TIMEOUT };

  constructor(client: KubeClient, place: LeasePlace) {
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
    const labels = {
      [INSTALLATION]: labelValue(this.#place.installation),
      'app.kubernetes.io/managed-by': 'plumbline',
    };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...this.#name(), labels } };
    await this.#client.create(CONFIG_MAPS, object, this.#call).catch((error: unknown) => {
      if (!isClusterError(error, 'cluster-conflict')) throw error;
    });
  }

  #name() {
    const { namespace, installation } = this.#place;
    return { namespace, name: `plumbline-${labelValue(installation)}-suspensions` };
  }
}
