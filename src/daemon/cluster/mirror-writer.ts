import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import { ReconcilerError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isClusterError } from '../../kube/failure.ts';
import { nameOf } from '../../kube/object.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { Timers } from '../timers.ts';
import { conditionsOf, statusOf } from './conditions.ts';
import type { Mirror } from './mirrors-of.ts';

/** Requests under way at once. */
const WIDTH = 4;
/** Milliseconds before what could not be written is tried again, at first and at most. */
const AGAIN = { first: 5_000, most: 300_000 } as const;
/** Milliseconds before a namespace in which writing is forbidden is tried again: one right is missing, however many mirrors wait for it. */
const FORBIDDEN_FOR = 60_000;
/** Milliseconds for one request: whoever loses a platform to another replica is not to write its mirrors long after. */
const TIMEOUT = 10_000;

/** How a mirror is to be; without a mirror it is to be gone. */
export interface MirrorWish {
  readonly resource: Resource;
  readonly mirror?: Mirror;
  /** Whether it is this replica's to write, and still wanted; asked at the last moment. */
  readonly isOurs: () => boolean;
}

export interface MirrorWriterParts {
  readonly client: KubeClient;
  readonly timers: Timers;
  readonly redact: (text: string) => string;
  /** A mirror could not be written; undefined when one could again. */
  readonly onTrouble: (id: string, trouble: ReconcilerError | undefined) => void;
}

/** The one place that writes mirrors: until they are as they are wished, and nothing when they are (law 10). */
export class MirrorWriter implements AsyncDisposable {
  readonly #parts: MirrorWriterParts;
  readonly #queue = new PQueue({ concurrency: WIDTH });
  readonly #wishes = new Map<string, MirrorWish>();
  /** As they were last seen or written, whichever is newer. */
  readonly #known = new Map<string, KubeObject>();
  readonly #queued = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** Namespaces in which writing was forbidden, and until when they are left alone. */
  readonly #forbidden = new Map<string, number>();
  readonly #ended = new AbortController();

  constructor(parts: MirrorWriterParts) {
    this.#parts = parts;
  }

  /** Objects that are there, by id. */
  get known(): ReadonlyMap<string, KubeObject> {
    return this.#known;
  }

  get wishes(): ReadonlyMap<string, MirrorWish> {
    return this.#wishes;
  }

  wish(id: string, wish: MirrorWish): void {
    this.#wishes.set(id, wish);
    this.#soon(id);
  }

  forget(id: string): void {
    this.#wishes.delete(id);
    this.#failures.delete(id);
  }

  /** What the watch shows. What is not as it is wished is set right. */
  seen(resource: Resource, object: KubeObject, gone: boolean): void {
    const id = mirrorId(resource, object);
    if (gone) this.#known.delete(id);
    else this.#learn(id, object);
    if (this.#wishes.has(id)) this.#soon(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#queue.onIdle();
  }

  #soon(id: string): void {
    if (this.#queued.has(id) || this.#ended.signal.aborted) return;
    this.#queued.add(id);
    void this.#queue.add(async () => {
      this.#queued.delete(id);
      await this.#fulfil(id);
    });
  }

  async #fulfil(id: string): Promise<void> {
    const wish = this.#wishes.get(id);
    if (wish === undefined || this.#ended.signal.aborted || !wish.isOurs()) return;
    const pause = (this.#forbidden.get(namespaceIn(id)) ?? 0) - this.#parts.timers.now();
    if (pause > 0) {
      this.#parts.timers.after(pause, () => this.#soon(id));
      return;
    }
    try {
      if (wish.mirror === undefined) await this.#remove(id, wish);
      else await this.#write(id, wish.mirror);
      if (this.#failures.delete(id)) this.#parts.onTrouble(id, undefined);
    } catch (error) {
      this.#failed(id, error);
    }
  }

  async #remove(id: string, wish: MirrorWish): Promise<void> {
    const object = this.#known.get(id);
    if (object !== undefined) await this.#parts.client.delete(wish.resource, placeOf(object), this.#call());
    if (this.#wishes.get(id) === wish) this.#wishes.delete(id);
  }

  async #write(id: string, mirror: Mirror): Promise<void> {
    const { client, timers } = this.#parts;
    const { resource, object, stand, details } = mirror;
    let present = this.#known.get(id);
    if (present === undefined || !shows(present, object)) {
      present = await client.apply(resource, object, this.#call());
      this.#learn(id, present);
    }
    const { generation } = present.metadata;
    const said = this.#redacted({ conditions: conditionsOf(present, stand, timers.now()), ...details });
    const status = generation === undefined ? said : { ...said, observedGeneration: generation };
    const before = statusOf(present);
    if (isDeepStrictEqual(before, status)) return;
    // What somebody else has put there goes as well.
    const rest = Object.fromEntries(Object.keys(before).map((name) => [name, null]));
    this.#learn(id, await client.merge(resource, placeOf(object), { status: { ...rest, ...status } }, this.#call()));
  }

  #failed(id: string, error: unknown): void {
    // Deleted meanwhile: the watch tells, and it is made anew.
    if (this.#ended.signal.aborted || isClusterError(error, 'cluster-not-found')) return;
    const trouble =
      error instanceof ReconcilerError
        ? error
        : new ReconcilerError('A mirror was not written.', 'backoff', { cause: error });
    const { timers, onTrouble } = this.#parts;
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    onTrouble(id, trouble);
    const forbidden = isClusterError(error, 'cluster-forbidden');
    if (forbidden) this.#forbidden.set(namespaceIn(id), timers.now() + FORBIDDEN_FOR);
    const pause = forbidden ? FORBIDDEN_FOR : Math.min(AGAIN.first * 2 ** (failures - 1), AGAIN.most);
    timers.after(pause, () => this.#soon(id));
  }

  #learn(id: string, object: KubeObject): void {
    const before = this.#known.get(id);
    if (before?.metadata.uid === object.metadata.uid && isNewer(before, object)) return;
    this.#known.set(id, object);
  }

  #call() {
    return { signal: this.#ended.signal, timeout: TIMEOUT };
  }

  #redacted<T>(value: T): T {
    return JSON.parse(
      JSON.stringify(value, (_, one: unknown) => (typeof one === 'string' ? this.#parts.redact(one) : one)),
    ) as T;
  }
}

/** Within a resource names are unique. */
export function mirrorId({ plural }: Resource, object: KubeObject): string {
  return `${plural}/${nameOf(object)}`;
}

function namespaceIn(id: string): string {
  return id.split('/')[1] ?? '';
}

function placeOf({ metadata: { name, namespace } }: KubeObject) {
  return namespace === undefined ? { name } : { name, namespace };
}

/** Whether an object says what a mirror is to say. Labels and annotations of others are left to them. */
function shows(present: KubeObject, wanted: KubeObject): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [] } = wanted.metadata;
  const has = (own: Readonly<Record<string, string>>, all: Readonly<Record<string, string>> = {}): boolean =>
    Object.entries(own).every(([name, value]) => all[name] === value);
  return (
    has(labels, present.metadata.labels) &&
    has(annotations, present.metadata.annotations) &&
    ownerReferences.every(({ uid }) => present.metadata.ownerReferences?.some((owner) => owner.uid === uid)) &&
    isDeepStrictEqual(present['mirror'], wanted['mirror'])
  );
}

/** Versions count up; where they do not, what comes later is taken for newer. */
function isNewer(one: KubeObject | undefined, other: KubeObject): boolean {
  const [a = '', b = ''] = [one?.metadata.resourceVersion, other.metadata.resourceVersion];
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) > BigInt(b);
}
