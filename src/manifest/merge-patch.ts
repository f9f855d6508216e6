import type { JsonValue } from './manifest.ts';
import { isObject, partsOf } from './pointer.ts';

/** Applies a JSON merge patch (RFC 7396): mappings are merged, null removes, everything else replaces. */
export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** A copy of a JSON value with what stands at a pointer replaced; undefined when there is nothing at it. */
export function replaceAt(
  value: JsonValue,
  pointer: string,
  replace: (present: JsonValue) => JsonValue,
): JsonValue | undefined {
  const walk = (inner: JsonValue, parts: readonly string[]): JsonValue | undefined => {
    const [part, ...rest] = parts;
    if (part === undefined) return replace(inner);
    if (inner === null || typeof inner !== 'object' || !Object.hasOwn(inner, part)) return undefined;
    const child = (inner as Readonly<Record<string, JsonValue>>)[part];
    const replaced = child === undefined ? undefined : walk(child, rest);
    if (replaced === undefined) return undefined;
    if (Array.isArray(inner)) return inner.map((item: JsonValue, index) => (String(index) === part ? replaced : item));
    return { ...(inner as Readonly<Record<string, JsonValue>>), [part]: replaced };
  };
  return walk(value, partsOf(pointer));
}
