import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from './manifest.ts';

/** JSON with the names of every object in code-unit order, so that equal contents are equal texts. */
export function canonicalJson(value: JsonValue): string {
  return JSON.stringify(inOrder(value));
}

/** SHA-256 over the canonical JSON, as hex. */
export function contentHash(value: JsonValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
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
