import type { JsonObject, JsonValue } from '../manifest/manifest.ts';

/** Levels of nesting in an answer: more would be too deep for whoever walks it. */
const DEEPEST = 100;

/** What a line of a plugin's process says, or why it cannot be taken for an answer. */
export type Line = { readonly ok: true; readonly value: JsonObject } | { readonly ok: false; readonly because: string };

/**
 * Reads one line of a plugin's process as a JSON object. Names that would reach a prototype when the object is copied are
 * refused, and so is nesting that would exhaust the stack. Never throws.
 */
export function readLine(line: Buffer): Line {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    return { ok: false, because: 'is not JSON' };
  }
  if (!isPlainObject(value)) return { ok: false, because: 'is not a JSON object' };
  const fault = faultIn(value);
  return fault === undefined ? { ok: true, value } : { ok: false, because: fault };
}

/** Level by level instead of by recursion: what is checked here is what recursion would not survive. */
function faultIn(value: object): string | undefined {
  let level: object[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEEPEST) return `is nested more than ${DEEPEST} levels deep`;
    const below: object[] = [];
    for (const one of level) {
      if (Object.hasOwn(one, '__proto__')) return 'has a field named __proto__';
      for (const child of Object.values(one) as unknown[])
        if (typeof child === 'object' && child !== null) below.push(child);
    }
    level = below;
  }
  return undefined;
}

export function isPlainObject(value: unknown): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
