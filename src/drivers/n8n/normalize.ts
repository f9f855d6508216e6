import type { JsonObject, JsonValue, Kind } from '../../manifest/manifest.ts';
import { byNameAlone } from './locators.ts';
import { mend } from './mend.ts';
import { objectOf, without } from './shapes.ts';

/**
 * A manifest's spec, or what was read of an object, in the one form in which they are compared: what n8n refuses or adds by
 * itself is gone, references are by name.
 */
export function normalize(kind: Kind, spec: JsonObject): JsonObject {
  const present = Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null));
  if (kind === 'Workflow') {
    const { definition, ...rest } = present;
    return { ...rest, definition: normalDefinition(definition ?? {}) };
  }
  if (kind !== 'Integration') return present;
  const settings = objectOf(present['settings']);
  return { ...without(present, ['settings']), ...(Object.keys(settings).length === 0 ? {} : { settings }) };
}

/** The normal form of a definition, whoever wrote it. */
function normalDefinition(definition: JsonValue): JsonObject {
  return byNameAlone(mend(definition).definition);
}
