import type { KubeObject } from './object.ts';

/** Objects of one namespace that have all of these labels. */
export interface Selection {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Things by the groups that they are in, a group being a namespace, or those of it that have one label. Whoever looks for a selection looks at one
 * group, and not at everything.
 */
export class Groups<T> {
  readonly #members = new Map<string, Set<T>>();

  add(groups: readonly string[], member: T): void {
    for (const group of groups) {
      const members = this.#members.get(group);
      if (members === undefined) this.#members.set(group, new Set([member]));
      else members.add(member);
    }
  }

  remove(groups: readonly string[], member: T): void {
    for (const group of groups) {
      const members = this.#members.get(group);
      if (members?.delete(member) === true && members.size === 0) this.#members.delete(group);
    }
  }

  in(group: string): ReadonlySet<T> {
    return this.#members.get(group) ?? new Set();
  }
}

/** All groups that an object is in. */
export function groupsOf({ metadata: { namespace = '', labels = {} } }: KubeObject): readonly string[] {
  return [namespace, ...Object.entries(labels).map((label) => nameOf(namespace, label))];
}

/** Groups in each of which all objects of a selection are. */
export function groupsAround({ namespace, labels }: Selection): readonly [string, ...string[]] {
  const [first, ...others] = Object.entries(labels).map((label) => nameOf(namespace, label));
  return first === undefined ? [namespace] : [first, ...others];
}

/** Neither a namespace nor a label has a space in it. */
function nameOf(namespace: string, [label, value]: readonly [string, string]): string {
  return `${namespace} ${label} ${value}`;
}
