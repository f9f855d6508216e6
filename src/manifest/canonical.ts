import { createHash } from 'node:crypto';
import type { JsonValue } from './manifest.ts';

/** JSON with the names of every object sorted: equal text exactly for equal meaning. */
export function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_name, inner: JsonValue) => (isUnsorted(inner) ? sorted(inner) : inner));
}

/** SHA-256 over the canonical JSON, as hex. */
export function contentHash(value: JsonValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function isUnsorted(value: JsonValue): value is Readonly<Record<string, JsonValue>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  let previous = '';
  for (const name of Object.keys(value)) {
    if (name < previous) return true;
    previous = name;
  }
  return false;
}

function sorted(value: Readonly<Record<string, JsonValue>>): JsonValue {
  return Object.fromEntries(
    Object.entries(value).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
  );
}
