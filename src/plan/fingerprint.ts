import { hash } from 'node:crypto';
import { canonicalJson } from '../manifest/canonical.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import { partsOf } from '../manifest/pointer.ts';

/** 128 bits of SHA-256 over the canonical text, as 32 hex digits: equal contents, equal fingerprints. */
export function fingerprint(value: JsonValue, ignore: readonly string[] = []): string {
  let seen = value;
  for (const pointer of ignore) seen = without(seen, partsOf(pointer));
  return hash('sha256', canonicalJson(seen)).slice(0, 32);
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
