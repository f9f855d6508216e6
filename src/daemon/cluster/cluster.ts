import { KubeClient } from '../../kube/client.ts';
import { Collections } from '../../kube/collections.ts';
import type { ClusterOptions } from '../../kube/connection.ts';
import type { Selection } from '../../kube/groups.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/object.ts';
import type { KubeObject } from '../../kube/object.ts';
import { ValueReader, secretValues } from '../../kube/values.ts';
import { ObjectWatch } from '../../kube/watch.ts';
import type { ObjectChange } from '../../kube/watch.ts';
import type { Scope } from '../../ledger/ownership.ts';
import { namespaceOf } from '../../manifest/cluster-name.ts';
import { manifestOf } from '../../manifest/custom-object.ts';
import { KINDS } from '../../manifest/manifest.ts';
import type { Platform } from '../../manifest/platform.ts';
import { resourceOf } from '../../manifest/resources.ts';
import type { ConfigurationKind } from '../../manifest/schemas.ts';
import type { Sync } from '../../manifest/sync.ts';
import type { Log } from '../../report/log.ts';
import type { ReadClusterSecret } from '../../secrets/secrets.ts';
import { ClusterSource, isSelected, MIRROR_LABEL } from '../../source/cluster.ts';
import type { Configuration } from '../configuration.ts';
import type { CustomResources } from '../sources.ts';
import type { Timers } from '../timers.ts';
import { isReady } from './conditions.ts';
import { FINALIZER } from './finalizer.ts';
import { ReadRevisions } from './read-revisions.ts';
import { Judge } from './verdicts.ts';
import type { Judged } from './verdicts.ts';

/** How a cluster is worked in. */
export interface ClusterSettings extends Omit<ClusterOptions, 'environment'> {
  /** The one namespace whose custom resources count; all when absent. */
  readonly watchNamespace?: string;
}

export interface ClusterParts extends ClusterOptions {
  readonly watchNamespace?: string;
  readonly version: string;
  readonly drivers: readonly string[];
  readonly log: Log;
  readonly timers: Timers;
}

export const CONFIGURATION_KINDS = ['Platform', 'Sync', 'Plugin'] as const satisfies readonly ConfigurationKind[];

/** What may have changed: an object was written (`status` not counted), or a value that objects refer to. */
export type ClusterChange =
  { readonly kind: ConfigurationKind; readonly change: ObjectChange } | { readonly values: string };

/**
 * The custom resources that configure this installation, as they stand, and what they refer to. It reads; `Controller` writes.
 */
export class ClusterState implements AsyncDisposable {
  readonly client: KubeClient;
  /** The namespace of this installation. */
  readonly home: string;
  /** Told at every change, until somebody else is. */
  onChange: (change: ClusterChange) => void = () => undefined;
  /** The same for objects of desired state, their statuses counted. */
  onDesired: (object: KubeObject, gone: boolean) => void = () => undefined;
  readonly #parts: ClusterParts;
  readonly #judge: Judge;
  readonly #watches: ReadonlyMap<ConfigurationKind, ObjectWatch>;
  readonly #secrets: ValueReader;
  readonly #configMaps: ValueReader;
  readonly #collections: Collections;
  readonly #mapListeners = new Set<{ readonly namespace: string; readonly call: () => void }>();
  readonly #learned = new Set<string>();
  /** Values of Secrets as they were last read, by `namespace/name`. */
  readonly #lastSecrets = new Map<string, Readonly<Record<string, string>>>();
  readonly #read = new ReadRevisions();
  #judged: Judged | undefined;

