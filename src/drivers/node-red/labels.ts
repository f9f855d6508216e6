import { canonicalJson } from '../../manifest/canonical.ts';
import { createHash } from 'node:crypto';
import { type RawNode, textOf, titleOf, without } from './raw.ts';
import { isLocal, referencesOf, rewriteReferences, subflowOf } from './references.ts';
import { parseToken } from './tokens.ts';

/** What the root of a definition is called inside it; its title is a field of the manifest. */
export const ROOT_LABEL = 'flow';

/**
 * Names every entry of one definition by what people see: its name, else its type, with `#2`, `#3` … among equals.
 *
 * Equals are told apart by position, then by content, then by what they are wired to. That last step is colour
 * refinement (Weisfeiler-Lehman): every entry gets a colour from its own content, then again and again a colour from
 * its neighbours' colours, until no more entries can be told apart. Entries that still share a colour are
 * interchangeable: one of them is marked and refinement goes on, so that the result depends neither on ids nor on the
 * order in which a file lists them.
 */
export function labelsOf(root: RawNode, nodes: readonly RawNode[]): ReadonlyMap<string, string> {
  const entries = [root, ...nodes];
  const byLabel = Map.groupBy(nodes, baseLabelOf);
  const labels = new Map<string, string>([[root.id, ROOT_LABEL]]);
  const taken = new Set([ROOT_LABEL]);
  const rest: [string, RawNode[]][] = [];
  const crowded = [...byLabel.values()].some(
    (equals) => equals.length > 1 && new Set(equals.map(placeOf)).size < equals.length,
  );
  const colours = crowded ? distinctColours(entries) : new Map<string, string>();
  for (const [base, equals] of [...byLabel].toSorted(([a], [b]) => compare(a, b))) {
    const ordered = equals.length === 1 ? equals : equals.toSorted((a, b) => compareEquals(a, b, colours));
    const first = taken.has(base) ? undefined : ordered[0];
    const others = first === undefined ? ordered : ordered.slice(1);
    if (first !== undefined) {
      labels.set(first.id, base);
      taken.add(base);
    }
    if (others.length > 0) rest.push([base, others]);
  }
  for (const [base, others] of rest) {
    let number = 2;
    for (const node of others) {
      while (taken.has(`${base}#${number}`)) number++;
      labels.set(node.id, `${base}#${number}`);
      taken.add(`${base}#${number}`);
    }
  }
  return labels;
}

/** The label of a node before it is told apart from its equals. */
export function baseLabelOf(node: RawNode): string {
  const subflow = subflowOf(node);
  if (subflow === undefined || textOf(node, 'name') !== undefined) return titleOf(node);
  return parseToken(subflow)?.parts[0] ?? 'subflow';
}

/**
 * An entry's own content: what it says without the ids of its own definition (`local`) that it carries, and without
 * where its links lead outside (labels on another tab would depend on labels here).
 */
export function contentOf(node: RawNode, local: ReadonlyMap<string, RawNode>): string {
  const blank = rewriteReferences(node, (place, id) => (isLocal(local, place, id) || place === 'link' ? '' : id));
  return canonicalJson(without(blank, ['id', 'z', 'credentials']));
}

/** By code units: equal on every machine and in every locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareEquals(a: RawNode, b: RawNode, colours: ReadonlyMap<string, string>): number {
  for (const axis of ['y', 'x']) {
    const difference = numberOf(a, axis) - numberOf(b, axis);
    if (difference !== 0) return difference;
  }
  return compare(colours.get(a.id) ?? '', colours.get(b.id) ?? '');
}

function placeOf(node: RawNode): string {
  return `${numberOf(node, 'x')},${numberOf(node, 'y')}`;
}

function numberOf(node: RawNode, name: string): number {
  const value = node[name];
  return typeof value === 'number' ? value : 0;
}

/** Refines colours until entries that look alike (label and position) are told apart. */
function distinctColours(entries: readonly RawNode[]): ReadonlyMap<string, string> {
  const known = new Map(entries.map((entry) => [entry.id, entry]));
  let colours = new Map(entries.map((entry, index) => [entry.id, digest(`${index === 0}${contentOf(entry, known)}`)]));
  colours = refine(entries, known, colours);
  for (;;) {
    const twin = firstTwin(entries, colours);
    if (twin === undefined) return colours;
    colours.set(twin, digest(`chosen ${colours.get(twin) ?? ''}`));
    colours = refine(entries, known, colours);
  }
}

/** The first entry of the smallest colour that several entries share and that matters for labels. */
function firstTwin(entries: readonly RawNode[], colours: ReadonlyMap<string, string>): string | undefined {
  const classes = Map.groupBy(entries, (entry) => colours.get(entry.id) ?? '');
  const twins = [...classes].filter(([, members]) => members.length > 1).toSorted(([a], [b]) => compare(a, b));
  return twins[0]?.[1][0]?.id;
}

function refine(
  entries: readonly RawNode[],
  known: ReadonlyMap<string, RawNode>,
  start: Map<string, string>,
): Map<string, string> {
  let colours = start;
  let count = new Set(colours.values()).size;
  for (;;) {
    const next = new Map(entries.map((entry) => [entry.id, coloured(entry, known, colours)]));
    const incoming = new Map<string, string[]>();
    for (const entry of entries) {
      for (const [at, { place, id }] of referencesOf(entry).entries()) {
        if (!isLocal(known, place, id)) continue;
        const list = incoming.get(id) ?? [];
        list.push(`${place}${isOrdered(entry) ? at : ''}${colours.get(entry.id) ?? ''}`);
        incoming.set(id, list);
      }
    }
    for (const [id, from] of incoming) next.set(id, digest(`${next.get(id) ?? ''}${from.toSorted(compare).join()}`));
    const now = new Set(next.values()).size;
    if (now === count || now === entries.length) return next;
    colours = next;
    count = now;
  }
}

/** A group's members and a node's scope have no order; wires have one. */
function isOrdered(node: RawNode): boolean {
  return node.type !== 'group' && !Array.isArray(node['scope']) && !Array.isArray(node['links']);
}

function coloured(entry: RawNode, known: ReadonlyMap<string, RawNode>, colours: ReadonlyMap<string, string>): string {
  const pointing = referencesOf(entry).map(({ place, id }) => {
    const target = isLocal(known, place, id) ? (colours.get(id) ?? '') : place === 'link' ? '' : id;
    return `${place}${target}`;
  });
  const list = isOrdered(entry) ? pointing : pointing.toSorted(compare);
  return digest(`${colours.get(entry.id) ?? ''}${list.join()}`);
}

function digest(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}
