import PQueue from 'p-queue';
import type { KubeClient } from '../../kube/client.ts';
import { isClusterError } from '../../kube/failure.ts';
import { nameOf } from '../../kube/object.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { Timers } from '../timers.ts';
import { statusOf } from './conditions.ts';

/** Requests under way at once. */
const WIDTH = 4;
/** Milliseconds before a write that failed is tried again. */
const AGAIN = 5_000;

export interface StatusWriterParts {
  readonly client: KubeClient;
  readonly timers: Timers;
  readonly redact: (text: string) => string;
  readonly onFault: (object: KubeObject, error: unknown) => void;
}

type Status = Readonly<Record<string, unknown>>;

/**
 * The one place that writes statuses. What is there already is not written again (law 10); of what is written while something waits for the same
 * object, the newest counts.
 */
export class StatusWriter implements AsyncDisposable {
  readonly #parts: StatusWriterParts;
  readonly #queue = new PQueue({ concurrency: WIDTH });
  readonly #waiting = new Map<
    string,
    { readonly resource: Resource; readonly object: KubeObject; readonly status: Status }
  >();
  /** As it was last sent, until the watch has shown it. */
  readonly #sent = new Map<string, string>();
  readonly #ended = new AbortController();

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
  }

  write(resource: Resource, object: KubeObject, status: Status): void {
    const id = `${resource.plural}/${nameOf(object)}/${object.metadata.uid ?? ''}`;
    const clean = JSON.parse(this.#redacted(status)) as Status;
    const text = canonical(clean);
    const present = this.#waiting.has(id) ? undefined : (this.#sent.get(id) ?? canonical(statusOf(object)));
    if (text === present) return;
    const first = !this.#waiting.has(id);
    this.#waiting.set(id, { resource, object, status: clean });
    if (first) void this.#queue.add(() => this.#send(id));
  }

  /** What is seen now is what counts, not what was sent. */
  seen(resource: Resource, object: KubeObject, gone: boolean): void {
    const id = `${resource.plural}/${nameOf(object)}/${object.metadata.uid ?? ''}`;
    if (gone || this.#sent.get(id) === canonical(statusOf(object))) this.#sent.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#queue.onIdle();
  }

  async #send(id: string): Promise<void> {
    const wanted = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (wanted === undefined || this.#ended.signal.aborted) return;
    const { resource, object, status } = wanted;
    const { name, namespace } = object.metadata;
    this.#sent.set(id, canonical(status));
    try {
      const place = namespace === undefined ? { name } : { name, namespace };
      await this.#parts.client.applyStatus(resource, place, status, { signal: this.#ended.signal });
    } catch (error) {
      this.#sent.delete(id);
      if (isClusterError(error, 'cluster-not-found') || this.#ended.signal.aborted) return;
      this.#parts.onFault(object, error);
      if (this.#waiting.has(id)) return;
      this.#waiting.set(id, wanted);
      this.#parts.timers.after(AGAIN, () => void this.#queue.add(() => this.#send(id)));
    }
  }

  #redacted(status: Status): string {
    return JSON.stringify(status, (_, value: unknown) =>
      typeof value === 'string' ? this.#parts.redact(value) : value,
    );
  }
}

/** Independent of the order in which fields stand. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
