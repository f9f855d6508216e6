import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from './client.ts';
import { isClusterError } from './failure.ts';
import type { KubeObject, Resource } from './object.ts';
import { withoutManagedFields } from './object.ts';
import { ObjectWatch } from './watch.ts';

/** Milliseconds that a namespace whose objects may be read but not watched is left alone before watching is tried again. */
const FORBIDDEN_FOR = 600_000;
/** Milliseconds that the first listing of a namespace is waited for. */
const LISTING = 2_000;
/** Helm keeps its releases as Secrets: large, many, and nobody's credentials. */
const NO_RELEASES = 'type!=helm.sh/release.v1';

export interface ValueReaderParts {
  readonly client: KubeClient;
  /** Secrets or ConfigMaps. */
  readonly resource: Resource;
  readonly now: () => number;
  /** What was read before is different now, or gone. */
  readonly onChange: (namespace: string, name: string) => void;
  readonly onFault: (error: unknown) => void;
}

interface Namespace {
  readonly wanted: Set<string>;
  readonly fetched: Map<string, KubeObject>;
  watch?: ObjectWatch;
  /** When watching was forbidden. */
  forbidden?: number;
}

/**
 * Secrets or ConfigMaps by name. Where it is allowed, a namespace in which something was asked for is watched, so that changes are seen at
 * once and nothing is asked at rest; the values of objects that nobody asked for are dropped as they come. Where only `get` is
 * allowed, every reading asks the API server.
 */
export class ValueReader implements AsyncDisposable {
  readonly #parts: ValueReaderParts;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #ended = new AbortController();

  constructor(parts: ValueReaderParts) {
    this.#parts = parts;
  }

  /** The object as it stands; undefined when there is none. @throws ReconcilerError `cluster-…` */
  async read(namespace: string, name: string): Promise<KubeObject | undefined> {
    const place: Namespace = this.#namespaces.get(namespace) ?? { wanted: new Set(), fetched: new Map() };
    this.#namespaces.set(namespace, place);
    place.wanted.add(name);
    this.#watch(namespace, place);
    // One listing instead of a question for each name, as at a start.
    if (place.watch?.sound === false)
      await Promise.race([place.watch.listed, pause(LISTING, undefined, { ref: false })]);
    const seen = place.watch?.sound === true ? place.watch.objects.get(`${namespace}/${name}`) : undefined;
    if (place.watch?.sound === true) {
      if (seen === undefined || seen['kept'] !== false) return seen;
      const fetched = place.fetched.get(name);
      if (fetched?.metadata.resourceVersion === seen.metadata.resourceVersion) return fetched;
    }
    const { client, resource } = this.#parts;
    const found = await client.find(resource, { namespace, name }, { signal: this.#ended.signal });
    if (found === undefined) place.fetched.delete(name);
    else place.fetched.set(name, withoutManagedFields(found));
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    const watches = [...this.#namespaces.values()].flatMap(({ watch }) => watch ?? []);
    await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()));
  }

  #watch(namespace: string, place: Namespace): void {
    const { client, resource, now, onChange, onFault } = this.#parts;
    if (place.watch !== undefined) return;
    if (place.forbidden !== undefined && now() - place.forbidden < FORBIDDEN_FOR) return;
    let listed = false;
    const watch = new ObjectWatch({
      client,
      resource,
      namespace,
      ...(resource.kind === 'Secret' ? { fieldSelector: NO_RELEASES } : {}),
      keep: (object) => (place.wanted.has(object.metadata.name) ? withoutManagedFields(object) : stub(object)),
      onChange: ({ object: { metadata } }) => {
        if (listed && place.wanted.has(metadata.name)) onChange(namespace, metadata.name);
      },
      onListed: () => {
        listed = true;
      },
      onTrouble: (trouble) => {
        if (!isClusterError(trouble, 'cluster-forbidden')) return;
        place.forbidden = now();
        delete place.watch;
        void watch[Symbol.asyncDispose]();
      },
      onFault,
    });
    place.watch = watch;
  }
}

/** That it is there, and at which version: all that is kept of what nobody asked for. */
function stub({ apiVersion, kind, metadata: { name, namespace, resourceVersion } }: KubeObject): KubeObject {
  const place = namespace === undefined ? {} : { namespace };
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  return { apiVersion, kind, metadata: { name, ...place, ...version }, kept: false };
}

/** The data of a Secret as text, by key. */
export function secretValues(secret: KubeObject): Readonly<Record<string, string>> {
  const data = (secret['data'] ?? {}) as Readonly<Record<string, string>>;
  return Object.fromEntries(
    // As with files: editors and "echo" leave a newline that belongs to nobody.
    Object.entries(data).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64')
        .toString('utf8')
        .replace(/\r?\n$/, ''),
    ]),
  );
}
