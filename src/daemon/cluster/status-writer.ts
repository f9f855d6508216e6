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

interface Sent {
  readonly text: string;
  /** resourceVersion that it was based on, and the one that came of it. */
  readonly base: string | undefined;
  version?: string;
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
  /** As it was last sent, until the watch has shown it. */
  readonly #sent = new Map<string, Sent>();
  readonly #ended = new AbortController();

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
  }

  write(writing: Writing): void {
    const { resource, object } = writing;
    const id = idOf(resource, object);
    const status = JSON.parse(this.#redacted(writing.status)) as Status;
    this.seen(resource, object, false);
    const present = this.#waiting.has(id) ? undefined : (this.#sent.get(id)?.text ?? canonical(statusOf(object)));
    if (canonical(status) === present) return;
    const first = !this.#waiting.has(id);
    this.#waiting.set(id, { ...writing, status });
    if (first) void this.#queue.add(() => this.#send(id));
  }

  /** What is seen now is what counts, not what was sent. */
  seen(resource: Resource, object: KubeObject, gone: boolean): void {
    const id = idOf(resource, object);
    const sent = this.#sent.get(id);
    if (sent === undefined) return;
    const { resourceVersion } = object.metadata;
    if (gone || (sent.version !== undefined && !isBefore(resourceVersion, sent))) this.#sent.delete(id);
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
    const before = this.#sent.get(id);
    const base = before?.version !== undefined && isBefore(resourceVersion, before) ? before.version : resourceVersion;
    const sent: Sent = { text: canonical(status), base };
    this.#sent.set(id, sent);
    try {
      const place = namespace === undefined ? { name } : { name, namespace };
      const known = anyVersion === true || base === undefined ? {} : { resourceVersion: base };
      const options = { signal: this.#ended.signal, timeout: TIMEOUT };
      const written = await this.#parts.client.applyStatus(resource, { ...place, ...known }, status, options);
      if (written.metadata.resourceVersion !== undefined) sent.version = written.metadata.resourceVersion;
    } catch (error) {
      this.#sent.delete(id);
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

/** Whether an object is older than what was sent of it. Versions count up; where they do not, only what it was based on is known to be older. */
function isBefore(version: string | undefined, sent: Sent): boolean {
  const counts = /^\d+$/;
  if (version === undefined || version === sent.base) return true;
  if (sent.version === undefined || !counts.test(version) || !counts.test(sent.version)) return false;
  return BigInt(version) < BigInt(sent.version);
}

/** Independent of the order in which fields stand. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
