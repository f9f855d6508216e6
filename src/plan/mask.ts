import type { JsonObject, JsonValue } from '../manifest/manifest.ts';

/** Names whose values are shown to nobody, wherever in a definition they stand. */
const SECRET_NAME = /passw|passphrase|secret|token|api[-_ ]?key|authorization|credential|private[-_ ]?key|cookie/i;
/** What is a credential whatever its name is: after a scheme of HTTP authentication, in a URL, in PEM. */
const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, '$1 (masked)'],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, '$1:(masked)@'],
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g, '(masked $1)'],
];
/** Elements of a list are often pairs: the one field says what the other holds. */
const LABELS = ['id', 'key', 'name', 'header', 'field'];

export const MASK = '(masked)';

/** Replaces what is known to be secret, by value. */
export type Redact = (text: string) => string;

/** Whether the path or one of its names says that what stands there is secret. */
export function isSecretPath(path: string): boolean {
  return SECRET_NAME.test(path);
}

/** A text without credentials: those known by value, and those that their form gives away. */
export function maskedText(text: string, redact: Redact): string {
  return CREDENTIALS.reduce((rest, [pattern, mask]) => rest.replace(pattern, mask), redact(text));
}

/** A value without what its names, or their form, give away as secret. */
export function masked(value: JsonValue, redact: Redact): JsonValue {
  if (typeof value === 'string') return maskedText(value, redact);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((element: JsonValue) => masked(element, redact));
  const object = value as JsonObject;
  const labelled = LABELS.some((label) => {
    const said = object[label];
    return typeof said === 'string' && SECRET_NAME.test(said);
  });
  return Object.fromEntries(
    Object.entries(object).map(([name, inner]) => {
      const hidden = SECRET_NAME.test(name) || (labelled && !LABELS.includes(name));
      return [name, hidden ? MASK : masked(inner, redact)];
    }),
  );
}
