import { ReconcilerError } from '../errors.ts';
import type { KubeClient } from './client.ts';
import { isClusterError } from './failure.ts';
import { digest, ownLabels, ownPrefix, ownScope } from './installation.ts';
import type { InstallationPlace } from './installation.ts';
import { CONFIG_MAPS } from './object.ts';
import type { KubeObject } from './object.ts';
import { ObjectWatch } from './watch.ts';
import type { ObjectChange } from './watch.ts';

/** What an inventory is about; an empty Sync stands for the Platform as a whole. */
export interface InventoryName {
  readonly sync: string;
  readonly platform: string;
}

/** Texts of an inventory, by part. */
export interface Parts {
  /** How many there are. */
  readonly of: number;
  readonly parts: ReadonlyMap<number, string>;
}

const INVENTORY = 'plumbline.dev/inventory';
const SYNC = 'plumbline.dev/sync';
const PLATFORM = 'plumbline.dev/platform';
const PART = 'plumbline.dev/part';
const FIELD = 'rows.json';
const KEPT = 'kept';
/** Milliseconds. */
const TIMEOUT = 15_000;

/** Inventories of one installation, as ConfigMaps. Methods throw ReconcilerErrors as those of `KubeClient`. */
export class InventoryStore {
  readonly #client: KubeClient;
  readonly #place: InstallationPlace;
  /** resourceVersion of each object as it was read or written last: what has another one was written by somebody else. */
  readonly #versions = new Map<string, string>();
  readonly #call = { signal: new AbortController().signal, timeout: TIMEOUT };

  constructor(client: KubeClient, place: InstallationPlace) {
    this.#client = client;
    this.#place = place;
  }

  /** Follows all parts there are, each reduced by `keep` to what somebody wants of its text. @returns parts as `partIn` reads them */
  watch(
    keep: (text: string) => unknown,
    on: {
      readonly change: (change: ObjectChange) => void;
      readonly trouble: (trouble: ReconcilerError | undefined) => void;
      readonly fault: (error: unknown) => void;
    },
  ): ObjectWatch {
    return new ObjectWatch({
      client: this.#client,
      resource: CONFIG_MAPS,
      ...this.#scope(),
      keep: (object) => ({ ...named(object), [KEPT]: keep(textIn(object)) }),
      onChange: on.change,
      onTrouble: on.trouble,
      onFault: on.fault,
    });
  }

  /** Every inventory there is. One that was being split anew when its writer ended is read as it was before. */
  async read(): Promise<readonly (InventoryName & Parts)[]> {
    const { items } = await this.#client.list(CONFIG_MAPS, { ...this.#scope(), ...this.#call });
    this.#versions.clear();
    const found = new Map<string, (InventoryName & { of: number; parts: Map<number, string> })[]>();
    for (const item of items) {
      const { annotations = {}, name, resourceVersion = '' } = item.metadata;
      this.#versions.set(name, resourceVersion);
      const [, part = '0', of = '1'] = /^(\d+) of (\d+)$/.exec(annotations[PART] ?? '') ?? [];
      const { [SYNC]: sync = '', [PLATFORM]: platform = '' } = annotations;
      const layouts = found.get(JSON.stringify([sync, platform])) ?? [];
      found.set(JSON.stringify([sync, platform]), layouts);
      let layout = layouts.find((one) => one.of === Number(of));
      if (layout === undefined) layouts.push((layout = { sync, platform, of: Number(of), parts: new Map() }));
      layout.parts.set(Number(part), textIn(item));
    }
    return [...found.values()].flatMap((layouts) => {
      const whole = layouts.filter(({ of, parts }) => parts.size === of).toSorted((a, b) => b.of - a.of);
      return whole.slice(0, 1);
    });
  }

