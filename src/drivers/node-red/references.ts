import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { type RawNode, isList, isObject, roleOf } from './raw.ts';

/**
 * Where an id may stand in an entry: a node of the same root (wires, groups, scopes, a subflow's ends), the other end
 * of a link, a subflow's definition, or possibly a config node (a property that a node type declared itself).
 */
export type Place = 'node' | 'link' | 'subflow' | 'config';
export type Rewrite = (place: Place, id: string) => string;

/** Properties that hold text, code or values of people, or have a place of their own: never taken for a config reference. */
const OPAQUE = new Set([
  'id',
  'type',
  'z',
  'g',
  'name',
  'label',
  'info',
  'x',
  'y',
  'w',
  'h',
  'd',
  'l',
  'wires',
  'nodes',
  'in',
  'out',
  'env',
  'func',
  'initialize',
  'finalize',
  'template',
  'payload',
  'topic',
  'text',
  'html',
  'format',
  'syntax',
  'icon',
  'color',
  'category',
  'style',
  'status',
  'rules',
  'props',
  'credentials',
  'inputLabels',
  'outputLabels',
  'property',
  'complete',
]);
/** Types of environment entries that hold a value; any other holds a config node. */
const PLAIN_ENV = new Set(['str', 'num', 'bool', 'json', 'bin', 'env', 'jsonata', 'cred', 're', 'date', 'undefined']);
const LINKS = /^link (in|out|call)$/;

/** Whether a property of an entry may refer to a config node. */
function mayNameConfig(node: JsonObject, property: string): boolean {
  return (
    !OPAQUE.has(property) && !(property === 'links' && isLink(node)) && !(property === 'scope' && isList(node['scope']))
  );
}

/**
 * Rewrites every id an entry refers to others by, leaving its own id and `z` alone. Only places where Node-RED itself
 * (runtime/lib/flows/util.js) looks for ids are visited, so that ordinary text is never mistaken for one.
 */
export function rewriteReferences(node: RawNode, rewrite: Rewrite): RawNode {
  const result: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(node)) result[name] = rewriteProperty(node, name, value, rewrite);
  const subflow = subflowOf(node);
  return { ...result, id: node.id, type: subflow === undefined ? node.type : `subflow:${rewrite('subflow', subflow)}` };
}

/**
 * Rewrites only what refers to an entry of the same definition. A property that a node type declared itself counts as a
 * reference only when it names a config node: any other equality with an id is chance.
 */
export function rewriteLocal(
  node: RawNode,
  local: ReadonlyMap<string, RawNode>,
  rewrite: (id: string, place: Place) => string,
): RawNode {
  return rewriteReferences(node, (place, id) => (isLocal(local, place, id) ? rewrite(id, place) : id));
}

export function isLocal(local: ReadonlyMap<string, RawNode>, place: Place, id: string): boolean {
  const target = local.get(id);
  return target !== undefined && place !== 'subflow' && (place !== 'config' || roleOf(target) === 'config');
}

/** The subflow an instance stands for: what follows `subflow:` in its type. */
export function subflowOf(node: RawNode): string | undefined {
  return node.type.startsWith('subflow:') ? node.type.slice('subflow:'.length) : undefined;
}

/** Every reference of an entry, in the order in which `rewriteReferences` meets them. */
export function referencesOf(node: RawNode): readonly { readonly place: Place; readonly id: string }[] {
  const found: { place: Place; id: string }[] = [];
  rewriteReferences(node, (place, id) => {
    found.push({ place, id });
    return id;
  });
  return found;
}

function rewriteProperty(node: RawNode, name: string, value: JsonValue, rewrite: Rewrite): JsonValue {
  const toNode = (id: string): string => rewrite('node', id);
  if (name === 'wires' && isList(value)) return value.map((port) => mapIds(port, toNode));
  if (name === 'g' && typeof value === 'string') return value === '' ? value : toNode(value);
  if (name === 'scope' && isList(value)) return mapIds(value, toNode);
  if (name === 'links' && isLink(node)) return mapIds(value, (id) => rewrite('link', id));
  if (name === 'nodes' && node.type === 'group') return mapIds(value, toNode);
  if (name === 'env' && isList(value)) return value.map((entry) => rewriteEnv(entry, rewrite));
  if (node.type === 'subflow' && (name === 'in' || name === 'out') && isList(value)) {
    return value.map((end) => rewriteEnd(end, toNode));
  }
  if (node.type === 'subflow' && name === 'status') return rewriteEnd(value, toNode);
  if (!mayNameConfig(node, name)) return value;
  const toConfig = (id: string): string => rewrite('config', id);
  if (typeof value === 'string') return value === '' ? value : toConfig(value);
  return isList(value) ? mapIds(value, toConfig) : value;
}

function isLink(node: JsonObject): boolean {
  return typeof node['type'] === 'string' && LINKS.test(node['type']);
}

function mapIds(value: JsonValue, map: (id: string) => string): JsonValue {
  return isList(value) ? value.map((id) => (typeof id === 'string' && id !== '' ? map(id) : id)) : value;
}

function rewriteEnv(entry: JsonValue, rewrite: Rewrite): JsonValue {
  if (!isObject(entry) || isPlain(entry['type'])) return entry;
  const value = entry['value'];
  return typeof value === 'string' && value !== '' ? { ...entry, value: rewrite('config', value) } : entry;
}

function isPlain(type: JsonValue | undefined): boolean {
  return typeof type !== 'string' || PLAIN_ENV.has(type);
}

function rewriteEnd(end: JsonValue, toNode: (id: string) => string): JsonValue {
  const wires = isObject(end) ? end['wires'] : undefined;
  if (!isObject(end) || !isList(wires)) return end;
  return {
    ...end,
    wires: wires.map((wire) => {
      const id = isObject(wire) ? wire['id'] : undefined;
      return isObject(wire) && typeof id === 'string' ? { ...wire, id: toNode(id) } : wire;
    }),
  };
}
