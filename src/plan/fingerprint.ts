import { hash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';

/** 128 bits of SHA-256 over the canonical text, as 32 hex digits: equal contents, equal fingerprints. */
export function fingerprint(value: JsonValue, ignore: readonly string[] = []): string {
  let seen = value;
  for (const pointer of ignore) seen = without(seen, parsePointer(pointer));
  return hash('sha256', canonical(seen)).slice(0, 32);
}

/** JSON with the names of every object in code-unit order, so that equal contents are equal texts. */
export function canonical(value: JsonValue): string {
  return JSON.stringify(inOrder(value));
}

/**
 * The value itself where its names are in order already (drivers emit them so, and the engine's own serialiser is
 * several times faster than one written here), else a copy in order. Every part is looked at once, however deep it lies.
 */
function inOrder(value: JsonValue): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  return Array.isArray(value) ? listInOrder(value) : objectInOrder(value as JsonObject);
}

function listInOrder(list: readonly JsonValue[]): readonly JsonValue[] {
  let copy: JsonValue[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const element = list[index] as JsonValue;
    const ordered = inOrder(element);
    if (copy === undefined && ordered !== element) copy = list.slice(0, index);
    copy?.push(ordered);
  }
  return copy ?? list;
}

function objectInOrder(object: JsonObject): JsonObject {
  const names = Object.keys(object);
  let same = true;
  for (let index = 1; same && index < names.length; index += 1)
    same = (names[index - 1] as string) < (names[index] as string);
  if (!same) names.sort();
  const fields = names.map((name) => {
    const field = object[name] as JsonValue;
    const ordered = inOrder(field);
    if (ordered !== field) same = false;
    return ordered;
  });
  if (same) return object;
  const copy: Record<string, JsonValue> = {};
  names.forEach((name, index) => {
    // Assigned, this one name would set the prototype instead.
    if (name === '__proto__') Object.defineProperty(copy, name, { value: fields[index], enumerable: true });
    else copy[name] = fields[index] as JsonValue;
  });
  return copy;
}

/** The segments of a JSON pointer (RFC 6901). */
export function parsePointer(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** A copy without what the path points at; list elements may be named by position, or by their `id`, `key` or `name`. */
export function without(value: JsonValue, path: readonly string[]): JsonValue {
  const [head, ...rest] = path;
  if (head === undefined || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const list = value as readonly JsonValue[];
    const position = positionOf(list, head);
    if (position === -1) return value;
    if (rest.length === 0) return list.toSpliced(position, 1);
    return list.with(position, without(list[position] as JsonValue, rest));
  }
  const object = value as JsonObject;
  if (!Object.hasOwn(object, head)) return value;
  if (rest.length > 0) return { ...object, [head]: without(object[head] as JsonValue, rest) };
  const { [head]: _dropped, ...kept } = object;
  return kept;
}

function positionOf(list: readonly JsonValue[], segment: string): number {
  const named = list.findIndex((element) => identityOf(element) === segment);
  if (named !== -1) return named;
  return /^\d+$/.test(segment) && Number(segment) < list.length ? Number(segment) : -1;
}

/** What tells one element of a list from another when it is moved: its `id`, `key` or `name`. */
export function identityOf(element: JsonValue): string | undefined {
  if (element === null || typeof element !== 'object' || Array.isArray(element)) return undefined;
  const { id, key, name } = element as JsonObject;
  for (const identity of [id, key, name]) if (typeof identity === 'string' && identity !== '') return identity;
  return undefined;
}
