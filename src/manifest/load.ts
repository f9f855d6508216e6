import { ReconcilerError } from '../errors.ts';
import type { SecretScope } from '../secrets/secrets.ts';
import type { Snapshot, SourceFile } from '../source/source.ts';
import { assemble } from './assemble.ts';
import type { Assembly } from './assemble.ts';
import { compose } from './desired.ts';
import type { Select } from './desired.ts';
import { BASE, isJson, isReadable, readFile, tooLarge } from './files.ts';
import type { FileEntry } from './files.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Limits } from './limits.ts';
import { KINDS } from './manifest.ts';
import type { DefinitionFormat, Desired } from './manifest.ts';
import type { ResolveContext } from './resolve.ts';
import { resolveAll } from './resolve-all.ts';
import { SpecBatches } from './spec-batches.ts';

export interface LoadOptions {
  /** Formats of definitions, as the drivers bring them; this room knows no platform. */
  readonly formats: readonly DefinitionFormat[];
  /** Format of definitions that name none. */
  readonly defaultFormat: string;
  /** Files or folders of the snapshot that patch the rest, in this order. */
  readonly overlays?: readonly string[];
  /** Values for `${name}`. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly select?: Select;
  /** What secret references may reach; not checked when absent. */
  readonly secretScope?: SecretScope;
  /** The Platform that the manifests are for, as references name it. */
  readonly platform?: string;
  readonly limits?: Partial<Limits>;
}

/**
 * Makes manifests of snapshots of one source. Keeps what files said between loads, so that only files whose content
 * changed are read and parsed again; what it keeps is small, because definitions stay where they are.
 *
 * What is not read: names that begin with a dot, and everything below a folder named `overlays` that no overlay names.
 */
export class ManifestLoader {
  readonly #context: ResolveContext;
  readonly #limits: Limits;
  readonly #overlays: readonly string[];
  readonly #select: Select;
  readonly #platform: string | undefined;
  readonly #files = new Map<string, FileEntry>();
  readonly #specs: SpecBatches;
  #last: { readonly desired: Desired; readonly refused: readonly unknown[] } | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: LoadOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#overlays = (options.overlays ?? []).map((path) => path.replace(/^(\.?\/)+/, '').replace(/\/+$/, ''));
    this.#select = options.select ?? {};
    this.#context = {
      formats: options.formats,
      defaultFormat: options.defaultFormat,
      variables: options.variables ?? {},
      limits: this.#limits,
      files: this.#files,
      ...(options.secretScope === undefined ? {} : { secretScope: options.secretScope }),
    };
    this.#platform = options.platform;
    this.#specs = new SpecBatches(this.#context, this.#files);
  }

  /**
   * Everything that a snapshot says. Whatever is wrong in a text is a problem, never an error; loads run one after the other.
   * @throws ReconcilerError when bytes of the snapshot cannot be read; the signal's reason when it fires.
   */
  load(snapshot: Snapshot, signal: AbortSignal): Promise<Desired> {
    const turn = this.#queue.then(() => this.#load(snapshot, signal));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** The pass is over: definitions that were kept for it go, and are read again should somebody ask. */
  rest(): void {
    this.#specs.rest();
  }

  async #load(snapshot: Snapshot, signal: AbortSignal): Promise<Desired> {
    signal.throwIfAborted();
    const last = this.#last;
    // Until this load has ended, what was composed before no longer stands for the files that are kept.
    this.#last = undefined;
    this.#specs.begin();
    const changed = await this.#readChanged(snapshot, signal);
    this.#specs.use(snapshot);
    const { problems: refused, revision } = snapshot;
    if (last !== undefined && !changed && refused.length === 0 && last.refused.length === 0) {
      this.#last = last;
      return { ...last.desired, revision };
    }
    const assembly = assemble(this.#inOrder(snapshot), this.#overlays);
    this.#noteRefused(snapshot, assembly);
    await resolveAll([assembly.explicit, assembly.raw], this.#files, { context: this.#context, snapshot, signal });
    const desired = compose({
      revision,
      assembly,
      refused,
      select: this.#select,
      reader: this.#specs,
      platform: this.#platform,
    });
    this.#last = { desired, refused };
    return desired;
  }

  /** Brings the kept files up to date; whether there was anything to do. What was parsed before a failure stays: it is named by its content. */
  async #readChanged(snapshot: Snapshot, signal: AbortSignal): Promise<boolean> {
    const wanted: string[] = [];
    const refs = new Map<string, SourceFile & { readonly layer: number }>();
    let seen = 0;
    let changed = false;
    for (const file of snapshot.files) {
      const { path, id, size } = file;
      const known = this.#files.get(path);
      if (known?.id === id) {
        seen += 1;
        continue;
      }
      const layer = isReadable(path) ? this.#layerOf(path) : undefined;
      if (layer === undefined) continue;
      changed = true;
      seen += 1;
      const limit = isJson(path) ? this.#limits.maxDefinitionBytes : this.#limits.maxManifestBytes;
      if (size > limit) this.#files.set(path, tooLarge({ path, id, size, layer }, limit));
      else {
        wanted.push(path);
        refs.set(path, { path, id, size, layer });
      }
    }
    if (wanted.length > 0) {
      const { shelve } = this.#specs;
      const context = { ...this.#context, shelve };
      for await (const { path, bytes } of snapshot.read(wanted, signal)) {
        const ref = refs.get(path);
        if (ref !== undefined) this.#files.set(path, readFile({ path, id: ref.id, layer: ref.layer }, bytes, context));
        refs.delete(path);
        signal.throwIfAborted();
      }
      const [unread] = refs.keys();
      if (unread !== undefined)
        throw new ReconcilerError(`The source gave no bytes for ${unread}.`, 'backoff', { code: 'source-read' });
    }
    if (this.#files.size > seen) {
      changed = true;
      const present = new Set(snapshot.files.map(({ path }) => path));
      for (const path of this.#files.keys()) if (!present.has(path)) this.#files.delete(path);
    }
    return changed;
  }

  #inOrder(snapshot: Snapshot): FileEntry[] {
    const entries: FileEntry[] = [];
    let sorted = true;
    for (const { path } of snapshot.files) {
      const entry = this.#files.get(path);
      if (entry === undefined) continue;
      if (sorted && path < (entries.at(-1)?.path ?? '')) sorted = false;
      entries.push(entry);
    }
    // Snapshots are sorted by contract; what is made of them must not depend on it.
    return sorted ? entries : entries.sort((left, right) => (left.path < right.path ? -1 : 1));
  }

  /** Position of the overlay that a file belongs to, `BASE`, or undefined for files that are not read. */
  #layerOf(path: string): number | undefined {
    const layer = this.#overlays.findIndex(
      (overlay) => path === overlay || overlay === '' || path.startsWith(`${overlay}/`),
    );
    if (layer >= 0) return layer;
    const folders = path.split('/');
    if (folders.some((name) => name.startsWith('.')) || folders.slice(0, -1).includes('overlays')) return undefined;
    return BASE;
  }

  /** A file that the source refused may have held anything. */
  #noteRefused(snapshot: Snapshot, assembly: Assembly): void {
    for (const { origin, severity } of snapshot.problems) {
      const layer = isReadable(origin.file) ? this.#layerOf(origin.file) : undefined;
      if (layer === undefined || severity !== 'error') continue;
      for (const kind of KINDS) {
        assembly.unknownKinds.add(kind);
        if (layer !== BASE) assembly.unpatchable.add(kind);
      }
    }
  }
}
