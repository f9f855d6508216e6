import { ReconcilerError } from '../../errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { nameOf } from '../../kube/object.ts';
import { clusterName, namespaceOf } from '../../manifest/cluster-name.ts';
import { readCustomObject } from '../../manifest/custom-object.ts';
import type { CustomDocument } from '../../manifest/custom-object.ts';
import type { Platform } from '../../manifest/platform.ts';
import type { Plugin } from '../../manifest/plugin.ts';
import { didYouMean } from '../../manifest/suggest.ts';
import { openFolder } from '../../plugins/folder.ts';
import type { Sync } from '../../manifest/sync.ts';
import { platformsOf } from '../targets.ts';

type Kind = 'Platform' | 'Sync' | 'Plugin';

/** Why an object, as it is written now, is not in force: for its condition. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** A Sync that is being deleted. */
interface Retiring {
  readonly policy: 'Orphan' | 'Delete';
  readonly platforms: readonly string[];
  /** As it last was in order. */
  readonly sync?: Sync;
}

/** What the custom resources amount to. By `namespace.name` everywhere but in `refusals`. */
export interface Judged {
  readonly platforms: ReadonlyMap<string, Platform>;
  readonly syncs: ReadonlyMap<string, Sync>;
  readonly plugins: ReadonlyMap<string, Plugin>;
  /** Syncs that are being deleted, as they last were in order; and where they may own something. */
  readonly retiring: ReadonlyMap<string, Retiring>;
  /** By `Kind/namespace/name`. */
  readonly refusals: ReadonlyMap<string, Refusal>;
}

export interface Objects {
  readonly platforms: Iterable<KubeObject>;
  readonly syncs: Iterable<KubeObject>;
  readonly plugins: Iterable<KubeObject>;
}

export interface JudgeParts {
  /** The namespace of this installation. */
  readonly home: string;
  readonly drivers: readonly string[];
}

/**
 * Judges each object by itself. One that is wrong is told so and touches no other; what it last said that was in order stays in force, unless
 * what it refers to is gone or not allowed to it.
 */
export class Judge {
  readonly #parts: JudgeParts;
  readonly #read = new WeakMap<KubeObject, ReturnType<typeof readCustomObject>>();
  /** The last document of each object that was in order, by `Kind/namespace.name`, with the object's uid. */
  readonly #good = new Map<string, { readonly uid: string | undefined; readonly document: CustomDocument }>();

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  judge(objects: Objects): Judged {
    const refusals = new Map<string, Refusal>();
    const platforms = this.#documents<Platform>('Platform', objects.platforms, refusals);
    const plugins = this.#documents<Plugin>('Plugin', objects.plugins, refusals);
    const all = [...objects.syncs];
    const leaving = all.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    const staying = all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const syncs = this.#documents<Sync>('Sync', staying, refusals);
    this.#refusePlugins(plugins, platforms, refusals);
    refuseSyncs(syncs, platforms, refusals);
    const retiring = new Map(leaving.map((object) => this.#leaving(object, platforms)));
    return { platforms, syncs, plugins, retiring, refusals };
  }

  /** Without the Plugins whose code is not there, which are told so. */
  async withPlugins(judged: Judged, baseDir: string): Promise<Judged> {
    const plugins = new Map(judged.plugins);
    const refusals = new Map(judged.refusals);
    for (const [name, { spec }] of judged.plugins) {
      try {
        await openFolder({ name, folder: spec.folder, entry: spec.entry, baseDir });
      } catch (error) {
        if (!(error instanceof ReconcilerError)) throw error;
        plugins.delete(name);
        refusals.set(objectId('Plugin', name), {
          reason: 'FolderUnusable',
          message: `${error.message} ${error.remedy ?? ''}`.trim(),
        });
      }
    }
    return { ...judged, plugins, refusals };
  }

  /** A Platform as it last was in order, although its object is gone: what was applied there has still to be taken back. */
  formerPlatform(name: string): Platform | undefined {
    return this.#good.get(`Platform/${name}`)?.document as Platform | undefined;
  }

  #documents<T extends CustomDocument>(
    kind: Kind,
    objects: Iterable<KubeObject>,
    refusals: Map<string, Refusal>,
  ): Map<string, T> {
    const found = new Map<string, T>();
    for (const object of objects) {
      const { name, namespace = '', uid } = object.metadata;
      const full = clusterName(namespace, name);
      const id = `${kind}/${full}`;
      const refusal = this.#refusalOf(kind, object);
      const read = this.#readOnce(kind, object);
      if (refusal === undefined && 'document' in read) this.#good.set(id, { uid, document: read.document });
      else if (refusal !== undefined) refusals.set(`${kind}/${nameOf(object)}`, refusal);
      const good = this.#good.get(id);
      if (good !== undefined && good.uid === uid) found.set(full, good.document as T);
    }
    return found;
  }

  #readOnce(kind: Kind, object: KubeObject): ReturnType<typeof readCustomObject> {
    const known = this.#read.get(object) ?? readCustomObject(kind, object);
    this.#read.set(object, known);
    return known;
  }

