import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { listOf, objectOf, textOf } from './shapes.ts';

/** How something that was mended is told. */
export type Say = (message: string, remedy: string) => void;

/** Gives a value that n8n takes, or undefined where there is none. */
type Coerce = (value: JsonValue) => JsonValue | undefined;
const text: Coerce = (value) => (typeof value === 'string' ? value : undefined);
const number: Coerce = asNumber;
const flag: Coerce = (value) =>
  typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined;
const object: Coerce = (value) => (isObject(value) ? value : undefined);
const position: Coerce = (value) => {
  const [x, y] = listOf(value).map(asNumber);
  return x === undefined || y === undefined ? undefined : [x, y];
};

/** Keys of a node that the API takes, and what it takes there (its OpenAPI file, 2.40.5). */
const TAKEN: ReadonlyMap<string, Coerce> = new Map([
  ...named(text, 'id name webhookId notes type onError'),
  ...named(flag, 'disabled notesInFlow executeOnce alwaysOutputData retryOnFail continueOnFail'),
  ...named(number, 'typeVersion maxTries waitBetweenTries'),
  ...named(object, 'parameters credentials customTelemetryTags'),
  ...named(position, 'position'),
]);

function named(coerce: Coerce, keys: string): readonly (readonly [string, Coerce])[] {
  return keys.split(' ').map((key) => [key, coerce]);
}

/** A number, also one that a script wrote as a text; undefined for what is none. */
export function asNumber(value: JsonValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** A node without what n8n would refuse; `taken` are the ids of the nodes before it. */
export function mendNode(node: JsonObject, taken: Set<string>, say: Say): JsonObject {
  const name = textOf(node['name']) ?? '';
  const kept: Record<string, JsonValue> = { parameters: {}, position: [0, 0] };
  const strange: string[] = [];
  for (const [key, value] of Object.entries(node)) {
    // An id that is not there is made below; nothing else is lost with these.
    if (value === null || value === '' || isEmptyList(key, value)) continue;
    const good = TAKEN.get(key)?.(value);
    if (good === undefined) strange.push(key);
    else kept[key] = good;
  }
  if (strange.length > 0)
    say(
      `${listed(strange)} of the node "${name}" is left out: n8n's API does not take it, or not with that value.`,
      'Remove it, or leave it.',
    );
  const id = textOf(node['id']);
  // An id of our own making is the same every time: n8n would make a new one, and a new version, at every write.
  kept['id'] = id === undefined || taken.has(id) ? stableId(name) : id;
  taken.add(kept['id']);
  if ('credentials' in kept) {
    const credentials = mendCredentials(kept['credentials'], name, say);
    if (Object.keys(credentials).length > 0) kept['credentials'] = credentials;
    else delete kept['credentials'];
  }
  return kept;
}

/** What PHP and others write for an object that is empty. */
function isEmptyList(key: string, value: JsonValue): boolean {
  return (key === 'parameters' || key === 'credentials') && Array.isArray(value) && value.length === 0;
}

/** Old exports name a credential by a text; some hold something else altogether, which must not be sent anywhere. */
function mendCredentials(value: JsonValue | undefined, node: string, say: Say): JsonObject {
  const entries = Object.entries(objectOf(value)).flatMap(([type, entry]): [string, JsonObject][] => {
    const named = typeof entry === 'string' ? { name: entry } : objectOf(entry);
    if (named['__aiGatewayManaged'] === true) return [[type, named]];
    const name = textOf(named['name']);
    if (name !== undefined) return [[type, keptCredential(named, name)]];
    say(
      `The ${type} credential of the node "${node}" is left out: it has no name to find it by.`,
      `Choose the credential in n8n and export the workflow again, or write {"name": "…"} for ${type}.`,
    );
    return [];
  });
  return Object.fromEntries(entries);
}

function keptCredential(entry: JsonObject, name: string): JsonObject {
  return { name, ...(entry['unresolved'] === true ? { unresolved: true } : {}) };
}

/** A UUID that is the same for the same name. */
function stableId(name: string): string {
  const hex = createHash('sha256').update(`n8n node/${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Words for a message, the first few of many. */
export function listed(words: readonly string[]): string {
  return quoted(words.slice(0, 8)) + (words.length > 8 ? ` and ${words.length - 8} more` : '');
}

/** Words in quotes. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}
