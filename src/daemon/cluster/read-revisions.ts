import type { Selection } from '../../kube/groups.ts';
import type { KubeObject } from '../../kube/object.ts';

/** Revisions of one selection that are remembered: a pass may have read one while the next is being read. */
const OF_EACH = 4;
/** Selections that are remembered. */
const SELECTIONS = 20_000;

/** What the newest revisions of each selection were made of. */
export class ReadRevisions {
  readonly #read = new Map<string, Map<string, ReadonlySet<string>>>();

  note(selection: Selection, revision: string, objects: readonly KubeObject[]): void {
    const id = idOf(selection);
    const revisions = this.#read.get(id) ?? new Map<string, ReadonlySet<string>>();
    this.#read.delete(id);
    this.#read.set(id, revisions);
    revisions.delete(revision);
    revisions.set(revision, new Set(objects.map(versionOf)));
    forgetOldest(revisions, OF_EACH);
    forgetOldest(this.#read, SELECTIONS);
  }

  /** Whether a revision was made of an object as it is now. */
  has(selection: Selection, revision: string | undefined, object: KubeObject): boolean {
    return (
      this.#read
        .get(idOf(selection))
        ?.get(revision ?? '')
        ?.has(versionOf(object)) === true
    );
  }
}

function idOf({ namespace, labels }: Selection): string {
  return JSON.stringify([namespace, Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))]);
}

function versionOf({ metadata: { uid = '', generation = 0 } }: KubeObject): string {
  return `${uid}@${generation}`;
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
