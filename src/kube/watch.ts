import type { Readable } from 'node:stream';
import { ReconcilerError } from '../errors.ts';
import type { KubeClient } from './client.ts';
import { isClusterError, refusedByServer } from './failure.ts';
import { nameOf, pathOf, withoutManagedFields } from './object.ts';
import type { KubeObject, Resource } from './object.ts';
import { retryPause } from './pause.ts';

/** Seconds after which the server ends a watch, from and to; and after which it is taken for dead when it has not: nobody tells of a connection that was lost silently. */
const LIFE = { from: 240, to: 300 } as const;
const OVERDUE = 10;
/** Milliseconds that a watch must have lived for its end not to count as a failure. */
const SOUND = 5_000;

export interface WatchOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** All namespaces when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is kept of an object, of which `before` was kept so far; undefined keeps nothing of it. All of it but `managedFields` when absent. */
  readonly keep?: (object: KubeObject, before?: KubeObject) => KubeObject | undefined;
  /** One object is new, changed (`before` as it was), or gone. Errors that it throws go to `onFault`. */
  readonly onChange: (change: ObjectChange) => void;
  /** All objects are known now; again after every listing. */
  readonly onListed?: () => void;
  /** Watching is disturbed; undefined when it goes on. Told on change only. */
  readonly onTrouble?: (trouble: ReconcilerError | undefined) => void;
  readonly onFault: (error: unknown) => void;
  /** Seconds after which the server is asked to end each watch, from and to. Default 240 to 300. */
  readonly life?: { readonly from: number; readonly to: number };
}

export interface ObjectChange {
  readonly object: KubeObject;
  readonly before?: KubeObject;
  readonly gone: boolean;
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject & { readonly code?: number; readonly message?: string };
}

/**
 * The objects of one resource as they stand: listed once, then followed. Whatever ends the following (a restart of the API
 * server, a resourceVersion that is too old, an expired token, a broken network) is mended with growing pauses; objects that were
 * deleted meanwhile are told as gone by the listing after it.
 */
export class ObjectWatch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #objects = new Map<string, KubeObject>();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  readonly #first = Promise.withResolvers<void>();
  #resourceVersion: string | undefined;
  #failures = 0;
  #troubled = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** By `namespace/name`. */
  get objects(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  /** Whether the objects are known, and followed as far as can be told. */
  get sound(): boolean {
    return this.#resourceVersion !== undefined && !this.#troubled;
  }

  /** Resolves when all objects are known for the first time, or when the watch is ended before. */
  get listed(): Promise<void> {
    return this.#first.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    this.#first.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error, signal);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { client, resource, life = LIFE } = this.#options;
    if (this.#resourceVersion === undefined) await this.#list(signal);
    const begun = performance.now();
    const seconds = Math.round(life.from + Math.random() * (life.to - life.from));
    const overdue = AbortSignal.timeout((seconds + OVERDUE) * 1000);
    const stream = await client.watch(
      resource,
      { ...this.#scope(), signal: AbortSignal.any([signal, overdue]) },
      { resourceVersion: this.#resourceVersion ?? '', seconds },
    );
    this.#calm();
    try {
      await this.#consume(stream);
    } catch (error) {
      if (signal.aborted || !overdue.aborted) throw error;
    }
    if (performance.now() - begun > SOUND) {
      this.#failures = 0;
      return;
    }
    throw new ReconcilerError(`The watch of ${pathOf(resource, {})} was ended at once.`, 'backoff', {
      code: 'cluster-unavailable',
      remedy: 'Look at the API server and at proxies in front of it; it is tried again by itself.',
    });
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, onListed } = this.#options;
    const listed = new Set<string>();
    let version = '';
    for await (const { items, resourceVersion } of client.pages(resource, { ...this.#scope(), signal })) {
      version = resourceVersion;
      for (const item of items) {
        listed.add(nameOf(item));
        this.#set(item);
      }
    }
    for (const [name, object] of this.#objects) if (!listed.has(name)) this.#gone(object);
    this.#resourceVersion = version;
    this.#guarded(() => onListed?.());
    this.#first.resolve();
  }

  async #consume(stream: Readable): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') this.#take(JSON.parse(line) as WatchEvent);
      }
    } finally {
      stream.destroy();
    }
  }

  #take({ type, object }: WatchEvent): void {
    if (type === 'ERROR') {
      const asked = { what: `watch ${pathOf(this.#options.resource, {})}`, server: this.#options.client.server };
      throw refusedByServer(object.code ?? 500, { text: JSON.stringify(object) }, asked);
    }
    if (type === 'DELETED') this.#gone(object);
    else if (type !== 'BOOKMARK') this.#set(object);
    this.#resourceVersion = object.metadata.resourceVersion;
  }

  #set(object: KubeObject): void {
    const { keep = withoutManagedFields, onChange } = this.#options;
    const name = nameOf(object);
    const before = this.#objects.get(name);
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion && before !== undefined) return;
    const kept = keep(object, before);
    if (kept === undefined) {
      if (before !== undefined) this.#gone(before);
      return;
    }
    this.#objects.set(name, kept);
    this.#guarded(() => onChange({ object: kept, gone: false, ...(before === undefined ? {} : { before }) }));
  }

  #gone(object: KubeObject): void {
    const name = nameOf(object);
    const before = this.#objects.get(name);
    if (before === undefined) return;
    this.#objects.delete(name);
    this.#guarded(() => this.#options.onChange({ object: before, before, gone: true }));
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (isClusterError(error, 'cluster-expired')) this.#resourceVersion = undefined;
    this.#failures += 1;
    // The first failure is an ordinary one: a server that restarts, a version that is too old, a stream that was cut.
    if (this.#failures > 1 || !(error instanceof ReconcilerError)) this.#trouble(error);
    await retryPause(this.#failures, error, signal);
  }

  #trouble(error: unknown): void {
    const trouble =
      error instanceof ReconcilerError
        ? error
        : new ReconcilerError('A watch broke off.', 'backoff', { cause: error, remedy: 'It is opened again.' });
    if (this.#troubled) return;
    this.#troubled = true;
    this.#guarded(() => this.#options.onTrouble?.(trouble));
  }

  #calm(): void {
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#guarded(() => this.#options.onTrouble?.(undefined));
  }

  #scope() {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  /** Calls a handler; what it throws is told, and stops nothing. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.onFault(error);
    }
  }
}
