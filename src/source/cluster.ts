import { createHash } from 'node:crypto';
import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { Collections } from '../kube/collections.ts';
import type { KubeObject } from '../kube/object.ts';
import type { ValueReader } from '../kube/values.ts';
import { byPath } from './refused.ts';
import type { Commit, Snapshot, Source, SourceFile } from './source.ts';

/** What marks an object that tells how something stands, and says nothing of how it should. */
export const MIRROR_LABEL = 'plumbline.dev/mirrored-by';
/** Names that the object had before; what `metadata.renamedFrom` is in a file. */
const RENAMED_FROM = 'plumbline.dev/renamed-from';
const DEFINITION = 'definition.json';

export interface ClusterSourceParts {
  readonly collections: Collections;
  readonly configMaps: ValueReader;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** A custom resource as it would be written in a file. */
  readonly written: (object: KubeObject) => Readonly<Record<string, unknown>>;
  /** Told which objects a revision was made of. */
  readonly onRead: (revision: string, objects: readonly KubeObject[]) => void;
  /** Calls back when a ConfigMap of the namespace that was read changes. */
  readonly onConfigMap: (namespace: string, onChange: () => void) => Disposable;
}

interface VirtualFile extends SourceFile {
  /** Made when somebody needs them: the object itself is kept already. */
  readonly bytes: () => Buffer;
}

/**
 * Desired state as custom resources of one namespace. A snapshot is a set of files that nobody wrote, one for each object, named
 * `namespace/Kind/name.yaml`, so that the one parser reads all sources; the objects are watched.
 */
export class ClusterSource implements Source {
  readonly description: string;
  readonly #parts: ClusterSourceParts;
  readonly #files = new WeakMap<KubeObject, VirtualFile>();

  constructor(parts: ClusterSourceParts) {
    this.#parts = parts;
    const labels = Object.entries(parts.labels).map(([name, value]) => `${name}=${value}`);
    const selected = labels.length === 0 ? '' : ` with ${labels.join(', ')}`;
    this.description = `custom resources in ${parts.namespace}${selected}`;
  }

  /** There is no revision that looks wrong: what is there is what was applied. */
  accept(): void {}

