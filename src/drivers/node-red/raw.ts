import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';

/** One entry of a Node-RED flow file: a tab, a subflow, a group, a node, or a config node. */
export type RawNode = JsonObject & { readonly id: string; readonly type: string };

/** What the entries of a flow file are to each other. */
export type Role = 'tab' | 'subflow' | 'config' | 'node';

/** Narrows parsed JSON to entries of a flow file; undefined when it is not one. */
export function entriesOf(json: JsonValue): readonly RawNode[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const entries: RawNode[] = [];
  for (const entry of json as readonly JsonValue[]) {
    if (!isRawNode(entry)) return undefined;
    entries.push(entry);
  }
  return entries;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** A property that is a non-empty string, else undefined. */
export function textOf(node: JsonObject, name: string): string | undefined {
  const value = node[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The tab or subflow an entry stands on; undefined for roots and global config nodes. */
export function parentOf(node: RawNode): string | undefined {
  return textOf(node, 'z');
}

/** Node-RED's own rule (runtime/lib/flows/util.js, parseConfig): what has no place on the canvas is a config node. */
export function roleOf(node: RawNode): Role {
  if (node.type === 'tab' || node.type === 'subflow') return node.type;
  if (node.type === 'group' || ('x' in node && 'y' in node)) return 'node';
  return 'config';
}

export function isRoot(node: RawNode): boolean {
  return node.type === 'tab' || node.type === 'subflow';
}

/**
 * What a person sees: the label of a tab, the name of anything else; for config nodes without a name what the editor
 * shows instead (a path, an address, `host:port`); else the type.
 */
export function titleOf(node: RawNode): string {
  if (node.type === 'tab') return textOf(node, 'label') ?? node.type;
  const name = textOf(node, 'name');
  if (name !== undefined || roleOf(node) !== 'config') return name ?? node.type;
  const host = textOf(node, 'broker') ?? textOf(node, 'host') ?? textOf(node, 'hostname');
  const number = node['port'];
  const port = typeof number === 'number' || (typeof number === 'string' && number !== '') ? `:${number}` : '';
  return textOf(node, 'path') ?? textOf(node, 'url') ?? (host === undefined ? node.type : host + port);
}

/** A copy without some properties. */
export function without(node: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(node).filter(([name]) => !names.includes(name)));
}

/** A flow file with what is needed to walk it: entries by id, and the entries of every root. */
export class FlowSet {
  readonly entries: readonly RawNode[];
  readonly byId: ReadonlyMap<string, RawNode>;
  readonly roots: readonly RawNode[];
  /** Config nodes that every tab may use; those scoped to one tab or subflow belong to its definition instead. */
  readonly globals: readonly RawNode[];
  readonly #members = new Map<string, RawNode[]>();

  constructor(entries: readonly RawNode[]) {
    this.entries = entries;
    this.byId = new Map(entries.map((entry) => [entry.id, entry]));
    this.roots = entries.filter(isRoot);
    this.globals = entries.filter((entry) => roleOf(entry) === 'config' && parentOf(entry) === undefined);
    for (const entry of entries) {
      const parent = isRoot(entry) ? undefined : parentOf(entry);
      if (parent === undefined) continue;
      const list = this.#members.get(parent);
      if (list === undefined) this.#members.set(parent, [entry]);
      else list.push(entry);
    }
  }

  /** Everything that stands on a tab or subflow, in file order. */
  membersOf(root: string): readonly RawNode[] {
    return this.#members.get(root) ?? [];
  }

  /** Parents that are not in the set: what a partial export leaves behind. */
  get missingParents(): readonly string[] {
    return [...this.#members.keys()].filter((id) => this.byId.get(id) === undefined);
  }
}

function isRawNode(value: JsonValue): value is RawNode {
  return isObject(value) && typeof value['id'] === 'string' && value['id'] !== '' && typeof value['type'] === 'string';
}