  /**
   * Writes parts. Where there are more than there were, all of them are given, and the old ones go once the new are complete.
   * @returns texts of parts that somebody else had written meanwhile: nothing was written over them, and the next try will be.
   */
  async write(name: InventoryName, { of, parts }: Parts): Promise<readonly string[]> {
    const results = await Promise.all(
      [...parts].map(async ([part, text]) => this.#writePart(this.#objectOf(name, { part, of, text }))),
    );
    const foreign = results.flatMap((text) => (text === undefined ? [] : [text]));
    if (foreign.length === 0 && parts.size === of) await this.#removeOthers(name, of);
    return foreign;
  }

  async remove(name: InventoryName): Promise<void> {
    await this.#removeOthers(name, 0);
  }

  contested({ sync, platform }: InventoryName): ReconcilerError {
    return new ReconcilerError(
      `The inventory of ${sync === '' ? platform : `${sync} on ${platform}`} is written by somebody else all the time; nothing was sent to the platform.`,
      'backoff',
      { code: 'inventory-contested', remedy: 'Look for a second installation of the same name in this namespace.' },
    );
  }

  /** @returns what somebody else wrote; undefined when it was written */
  async #writePart(object: KubeObject): Promise<string | undefined> {
    const { name } = object.metadata;
    const version = this.#versions.get(name);
    try {
      const written =
        version === undefined
          ? await this.#client.create(CONFIG_MAPS, object, this.#call)
          : await this.#client.replace(CONFIG_MAPS, withVersion(object, version), this.#call);
      this.#versions.set(name, written.metadata.resourceVersion ?? '');
      return undefined;
    } catch (error) {
      const deleted = version !== undefined && isClusterError(error, 'cluster-not-found');
      if (!deleted && !isClusterError(error, 'cluster-conflict')) throw error;
      const { namespace } = this.#place;
      const found = await this.#client.find(CONFIG_MAPS, { namespace, name }, this.#call);
      if (found === undefined) this.#versions.delete(name);
      else this.#versions.set(name, found.metadata.resourceVersion ?? '');
      // A write of ours whose answer was lost is no other's.
      if (found !== undefined && textIn(found) === textIn(object)) return undefined;
      return found === undefined ? '{}' : textIn(found);
    }
  }

  async #removeOthers(name: InventoryName, of: number): Promise<void> {
    const prefix = `${this.#prefix(name)}-`;
    for (const other of this.#versions.keys()) {
      if (!other.startsWith(prefix) || other.startsWith(`${prefix}${of}-`)) continue;
      await this.#client.delete(CONFIG_MAPS, { namespace: this.#place.namespace, name: other }, this.#call);
      this.#versions.delete(other);
    }
  }

  #prefix({ sync, platform }: InventoryName): string {
    const id = digest(JSON.stringify([this.#place.installation, sync, platform]));
    return `${ownPrefix(this.#place)}-inventory-${id}`;
  }

  #objectOf(name: InventoryName, { part, of, text }: { part: number; of: number; text: string }): KubeObject {
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: `${this.#prefix(name)}-${of}-${part}`,
        namespace: this.#place.namespace,
        labels: { ...ownLabels(this.#place), [INVENTORY]: 'true' },
        annotations: { [SYNC]: name.sync, [PLATFORM]: name.platform, [PART]: `${part} of ${of}` },
      },
      data: { [FIELD]: text },
    };
  }

  #scope() {
    const { namespace, labelSelector } = ownScope(this.#place);
    return { namespace, labelSelector: `${labelSelector},${INVENTORY}=true` };
  }
}

/** What a part that is followed is about, and what was kept of it. */
export function partIn({
  metadata,
  [KEPT]: kept,
}: KubeObject): InventoryName & { readonly of: number; readonly kept: unknown } {
  const { annotations = {} } = metadata;
  const [, of = '1'] = / of (\d+)$/.exec(annotations[PART] ?? '') ?? [];
  return { sync: annotations[SYNC] ?? '', platform: annotations[PLATFORM] ?? '', of: Number(of), kept };
}

function named({
  apiVersion,
  kind,
  metadata: { name, namespace, resourceVersion, annotations },
}: KubeObject): KubeObject {
  const place = namespace === undefined ? {} : { namespace };
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  return {
    apiVersion,
    kind,
    metadata: { name, ...place, ...version, ...(annotations === undefined ? {} : { annotations }) },
  };
}

function withVersion(object: KubeObject, resourceVersion: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

function textIn(object: KubeObject): string {
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>;
  return data[FIELD] ?? '{}';
}