  async read(signal: AbortSignal): Promise<Snapshot> {
    const { collections } = this.#parts;
    const { namespace, labels } = this.#parts;
    const known = await collections.objects({ namespace, labels }, signal);
    const objects = known.filter((object) => this.#selects(object));
    const files: VirtualFile[] = [];
    const problems: Problem[] = [];
    for (const object of objects) {
      try {
        files.push(...(await this.#filesOf(object)));
      } catch (error) {
        if (!(error instanceof ReconcilerError)) throw error;
        problems.push(problemOf(object, error));
      }
    }
    const { trouble } = collections;
    const snapshot = snapshotOf(files.toSorted(byPath), problems);
    this.#parts.onRead(snapshot.revision, objects);
    if (trouble === undefined) return snapshot;
    const { error, since } = trouble;
    return { ...snapshot, stale: { reason: error.message, remedy: error.remedy ?? 'See the message.', since } };
  }

  watch(onChange: () => void): AsyncDisposable {
    const { collections, namespace, labels, onConfigMap } = this.#parts;
    const following = collections.follow({ namespace, labels }, (object, before) => {
      const concerns = this.#selects(object) || (before !== undefined && this.#selects(before));
      if (concerns && !(before !== undefined && before !== object && sameContent(before, object))) onChange();
    });
    const maps = onConfigMap(namespace, onChange);
    return {
      [Symbol.asyncDispose]: async () => {
        following[Symbol.dispose]();
        maps[Symbol.dispose]();
      },
    };
  }

  #selects(object: KubeObject): boolean {
    return isSelected(object, this.#parts.namespace, this.#parts.labels);
  }

  async #filesOf(object: KubeObject): Promise<readonly VirtualFile[]> {
    const known = this.#files.get(object);
    if (known !== undefined) return [known];
    const reference = configMapOf(object);
    if (reference === undefined) {
      const file = fileOf(pathOf(object), () => textOf(this.#parts.written(object), object));
      this.#files.set(object, file);
      return [file];
    }
    const { name, key } = reference;
    const found = await this.#parts.configMaps.read(this.#parts.namespace, name);
    const data = (found?.['data'] ?? {}) as Readonly<Record<string, string>>;
    const definition = data[key];
    if (definition === undefined) {
      const missing = found === undefined ? `There is no ConfigMap ${name}` : `The ConfigMap ${name} has no key ${key}`;
      throw new ReconcilerError(`${missing} in the namespace ${this.#parts.namespace}.`, 'never', {
        code: 'definition-missing',
        remedy: 'Create it, or correct spec.definitionFrom.configMapKeyRef.',
      });
    }
    const folder = pathOf(object).replace(/\.yaml$/, '');
    const spec = { ...(object['spec'] as object), definitionFrom: { file: `${object.metadata.name}/${DEFINITION}` } };
    const text = (): string => textOf(this.#parts.written({ ...object, spec }), object);
    return [fileOf(pathOf(object), text), fileOf(`${folder}/${DEFINITION}`, () => definition)];
  }
}

/**
 * Whether an object is desired state of a Sync in this namespace. One that is being deleted is not any more; nor is a mirror, which is known by
 * the dots of its name when its label was taken off.
 */
export function isSelected(
  { metadata }: KubeObject,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (metadata.namespace !== namespace || metadata.deletionTimestamp !== undefined) return false;
  if (metadata.name.includes('.')) return false;
  const own = metadata.labels ?? {};
  return own[MIRROR_LABEL] === undefined && Object.entries(labels).every(([name, value]) => own[name] === value);
}

function configMapOf(object: KubeObject): { readonly name: string; readonly key: string } | undefined {
  const spec = object['spec'] as { definitionFrom?: { configMapKeyRef?: { name: string; key: string } } } | undefined;
  return spec?.definitionFrom?.configMapKeyRef;
}

/** `namespace/Kind/name.yaml`: where problems of the object are told to be. */
function pathOf({ kind, metadata: { namespace = '', name } }: KubeObject): string {
  return `${namespace}/${kind}/${name}.yaml`;
}

/** The object whose file a path names; undefined when it is none of them. */
export function objectAt(
  path: string,
): { readonly namespace: string; readonly kind: string; readonly name: string } | undefined {
  const [, namespace, kind, name] = /^([^/]+)\/([^/]+)\/([^/]+?)(?:\.yaml|\/definition\.json)$/.exec(path) ?? [];
  if (namespace === undefined || kind === undefined || name === undefined) return undefined;
  return { namespace, kind, name };
}

function textOf(written: Readonly<Record<string, unknown>>, { metadata }: KubeObject): string {
  const { [RENAMED_FROM]: former, ...annotations } = metadata.annotations ?? {};
  if (former === undefined) return JSON.stringify(written, undefined, 2);
  const renamedFrom = former.split(',').map((name) => name.trim());
  const about = { ...(written['metadata'] as object), annotations: withoutLast(annotations), renamedFrom };
  return JSON.stringify({ ...written, metadata: about }, undefined, 2);
}

function withoutLast(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith('kubectl.kubernetes.io/')));
}

function fileOf(path: string, text: () => string): VirtualFile {
  const bytes = Buffer.from(text());
  return {
    path,
    id: createHash('sha1').update(bytes).digest('hex'),
    size: bytes.length,
    bytes: () => Buffer.from(text()),
  };
}

function problemOf(object: KubeObject, error: ReconcilerError): Problem {
  return {
    origin: { file: pathOf(object), line: 1, column: 1 },
    message: error.message,
    remedy: error.remedy ?? '',
    severity: 'error',
    key: `${object.kind}/${object.metadata.name}`,
  };
}

/** Whether two states of an object say the same: what was written into its status is no change. */
function sameContent(one: KubeObject, other: KubeObject): boolean {
  const said = ({ metadata: { generation, labels, annotations, deletionTimestamp } }: KubeObject): string =>
    JSON.stringify([generation, labels, annotations, deletionTimestamp]);
  return said(one) === said(other);
}

function snapshotOf(files: readonly VirtualFile[], problems: readonly Problem[]): Snapshot {
  const hash = createHash('sha1');
  for (const { path, id } of files) hash.update(`${path}\0${id}\0`);
  for (const { origin, message } of problems) hash.update(`${origin.file}\0${message}\0`);
  let byName: ReadonlyMap<string, VirtualFile> | undefined;
  return {
    revision: `cluster:${hash.digest('hex')}`,
    files,
    problems,
    async *read(paths, signal) {
      byName ??= new Map(files.map((file) => [file.path, file]));
      for (const path of paths) {
        signal.throwIfAborted();
        const file = byName.get(path);
        if (file === undefined) {
          throw new ReconcilerError(`${path} is not among the custom resources.`, 'never', {
            code: 'source-file-missing',
            remedy: 'Correct the name.',
          });
        }
        yield { path, bytes: file.bytes() };
      }
    },
    lastCommits: async (): Promise<ReadonlyMap<string, Commit>> => new Map(),
  };
}
