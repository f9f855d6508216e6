import { createHash } from 'node:crypto';
import { canonicalJson } from '../../manifest/canonical.ts';
import { baseLabelOf, contentOf, compare } from './labels.ts';
import { partsOf } from './objects.ts';
import type { FlowSet, RawNode } from './raw.ts';
import { stableId } from './tokens.ts';

/** Changes whenever an object, or anything that stands on it, changes on the server. */
export function versionOf(set: FlowSet, entry: RawNode): string {
  const parts = partsOf(set, entry).toSorted((a, b) => compare(a.id, b.id));
  return createHash('sha256').update(canonicalJson(parts)).digest('hex').slice(0, 32);
}

/** A definition in its canonical form beside the labels of what stands on the server now. */
export interface Pairing {
  readonly root: string;
  /** Canonical entries that are wanted, without the root. */
  readonly wanted: readonly RawNode[];
  /** Entries on the server, and their present labels. */
  readonly present: readonly RawNode[];
  readonly labels: ReadonlyMap<string, string>;
  /** Whether an id belongs to something else on the server. */
  readonly isTaken: (id: string) => boolean;
}

/**
 * Gives every wanted node an id. A node keeps the id of the one it replaces, so that its state, its credentials and what
 * runs survive: among nodes of one type and name first the one with the same content, then the one in the same place,
 * then the one with the same label. New nodes get an id made of tab and label, so that a repeated write makes no copies.
 */
export function assignIds(pairing: Pairing): ReadonlyMap<string, string> {
  const { root, wanted, present, labels } = pairing;
  const ids = new Map<string, string>();
  const free = Map.groupBy(present, family);
  const here = new Map(present.map((node) => [node.id, node]));
  const there = new Map(wanted.map((node) => [node.id, node]));
  const contents = new Map([
    ...wanted.map((node): [RawNode, string] => [node, contentOf(node, there)]),
    ...present.map((node): [RawNode, string] => [node, contentOf(node, here)]),
  ]);
  const criteria: readonly ((a: RawNode, b: RawNode) => boolean)[] = [
    (a, b) => contents.get(a) === contents.get(b),
    (a, b) => a['x'] === b['x'] && a['y'] === b['y'],
    (a, b) => a.id === labels.get(b.id),
    () => true,
  ];
  for (const alike of criteria) {
    for (const node of wanted) {
      const left = free.get(family(node));
      const at = ids.has(node.id) ? -1 : (left?.findIndex((old) => alike(node, old)) ?? -1);
      const [old] = at < 0 ? [] : (left?.splice(at, 1) ?? []);
      if (old !== undefined) ids.set(node.id, old.id);
    }
  }
  const used = new Set(ids.values());
  for (const node of wanted) {
    if (ids.has(node.id)) continue;
    const id = freshId(root, node, (candidate) => used.has(candidate) || pairing.isTaken(candidate));
    used.add(id);
    ids.set(node.id, id);
  }
  return ids;
}

/** Only nodes of one type and one name replace each other: credentials belong to a type. */
function family(node: RawNode): string {
  return JSON.stringify([node.type, baseLabelOf(node)]);
}

function freshId(root: string, node: RawNode, isTaken: (id: string) => boolean): string {
  for (let number = 0; ; number++) {
    const id = stableId(`node/${root}`, `${node.id}${number === 0 ? '' : ` ${number}`}`);
    if (!isTaken(id)) return id;
  }
}
