import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonValue } from '../../manifest/manifest.ts';
import { compare } from './labels.ts';
import { type RawNode, entriesOf, isList, isRoot, parentOf, titleOf, without } from './raw.ts';

/** Where the first node stands, and how far its neighbours are from it, in pixels of the editor's canvas. */
const FIRST = { x: 160, y: 80 } as const;
const STEP = { x: 220, y: 60 } as const;

/**
 * A definition whose nodes all have a place. Node-RED takes whatever has no `x` and `y` for configuration and never runs it; people who
 * write a flow by hand leave them out. What has wires, or is wired to, and no place gets one: a column further right than what leads to it,
 * below what has a place already. Everything else stays as it is.
 */
export function placed(definition: JsonValue): JsonValue {
  const entries = entriesOf(definition);
  if (entries === undefined) return definition;
  const targets = new Set(entries.flatMap(leadsTo));
  const loose = entries.filter((entry) => isUnplaced(entry) && (isList(entry['wires']) || targets.has(entry.id)));
  if (loose.length === 0) return definition;
  const places = new Map<string, { readonly x: number; readonly y: number }>();
  for (const [parent, nodes] of Map.groupBy(loose, parentOf)) {
    const beside = entries.filter((entry) => !isRoot(entry) && parentOf(entry) === parent);
    const lowest = Math.max(FIRST.y - STEP.y, ...beside.map(({ y }) => (typeof y === 'number' ? y : 0)));
    columnsOf(nodes).forEach((column, right) => {
      column.forEach((node, down) =>
        places.set(node.id, { x: FIRST.x + right * STEP.x, y: lowest + (down + 1) * STEP.y }),
      );
    });
  }
  return entries.map((entry) => {
    const place = places.get(entry.id);
    return place === undefined ? entry : { ...entry, ...place, wires: entry['wires'] ?? [] };
  });
}

function isUnplaced(entry: RawNode): boolean {
  return !isRoot(entry) && entry.type !== 'group' && !('x' in entry && 'y' in entry);
}

/** Ids that the wires of an entry lead to. */
function leadsTo({ wires }: RawNode): readonly string[] {
  const ids = isList(wires) ? wires.flat() : [];
  return ids.filter((id) => typeof id === 'string');
}

/** Nodes by their distance from where messages begin; in each column those that upper nodes lead to first, then by name and content. */
function columnsOf(nodes: readonly RawNode[]): readonly (readonly RawNode[])[] {
  const rest = new Map(nodes.toSorted(byContent).map((node) => [node.id, node]));
  const led = new Set(nodes.flatMap(leadsTo));
  const columns: RawNode[][] = [];
  const follow = (first: RawNode): void => {
    let wave = [first];
    for (let right = 0; wave.length > 0; right++) {
      for (const { id } of wave) rest.delete(id);
      columns[right] = [...(columns[right] ?? []), ...wave];
      wave = [...new Set(wave.flatMap(leadsTo))].flatMap((id) => rest.get(id) ?? []);
    }
  };
  for (const node of rest.values()) if (!led.has(node.id)) follow(node);
  // What is left goes round in circles, which begin anywhere, but always at the same node.
  for (const node of rest.values()) follow(node);
  return columns;
}

function byContent(a: RawNode, b: RawNode): number {
  const content = (node: RawNode): string => canonicalJson(without(node, ['id', 'z', 'wires']));
  return compare(titleOf(a), titleOf(b)) || compare(content(a), content(b));
}
