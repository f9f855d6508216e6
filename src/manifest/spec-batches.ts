import type { Layers } from './doc.ts';
import { ReconcilerError } from '../errors.ts';
import type { Snapshot } from '../source/source.ts';
import { contentHash } from './canonical.ts';
import { build, filesFor, lookUp } from './definition-reader.ts';
import type { Files } from './definition-reader.ts';
import type { JsonObject, JsonValue } from './manifest.ts';
import { prepare } from './resolve.ts';
import type { Prepared, ResolveContext } from './resolve.ts';
import { readTexts } from './resolve-all.ts';
import type { SpecReader } from './resolved-manifest.ts';

interface Request {
  readonly layers: Layers;
  readonly fingerprint: string;
  readonly signal: AbortSignal;
  readonly done: (spec: JsonObject) => void;
  readonly failed: (error: unknown) => void;
}

/** Definitions that are in memory at once. */
const BATCH = 64;
/**
 * Characters of content that are kept until the next load: a change is planned, checked and written from the same content. So
 * are definitions that a load had at hand when it looked into them.
 */
const KEPT = 2_000_000;

/**
 * Builds the content of manifests again from the newest snapshot. Reading one file of a git repository costs a process, so
 * calls that are made at the same time are read together.
 */
export class SpecBatches implements SpecReader {
  readonly #kept = new Map<string, JsonObject>();
  /** Definitions as a load found them, by content hash. */
  readonly #shelf = new Map<string, JsonValue>();
  #room = KEPT;
  #snapshot: Snapshot | undefined;
  readonly #context: ResolveContext;
  readonly #files: Files;
  #requests: Request[] = [];

  constructor(context: ResolveContext, files: Files) {
    this.#context = context;
    this.#files = files;
  }

  /** A load begins: nothing of an older one is kept. */
  begin(): void {
    this.#kept.clear();
    this.#shelf.clear();
    this.#room = KEPT;
  }

  /** Nobody asks until the next load, or for little: with many sources, what each kept would add up. */
  rest(): void {
    this.begin();
    this.#room = 0;
  }

  /** What is read from now on. */
  use(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Keeps a definition of about `size` characters that a load has at hand, as long as there is room. */
  readonly shelve = (definition: JsonValue, hash: string, size: number): void => {
    if (this.#room <= 0 || this.#shelf.has(hash)) return;
    this.#room -= size;
    this.#shelf.set(hash, definition);
  };

  readSpec(layers: Layers, fingerprint: string, signal: AbortSignal): Promise<JsonObject> {
    const kept = signal.aborted ? undefined : this.#kept.get(fingerprint);
    if (kept !== undefined) return Promise.resolve(kept);
    return new Promise((done, failed) => {
      if (this.#requests.length === 0) setImmediate(() => void this.#run());
      this.#requests.push({ layers, fingerprint, signal, done, failed });
    });
  }

  async #run(): Promise<void> {
    const requests = this.#requests;
    this.#requests = [];
    for (let start = 0; start < requests.length; start += BATCH)
      await this.#answer(requests.slice(start, start + BATCH));
  }

  async #answer(batch: readonly Request[]): Promise<void> {
    const waiting = batch.filter((request) => !rejectedAborted(request));
    const prepared = waiting.map(({ layers }) => prepare(layers, this.#context));
    const shelved = waiting.map((request, index) => this.#fromShelf(request, prepared[index]));
    const paths = new Set<string>();
    for (const [index, preparation] of prepared.entries()) {
      const plan = preparation.ok ? preparation.prepared.definition : undefined;
      if (shelved[index] === undefined && plan !== undefined)
        for (const path of filesFor(plan)) if (this.#files.has(path)) paths.add(path);
    }
    try {
      const texts = await this.#read([...paths], waiting);
      for (const [index, request] of waiting.entries()) {
        const preparation = prepared[index];
        const ready = shelved[index];
        const spec =
          ready ?? (preparation?.ok === true ? this.#build(request, preparation.prepared, texts) : undefined);
        if (rejectedAborted(request)) continue;
        if (ready !== undefined) request.done(ready);
        else if (spec === undefined) request.failed(changed(request.layers));
        else {
          this.#keep(request.fingerprint, spec);
          request.done(spec);
        }
      }
    } catch (error) {
      for (const request of waiting) request.failed(error);
    }
  }

  /** The fingerprint names the content. Nothing makes room for what comes later: reading in turns would then find nothing. */
  #keep(fingerprint: string, spec: JsonObject): void {
    if (this.#room <= 0 || this.#kept.has(fingerprint)) return;
    this.#room -= JSON.stringify(spec).length;
    this.#kept.set(fingerprint, spec);
  }

  async #read(paths: readonly string[], waiting: readonly Request[]): Promise<ReadonlyMap<string, string>> {
    const snapshot = this.#snapshot;
    if (paths.length === 0 || snapshot === undefined) return new Map();
    // The reading goes on while anybody still waits for it.
    const stop = new AbortController();
    const check = (): void => {
      if (waiting.every(({ signal }) => signal.aborted)) stop.abort(waiting[0]?.signal.reason);
    };
    for (const { signal } of waiting) signal.addEventListener('abort', check);
    try {
      return await readTexts(snapshot, paths, stop.signal);
    } finally {
      for (const { signal } of waiting) signal.removeEventListener('abort', check);
    }
  }

  /** Undefined when the bytes are no longer those that the manifest was made of. */
  #build(
    { layers, fingerprint }: Request,
    prepared: Prepared,
    texts: ReadonlyMap<string, string>,
  ): JsonObject | undefined {
    const { content, definition: plan } = prepared;
    if (plan === undefined) return content;
    const found = lookUp(layers, plan, prepared.title, this.#files);
    if (found.state === 'broken' || filesFor(plan).some((file) => !texts.has(file))) return undefined;
    const { value } = build({ layers, plan, part: found.part, context: this.#context, texts });
    if (value === undefined) return undefined;
    return fingerprintOf(layers, prepared, contentHash(value)) === fingerprint
      ? { ...content, definition: value }
      : undefined;
  }

  /** The content without reading anything, where a load left the definition here and it is that of the manifest. */
  #fromShelf({ layers, fingerprint }: Request, preparation: ReturnType<typeof prepare> | undefined) {
    if (preparation?.ok !== true) return undefined;
    const { prepared } = preparation;
    const { content, definition: plan } = prepared;
    const found = plan === undefined ? undefined : lookUp(layers, plan, prepared.title, this.#files);
    if (found?.state !== 'known') return undefined;
    const { hash } = found.analysis;
    const definition = this.#shelf.get(hash);
    const isMeant = definition !== undefined && fingerprintOf(layers, prepared, hash) === fingerprint;
    return isMeant ? { ...content, definition } : undefined;
  }
}

/** As a load makes it of the same parts. */
function fingerprintOf(layers: Layers, { content, secrets, definition: plan }: Prepared, definition: string): string {
  return contentHash({
    kind: layers.base.kind,
    content,
    secrets: secrets as unknown as JsonObject,
    ...(plan === undefined ? {} : { format: plan.format.name }),
    definition,
  });
}

function rejectedAborted({ signal, failed }: Request): boolean {
  if (signal.aborted) failed(signal.reason);
  return signal.aborted;
}

function changed({ base }: Layers): ReconcilerError {
  return new ReconcilerError(`The definition of ${base.key} was changed or removed since it was loaded.`, 'replan', {
    code: 'source-changed',
    remedy: 'The next pass takes the newest revision.',
  });
}
