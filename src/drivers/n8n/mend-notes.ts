import type { JsonObject } from '../../manifest/manifest.ts';
import { listed } from './mend-node.ts';
import type { Say } from './mend-node.ts';
import { textOf } from './shapes.ts';

const FIRST = 'Sticky Note';

/** Whether a node is a note for people: nothing leads to it, and it does nothing. */
export function isSticky({ type }: JsonObject): boolean {
  return type === 'n8n-nodes-base.stickyNote';
}

/** Nodes with a name for every sticky note: scripts leave them without one, or with the same one; what they are called is all the same. */
export function named(nodes: readonly JsonObject[], say: Say): readonly JsonObject[] {
  const taken = new Set(nodes.flatMap((node) => (isSticky(node) ? [] : [node['name']])));
  const given: string[] = [];
  const all = nodes.map((node) => {
    const own = textOf(node['name']);
    const name = isSticky(node) && (own === undefined || taken.has(own)) ? free(own ?? FIRST, taken, nodes) : own;
    taken.add(name);
    if (name === undefined || name === own) return node;
    given.push(name);
    return { ...node, name };
  });
  if (given.length > 0)
    say(
      `Sticky notes have no name, or that of another node; they are called ${listed(given)}.`,
      'Give each a name, or leave it.',
    );
  return all;
}

/** As n8n's editor does it: the name, then with a number behind it. */
function free(wanted: string, taken: ReadonlySet<unknown>, nodes: readonly JsonObject[]): string {
  const isFree = (name: string): boolean => !taken.has(name) && !nodes.some((node) => node['name'] === name);
  let name = wanted;
  for (let number = 1; !isFree(name); number++) name = `${wanted}${number}`;
  return name;
}
