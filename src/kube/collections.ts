import type { KubeClient } from './client.ts';
import type { KubeObject, Resource } from './object.ts';
import { ObjectWatch } from './watch.ts';
import type { ReconcilerError } from '../errors.ts';

export interface CollectionsParts {
  readonly client: KubeClient;
  /** Every sort of object that is ever asked for. */
  readonly resources: readonly Resource[];
  /** One namespace only; all when absent. */
  readonly namespace?: string;
  /** Objects with these labels only, as a selector of the API. */
  readonly labelSelector?: string;
  readonly onFault: (error: unknown) => void;
}

interface Trouble {
  readonly error: ReconcilerError;
  /** Milliseconds since 1970. */
  readonly since: number;
}

type Listener = (object: KubeObject, before: KubeObject | undefined) => void;

/**
 * The objects of several resources, watched from the first time that somebody asks for them on: one watch per resource, however many
 * ask.
 */
export class Collections implements AsyncDisposable {
  readonly #parts: CollectionsParts;
  readonly #watches = new Map<string, ObjectWatch>();
  readonly #troubles = new Map<string, Trouble>();
  readonly #listeners = new Set<Listener>();

  constructor(parts: CollectionsParts) {
    this.#parts = parts;
  }

  /** Every object, once all of them are known. @throws ReconcilerError why they cannot be, or the signal's reason. */
  async objects(signal: AbortSignal): Promise<readonly KubeObject[]> {
    const watches = this.#open();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(this.trouble?.error ?? (signal.reason as Error)), { once: true });
    });
    aborted.catch(() => undefined);
    await Promise.race([Promise.all(watches.map(({ listed }) => listed)), aborted]);
    return watches.flatMap(({ objects }) => [...objects.values()]);
  }

  /** The objects that are known by now. */
  known(): readonly KubeObject[] {
    return [...this.#watches.values()].flatMap(({ objects }) => [...objects.values()]);
  }

  /** Calls `listener` at every change of any object, from now on. */
  follow(listener: Listener): Disposable {
    this.#open();
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch[Symbol.asyncDispose]()));
  }

  /** Why the objects may be older than they seem. */
  get trouble(): Trouble | undefined {
    return [...this.#troubles.values()][0];
  }

  #open(): readonly ObjectWatch[] {
    const { client, resources, namespace, labelSelector, onFault } = this.#parts;
    return resources.map((resource) => {
      const known = this.#watches.get(resource.plural);
      if (known !== undefined) return known;
      const watch = new ObjectWatch({
        client,
        resource,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        onChange: ({ object, before }) => {
          for (const listener of this.#listeners) listener(object, before);
        },
        onTrouble: (trouble) => {
          if (trouble === undefined) this.#troubles.delete(resource.plural);
          else this.#troubles.set(resource.plural, { error: trouble, since: Date.now() });
        },
        onFault,
      });
      this.#watches.set(resource.plural, watch);
      return watch;
    });
  }
}