  #refusalOf(kind: Kind, object: KubeObject): Refusal | undefined {
    const read = this.#readOnce(kind, object);
    if ('flaws' in read) {
      return { reason: 'Invalid', message: read.flaws.map(({ message, remedy }) => `${message} ${remedy}`).join('\n') };
    }
    const { home, drivers } = this.#parts;
    if (kind === 'Plugin' && object.metadata.namespace !== home) {
      return {
        reason: 'ForbiddenNamespace',
        message: `Plugins run code inside Plumbline and count in its own namespace only. Create it in the namespace ${home}.`,
      };
    }
    const { document } = read;
    if (document.kind !== 'Platform' || drivers.includes(document.spec.driver)) return undefined;
    const { driver } = document.spec;
    const remedy = didYouMean(driver, drivers, `There are ${drivers.join(', ')}.`);
    return { reason: 'UnknownDriver', message: `There is no driver ${driver}. ${remedy}` };
  }

  #refusePlugins(
    plugins: Map<string, Plugin>,
    platforms: ReadonlyMap<string, Platform>,
    refusals: Map<string, Refusal>,
  ): void {
    for (const [name, { spec }] of plugins) {
      const missing = spec.platforms?.find((platform) => !platforms.has(platform));
      if (missing === undefined) continue;
      plugins.delete(name);
      refusals.set(objectId('Plugin', name), {
        reason: 'PlatformMissing',
        message: `There is no Platform ${localName(missing)} in this namespace. Create it, or correct spec.platforms.`,
      });
    }
  }

  #leaving(object: KubeObject, platforms: ReadonlyMap<string, Platform>) {
    const { namespace = '', name, uid } = object.metadata;
    const full = clusterName(namespace, name);
    const read = this.#readOnce('Sync', object);
    const good = this.#good.get(`Sync/${full}`);
    const document = 'document' in read ? read.document : good?.uid === uid ? good?.document : undefined;
    const sync = document?.kind === 'Sync' ? document : undefined;
    const where = sync === undefined ? [] : platformsOf(sync, platforms).filter((one) => mayUse(sync, one, platforms));
    const policy: Retiring['policy'] = sync?.spec.deletionPolicy ?? 'Orphan';
    return [full, { policy, platforms: where, ...(sync === undefined ? {} : { sync }) }] as const;
  }
}

function refuseSyncs(
  syncs: Map<string, Sync>,
  platforms: ReadonlyMap<string, Platform>,
  refusals: Map<string, Refusal>,
): void {
  const all = new Map(syncs);
  for (const [name, sync] of all) {
    const refusal = refusalOfSync(name, sync, { platforms, syncs: all });
    if (refusal === undefined) continue;
    syncs.delete(name);
    // What is wrong with the object as it is written now is more useful than what follows from its former self.
    const id = objectId('Sync', name);
    if (!refusals.has(id)) refusals.set(id, refusal);
  }
}

function refusalOfSync(
  name: string,
  sync: Sync,
  {
    platforms,
    syncs,
  }: { readonly platforms: ReadonlyMap<string, Platform>; readonly syncs: ReadonlyMap<string, Sync> },
): Refusal | undefined {
  const { platform, platformNamespace, dependsOn } = sync.spec;
  const home = platformNamespace ?? namespaceOf(name) ?? '';
  // The same words whether it is missing or forbidden: who may not use a Platform does not learn that there is one.
  const unusable = `There is no Platform that this Sync may use by the name ${localName(platform ?? '')} in the namespace ${home}.`;
  const allow = `Create it, correct the name, or have spec.allowedNamespaces of the Platform name ${namespaceOf(name) ?? ''}.`;
  if (platform !== undefined && !mayUse(sync, platform, platforms)) {
    const near = [...platforms.keys()].filter((one) => mayUse(sync, one, platforms)).map(localName);
    const remedy =
      home === namespaceOf(name) ? didYouMean(localName(platform), near, 'Create it, or correct the name.') : allow;
    return {
      reason: home === namespaceOf(name) ? 'PlatformMissing' : 'PlatformForbidden',
      message: `${unusable} ${remedy}`,
    };
  }
  if (platform === undefined && platformsOf(sync, platforms).length === 0) {
    return {
      reason: 'PlatformMissing',
      message: `spec.platformSelector matches no Platform in the namespace ${home} that this Sync may use. Label one so, or correct the labels.`,
    };
  }
  const absent = dependsOn.find((other) => !syncs.has(other));
  if (absent !== undefined) {
    const remedy = 'Create it, mend it, or correct spec.dependsOn.';
    return {
      reason: 'DependencyMissing',
      message: `There is no Sync ${localName(absent)} in order in this namespace. ${remedy}`,
    };
  }
  if (!reaches(syncs, dependsOn, name)) return undefined;
  return { reason: 'DependencyCycle', message: 'It waits for itself, by way of spec.dependsOn. Remove one of them.' };
}

function reaches(syncs: ReadonlyMap<string, Sync>, from: readonly string[], to: string): boolean {
  const seen = new Set<string>();
  const open = [...from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(syncs.get(name)?.spec.dependsOn ?? []));
  }
  return false;
}

/** Whether a Sync may use a Platform: one of its own namespace, or one that allows it. */
function mayUse(sync: Sync, platform: string, platforms: ReadonlyMap<string, Platform>): boolean {
  const found = platforms.get(platform);
  const from = namespaceOf(sync.metadata.name);
  if (found === undefined || from === undefined) return false;
  if (namespaceOf(platform) === from) return true;
  const allowed = found.spec.allowedNamespaces ?? [];
  return allowed.includes('*') || allowed.includes(from);
}

function objectId(kind: Kind, name: string): string {
  return `${kind}/${name.replace('.', '/')}`;
}

function localName(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}
