import type { KubeClient } from './client.ts';
import { Groups, groupsAround, groupsOf } from './groups.ts';
import type { Selection } from './groups.ts';
import type { KubeObject, Resource } from './object.ts';
import { packed } from './packed.ts';
import { ObjectWatch } from './watch.ts';
import type { ObjectChange } from './watch.ts';
import type { ReconcilerError } from '../errors.ts';

export interface CollectionsParts {
  readonly client: KubeClient;
  /** Every sort of object that is ever asked for. */
  readonly resources: readonly Resource[];
  /** One namespace only; all when absent. */
  readonly namespace?: string;
  /** Objects with these labels only, as a selector of the API. */
  readonly labelSelector?: string;
  /** Told of every change, before those who follow it. */
  readonly onChange?: (object: KubeObject, gone: boolean) => void;
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
 * ask. Whoever selects some of them costs no look at the others.
 */
export class Collections implements AsyncDisposable {
  readonly #parts: CollectionsParts;
  readonly #watches = new Map<string, ObjectWatch>();
  readonly #troubles = new Map<string, Trouble>();
  readonly #objects = new Groups<KubeObject>();
  readonly #listeners = new Groups<Listener>();

  constructor(parts: CollectionsParts) {
    this.#parts = parts;
  }

  /** The objects of a selection, once all of them are known. @throws ReconcilerError why they cannot be, or the signal's reason. */
  async objects(selection: Selection, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const watches = this.#open();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(this.trouble?.error ?? (signal.reason as Error)), { once: true });
    });
    aborted.catch(() => undefined);
    await Promise.race([Promise.all(watches.map(({ listed }) => listed)), aborted]);
    return this.known(selection);
  }

  /** Those that are known by now. */
  known(selection: Selection): readonly KubeObject[] {
    const groups = groupsAround(selection).map((group) => this.#objects.in(group));
    const [smallest] = groups.toSorted((one, other) => one.size - other.size);
    const labels = Object.entries(selection.labels);
    return [...(smallest ?? [])].filter(({ metadata }) =>
      labels.every(([name, value]) => metadata.labels?.[name] === value),
    );
  }

  /** Calls `listener` at changes of objects that are, or were, of the selection, from now on; at some others, too. */
  follow(selection: Selection, listener: Listener): Disposable {
    this.#open();
    const groups = groupsAround(selection).slice(0, 1);
    this.#listeners.add(groups, listener);
    return { [Symbol.dispose]: () => this.#listeners.remove(groups, listener) };
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
        keep: packed,
        onChange: (change) => this.#changed(change),
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

  #changed({ object, before, gone }: ObjectChange): void {
    const former = before === undefined ? [] : groupsOf(before);
    const groups = groupsOf(object);
    if (before !== undefined) this.#objects.remove(former, before);
    if (!gone) this.#objects.add(groups, object);
    this.#parts.onChange?.(object, gone);
    const told = new Set([...former, ...groups].flatMap((group) => [...this.#listeners.in(group)]));
    for (const listener of told) listener(object, before);
  }
}
