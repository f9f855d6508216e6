import PQueue from 'p-queue';
import type { KubeClient } from '../../kube/client.ts';
import { isClusterError } from '../../kube/failure.ts';
import { nameOf } from '../../kube/object.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { Timers } from '../timers.ts';
import { statusOf } from './conditions.ts';
import { SentStatuses } from './sent-statuses.ts';

/** Requests under way at once. */
const WIDTH = 4;
/** Milliseconds before a write that failed is tried again. */
const AGAIN = 5_000;
/** Milliseconds for one write: whoever loses an object to another replica is not to write it long after. */
const TIMEOUT = 10_000;

export interface StatusWriterParts {
  readonly client: KubeClient;
  readonly timers: Timers;
  readonly redact: (text: string) => string;
  readonly onFault: (object: KubeObject, error: unknown) => void;
  /** The object has changed since it was looked at: what was to be written of it was not, and is to be made anew. */
  readonly onOvertaken: (object: KubeObject) => void;
}

type Status = Readonly<Record<string, unknown>>;

/** A status that is to be written. */
export interface Writing {
  readonly resource: Resource;
  /** As it was when the status was made of it. */
  readonly object: KubeObject;
  readonly status: Status;
  /** Whether it is this replica's to write; asked at the last moment. */
  readonly isOurs: () => boolean;
  /** Writes whatever else was changed meanwhile: nobody would make it anew. */
  readonly anyVersion?: boolean;
}

/**
 * The one place that writes statuses. What is there already is not written again (law 10); of what is written while something waits for the same
 * object, the newest counts. A write holds for the version of the object that it was made of, so that of two writers, one of which does not
 * know yet that the object is not its any more, none undoes what the other one wrote.
 */
export class StatusWriter implements AsyncDisposable {
  readonly #parts: StatusWriterParts;
  readonly #queue = new PQueue({ concurrency: WIDTH });
  readonly #waiting = new Map<string, Writing>();
  readonly #sent = new SentStatuses();
  readonly #ended = new AbortController();

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
  }

  write(writing: Writing): void {
    const { resource, object } = writing;
    const id = idOf(resource, object);
    const status = JSON.parse(this.#redacted(writing.status)) as Status;
    this.seen(resource, object, false);
    const present = this.#waiting.has(id) ? undefined : (this.#sent.textOf(id) ?? canonical(statusOf(object)));
    if (canonical(status) === present) return;
    const first = !this.#waiting.has(id);
    this.#waiting.set(id, { ...writing, status });
    if (first) void this.#queue.add(() => this.#send(id));
  }

  /** What is seen now is what counts, not what was sent. */
  seen(resource: Resource, object: KubeObject, gone: boolean): void {
    this.#sent.seen(idOf(resource, object), object.metadata.resourceVersion, gone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#queue.onIdle();
  }

  async #send(id: string): Promise<void> {
    const wanted = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (wanted === undefined || this.#ended.signal.aborted || !wanted.isOurs()) return;
    const { resource, object, status, anyVersion } = wanted;
    const { name, namespace, resourceVersion } = object.metadata;
    const base = this.#sent.baseOf(id, resourceVersion);
    const sent = this.#sent.begin(id, canonical(status), base);
    try {
      const place = namespace === undefined ? { name } : { name, namespace };
      const known = anyVersion === true || base === undefined ? {} : { resourceVersion: base };
      const options = { signal: this.#ended.signal, timeout: TIMEOUT };
      const written = await this.#parts.client.applyStatus(resource, { ...place, ...known }, status, options);
      sent.answered(written.metadata.resourceVersion);
    } catch (error) {
      sent.failed();
      this.#failed(id, wanted, error);
    }
  }

  #failed(id: string, wanted: Writing, error: unknown): void {
    const { timers, onFault, onOvertaken } = this.#parts;
    if (isClusterError(error, 'cluster-not-found') || this.#ended.signal.aborted) return;
    if (isClusterError(error, 'cluster-conflict')) {
      onOvertaken(wanted.object);
      return;
    }
    onFault(wanted.object, error);
    if (this.#waiting.has(id)) return;
    this.#waiting.set(id, wanted);
    timers.after(AGAIN, () => void this.#queue.add(() => this.#send(id)));
  }

  #redacted(status: Status): string {
    return JSON.stringify(status, (_, value: unknown) =>
      typeof value === 'string' ? this.#parts.redact(value) : value,
    );
  }
}

function idOf({ plural }: Resource, object: KubeObject): string {
  return `${plural}/${nameOf(object)}/${object.metadata.uid ?? ''}`;
}

/** Independent of the order in which fields stand. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