  private constructor(client: KubeClient, parts: ClusterParts) {
    this.client = client;
    this.#parts = parts;
    this.home = client.namespace;
    this.#judge = new Judge({ home: this.home, drivers: parts.drivers });
    const onFault = (error: unknown): void => parts.log.error('cluster handler failed', { error });
    const where = parts.watchNamespace === undefined ? {} : { namespace: parts.watchNamespace };
    this.#watches = new Map(CONFIGURATION_KINDS.map((kind) => [kind, this.#watch(kind, where, onFault)]));
    const values = { client, now: () => parts.timers.now(), onFault };
    this.#secrets = new ValueReader({
      ...values,
      resource: SECRETS,
      onChange: (namespace) => this.onChange({ values: namespace }),
    });
    this.#configMaps = new ValueReader({
      ...values,
      resource: CONFIG_MAPS,
      onChange: (namespace) => {
        for (const listener of this.#mapListeners) if (listener.namespace === namespace) listener.call();
      },
    });
    this.#collections = new Collections({
      client,
      resources: KINDS.map(resourceOf),
      labelSelector: `!${MIRROR_LABEL}`,
      ...where,
      onChange: (object, gone) => this.onDesired(object, gone),
      onFault,
    });
  }

  /**
   * Connects, and waits until all custom resources are known.
   * @throws ReconcilerError as `openConnection`; what disturbs the watches is logged and waited for.
   */
  static async open(parts: ClusterParts): Promise<ClusterState> {
    const state = new ClusterState(await KubeClient.open(parts), parts);
    await Promise.all([...state.#watches.values()].map(({ listed }) => listed));
    return state;
  }

  objects(kind: ConfigurationKind): ReadonlyMap<string, KubeObject> {
    return this.#watches.get(kind)?.objects ?? new Map();
  }

  /** The one namespace that is watched; all when undefined. */
  get watched(): string | undefined {
    return this.#parts.watchNamespace;
  }

  /** What the objects amount to, as of the last `configuration`. */
  get judged(): Judged {
    this.#judged ??= this.#judgeNow();
    return this.#judged;
  }

  #judgeNow(): Judged {
    return this.#judge.judge({
      platforms: this.objects('Platform').values(),
      syncs: this.objects('Sync').values(),
      plugins: this.objects('Plugin').values(),
    });
  }

  /** Whether the deletion of a Sync would be held up: before, nothing of it may come into force. */
  #isHeld(name: string): boolean {
    const object = this.objects('Sync').get(name.replace('.', '/'));
    return object?.metadata.finalizers?.includes(FINALIZER) === true;
  }

  /**
   * The configuration that the objects amount to, beside that of files. `owned`: where the ledger knows of something owned, so that a Platform
   * whose object is gone stays until a Sync that is being deleted has taken back what it had there.
   */
  async configuration(files: Configuration, owned: readonly Scope[]): Promise<Configuration> {
    this.#judged = await this.#judge.withPlugins(this.#judgeNow(), files.baseDir);
    const { platforms, plugins, retiring } = this.#judged;
    const syncs = new Map([...this.#judged.syncs].filter(([name]) => this.#isHeld(name)));
    const leaving = new Map(retiring);
    for (const [name, sync] of this.#unlearned(retiring, owned)) {
      syncs.set(name, sync);
      leaving.delete(name);
    }
    const former = new Map<string, Platform>();
    for (const { sync, platform } of owned) {
      const document =
        platforms.has(platform) || !retiring.has(sync) ? undefined : this.#judge.formerPlatform(platform);
      if (document !== undefined) former.set(platform, document);
    }
    return {
      ...files,
      platforms: new Map([...files.platforms, ...former, ...platforms]),
      syncs: new Map([...files.syncs, ...syncs]),
      plugins: new Map([...files.plugins, ...plugins]),
      retiring: leaving,
    };
  }

  /** Whether the status of a Sync, of the object as it is written now, says that it stands as it is meant. */
  readonly isReady = (sync: string): boolean => {
    const object = this.objects('Sync').get(sync.replace('.', '/'));
    return object !== undefined && isReady(object);
  };

  /** A pass has seen what a Sync owns. @returns whether that was not known before. */
  learn(sync: string): boolean {
    if (this.#learned.has(sync)) return false;
    this.#learned.add(sync);
    return true;
  }

  /**
   * Syncs that are being deleted, with what they own, while this ledger does not know of it because it is younger: only what is known to be owned
   * may be deleted, and it is the Sync's own pass that finds it again by its markers. One such pass comes before the retirement.
   */
  #unlearned(retiring: Judged['retiring'], owned: readonly Scope[]): ReadonlyMap<string, Sync> {
    const found = new Map<string, Sync>();
    for (const [name, { policy, platforms, sync }] of retiring) {
      const known = this.#learned.has(name) || owned.some((scope) => scope.sync === name);
      if (sync !== undefined && policy === 'Delete' && platforms.length > 0 && !known) found.set(name, sync);
    }
    return found;
  }

  readonly readSecret: ReadClusterSecret = async (namespace, name) => {
    const secret = await this.#secrets.read(namespace, name);
    const id = `${namespace}/${name}`;
    // A namespace that is deleted loses its Secrets in any order: what is still to be given up is given up with what they said last.
    if (secret === undefined) return this.#isLeft(namespace) ? this.#lastSecrets.get(id) : undefined;
    const values = secretValues(secret);
    this.#lastSecrets.set(id, values);
    return values;
  };

  /** Whether a Sync that is being deleted used a Platform of that namespace. */
  #isLeft(namespace: string): boolean {
    return [...this.judged.retiring].some(
      ([name, { sync }]) => (sync?.spec.platformNamespace ?? namespaceOf(name)) === namespace,
    );
  }

  readonly customResources: CustomResources = (namespace, labels) =>
    new ClusterSource({
      collections: this.#collections,
      configMaps: this.#configMaps,
      namespace,
      labels,
      written: manifestOf,
      onRead: (revision, objects) => this.#read.note({ namespace, labels }, revision, objects),
      onConfigMap: (namespace, call) => {
        const listener = { namespace, call };
        this.#mapListeners.add(listener);
        return { [Symbol.dispose]: () => void this.#mapListeners.delete(listener) };
      },
    });

  /** Custom resources of desired state as they were last seen and as a revision was made of them: what was written since, no pass has seen. */
  desired(selection: Selection, revision: string | undefined): readonly KubeObject[] {
    const { namespace, labels } = selection;
    return this.#collections
      .known(selection)
      .filter((object) => isSelected(object, namespace, labels) && this.#read.has(selection, revision, object));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const watches = [...this.#watches.values()];
    await Promise.all(
      [...watches, this.#secrets, this.#configMaps, this.#collections].map((one) => one[Symbol.asyncDispose]()),
    );
    await this.client[Symbol.asyncDispose]();
  }

  #watch(
    kind: ConfigurationKind,
    where: { readonly namespace?: string },
    onFault: (error: unknown) => void,
  ): ObjectWatch {
    const { log } = this.#parts;
    return new ObjectWatch({
      client: this.client,
      resource: resourceOf(kind),
      ...where,
      onChange: (change) => this.onChange({ kind, change }),
      onTrouble: (trouble) => {
        if (trouble === undefined) log.info('custom resources are watched again', { kind });
        else log.error('custom resources cannot be watched', { kind, error: trouble });
      },
      onFault,
    });
  }
}
