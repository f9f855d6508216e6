import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';

/**
 * The form in which roles are compared: permissions merged by what they are about, sorted, without repetitions. Pure and
 * idempotent. What Node-RED cannot enforce stays in, so that it is refused and never silently dropped.
 */
export function normalizeRole(spec: JsonObject): JsonObject {
  const byTarget = new Map<string, JsonObject>();
  for (const permission of objects(spec['permissions'])) {
    const { verbs, ...target } = permission;
    const name = canonicalJson(target);
    const known = strings(byTarget.get(name)?.['verbs']);
    byTarget.set(name, { ...target, verbs: unique([...known, ...strings(verbs)]) });
  }
  const given = spec['native'];
  const native: JsonObject = isObject(given) ? given : {};
  const listed = native['permissions'];
  return {
    ...spec,
    exclusive: spec['exclusive'] === true,
    permissions: [...byTarget].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, permission]) => permission),
    native: Array.isArray(listed) && listed.every(isText) ? { ...native, permissions: unique(listed) } : native,
  };
}

/** The form in which grants are compared: subjects sorted, the end as UTC with milliseconds. Pure and idempotent. */
export function normalizeGrant(spec: JsonObject): JsonObject {
  const subjects = new Map(objects(spec['subjects']).map((subject) => [canonicalJson(subject), subject]));
  const until = spec['expiresAt'];
  const time = isText(until) ? Date.parse(until) : Number.NaN;
  return {
    ...spec,
    subjects: [...subjects].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, subject]) => subject),
    scope: isObject(spec['scope']) ? spec['scope'] : { platform: true },
    ...(Number.isNaN(time) ? {} : { expiresAt: new Date(time).toISOString() }),
  };
}

/** Users that a grant names. */
export function usersOf(grant: JsonObject): readonly string[] {
  return objects(grant['subjects']).flatMap(({ user }) => (isText(user) ? [user] : []));
}

/** The objects of a list; anything else in it is left out. */
export function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The texts of a list. */
export function strings(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter(isText) : [];
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string';
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted();
}
