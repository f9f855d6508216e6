import type { JsonObject, JsonValue, Kind } from '../../manifest/manifest.ts';
import { ROOT_LABEL, compare, labelsOf } from './labels.ts';
import { readInfo } from './marker.ts';
import { Names } from './names.ts';
import {
  FlowSet,
  type RawNode,
  entriesOf,
  isList,
  isObject,
  isRoot,
  parentOf,
  roleOf,
  textOf,
  titleOf,
  without,
} from './raw.ts';
import { rewriteLocal } from './references.ts';

/** Fields of each kind that Node-RED can hold, in the order in which they are shown. */
const FIELDS: Readonly<Record<Kind, readonly string[] | undefined>> = {
  Application: ['title', 'environment', 'version', 'owner'],
  Workflow: ['title', 'application', 'version', 'active', 'definition'],
  Integration: ['title', 'type', 'settings'],
  AccessRole: undefined,
  AccessGrant: undefined,
  Webhook: undefined,
  ServiceLevel: undefined,
};

/**
 * The form in which content is compared: names instead of ids, one order, nothing that only one instance knows.
 * Idempotent, and equal for flow files that differ only in ids and in the order of their entries.
 */
export function normalizeSpec(kind: Kind, spec: JsonObject): JsonObject {
  const fields = FIELDS[kind];
  if (fields === undefined) return spec;
  const known = Object.fromEntries(
    fields.flatMap((name): [string, JsonValue][] => {
      const value = spec[name];
      return value === undefined || value === null ? [] : [[name, value]];
    }),
  );
  if (kind === 'Workflow') return { ...known, definition: normalizeDefinition(spec) };
  if (kind === 'Integration') return { ...known, settings: normalizeSettings(spec['settings']) };
  return known;
}

/** A definition's entries for `normalizeDefinition`: its root first, what it refers to outside by name. */
export function localDefinition(definition: JsonValue, title?: string): readonly [RawNode, ...RawNode[]] {
  const entries = entriesOf(definition) ?? [];
  const set = new FlowSet(entries);
  const root = set.roots.find((entry) => titleOf(entry) === title) ?? set.roots[0];
  if (root !== undefined && set.roots.length > 1) return new Names(set).extract(root);
  const [whole, home] = adopted(entries, root);
  return new Names(whole).extract(home);
}

function normalizeDefinition(spec: JsonObject): JsonValue {
  const [root, ...nodes] = localDefinition(spec['definition'] ?? [], textOf(spec, 'title'));
  return canonical(root, nodes);
}

/** The canonical entries of one definition whose references outside are names already. */
export function canonical(root: RawNode, nodes: readonly RawNode[]): readonly JsonObject[] {
  const labels = labelsOf(root, nodes);
  const local = new Map([root, ...nodes].map((node) => [node.id, node]));
  const relabel = (node: RawNode): JsonObject => {
    const renamed = rewriteLocal(node, local, (id) => labels.get(id) ?? id);
    return ordered({ ...sortedSets(renamed), id: labels.get(node.id) ?? node.id });
  };
  const members = nodes.map((node): JsonObject => {
    const scoped = roleOf(node) === 'config' ? { z: ROOT_LABEL } : {};
    return { ...without(relabel(node), ['z', 'credentials']), ...scoped };
  });
  return [bareRoot(relabel(root)), ...members.toSorted((a, b) => compare(idOf(a), idOf(b)))];
}

/** A tab or subflow without what has a field of its own (title, active) or says nothing (empty texts and lists). */
function bareRoot(root: JsonObject): JsonObject {
  const bare = without(root, [
    root['type'] === 'tab' ? 'label' : 'name',
    'disabled',
    'credentials',
    'z',
    'info',
    'env',
  ]);
  const info = readInfo(textOf(root, 'info') ?? '').text.replace(/\s+$/, '');
  const env = root['env'];
  return ordered({
    ...bare,
    id: ROOT_LABEL,
    ...(info === '' ? {} : { info }),
    ...(env === undefined || (isList(env) && env.length === 0) ? {} : { env }),
  });
}

/** Sets that Node-RED keeps as lists, in one order. */
function sortedSets(node: RawNode): JsonObject {
  const sort = (name: string): JsonObject => {
    const list = node[name];
    return isList(list) ? { [name]: list.toSorted((a, b) => compare(JSON.stringify(a), JSON.stringify(b))) } : {};
  };
  return {
    ...node,
    ...(node.type.startsWith('link ') ? sort('links') : {}),
    ...sort('scope'),
    ...(node.type === 'group' ? sort('nodes') : {}),
  };
}

function normalizeSettings(settings: JsonValue | undefined): JsonObject {
  return isObject(settings) ? ordered(without(settings, ['id', 'type', 'z', 'name', 'credentials'])) : {};
}

function idOf(node: JsonObject): string {
  return textOf(node, 'id') ?? '';
}

function ordered(node: JsonObject): JsonObject {
  const rank = (name: string): string => `${['id', 'type', 'name'].indexOf(name) + 1 || 9}${name}`;
  return Object.fromEntries(Object.entries(node).toSorted(([a], [b]) => compare(rank(a), rank(b))));
}

/** Gives entries that name no parent, or one that is not there, to the only root, which is made when it is missing. */
function adopted(entries: readonly RawNode[], root: RawNode | undefined): [FlowSet, RawNode] {
  const home: RawNode = root ?? { id: new FlowSet(entries).missingParents[0] ?? ROOT_LABEL, type: 'tab' };
  const members = entries.flatMap((entry): RawNode[] => {
    if (isRoot(entry)) return [];
    const loose = parentOf(entry) === undefined && roleOf(entry) === 'config';
    return [loose ? entry : { ...entry, z: home.id }];
  });
  return [new FlowSet([home, ...members]), home];
}
