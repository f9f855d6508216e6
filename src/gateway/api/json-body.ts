/** Levels of nesting that are taken: what is deeper could not be walked through by everything that handles it later. */
const DEEPEST = 100;

/** What came as a body: JSON, or why it is not. */
export type JsonBody = { readonly json: unknown } | { readonly because: string };

/**
 * Reads a body as JSON, with every name in it as data: `__proto__` is a field like others. No body at all is an empty
 * object.
 */
export function jsonOf(body: unknown): JsonBody {
  if (!Buffer.isBuffer(body) || body.length === 0) return { json: {} };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    if (isTooDeep(text)) return { because: `it is nested deeper than ${DEEPEST} levels` };
    return { json: JSON.parse(text) as unknown };
  } catch {
    return { because: 'it is not JSON in UTF-8' };
  }
}

/** Counts brackets outside of strings; the text need not be JSON. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted && character === '\\') index += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '[' || character === '{')) depth += 1;
    else if (!quoted && (character === ']' || character === '}')) depth -= 1;
    if (depth > DEEPEST) return true;
  }
  return false;
}
