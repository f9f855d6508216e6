import { posix } from 'node:path';
import type { Problem } from '../errors.ts';
import type { DefinitionSource, Doc } from './doc.ts';
import type { JsonValue, Key, Kind } from './manifest.ts';
import type { LocatedReference } from './output-reference.ts';
import { packPlaces } from './places.ts';
import type { Place } from './places.ts';
import { isObject, pointerOf } from './pointer.ts';
import { foldName } from './slug.ts';

/** What a document is made of before it is packed. */
export interface Draft {
  readonly file: string;
  readonly index: number;
  readonly kind: Kind;
  readonly name: string;
  readonly value: Readonly<Record<string, JsonValue>>;
  readonly places: ReadonlyMap<string, Place>;
  readonly start: { readonly line: number; readonly column: number };
  readonly problems: readonly Problem[];
  readonly references?: readonly LocatedReference[];
}

/** Packs a document: takes the definition out of it and makes the names of definition files relative to the source's root. */
export function pack(draft: Draft): { readonly doc: Doc; readonly inline?: JsonValue } {
  const problems = [...draft.problems];
  const definitionFiles: string[] = [];
  const key: Key = `${draft.kind}/${draft.name}`;
  const rebase = (path: string, pointer: string): string => {
    const rebased = fromRoot(draft.file, path);
    if (rebased !== undefined) {
      definitionFiles.push(rebased);
      return rebased;
    }
    const place = draft.places.get(pointer) ?? draft.start;
    const origin = { file: draft.file, line: place.line, column: place.column };
    const remedy = 'Keep it inside the source, and name it relative to this file.';
    problems.push({
      origin,
      key,
      severity: 'error',
      message: `the ${draft.kind === 'Integration' ? 'schema' : 'definition'} file lies outside of the source.`,
      remedy,
    });
    return path;
  };
  const { value, inline } = withoutDefinition(draft.value, rebase);
  const definition: DefinitionSource | undefined =
    inline !== undefined
      ? { inline: { file: draft.file, index: draft.index } }
      : definitionFiles[0] === undefined || !hasDefinitionFrom(value)
        ? undefined
        : { file: definitionFiles[0] };
  const doc: Doc = {
    origin: { file: draft.file, ...draft.start },
    kind: draft.kind,
    name: draft.name,
    key,
    fold: `${draft.kind}/${foldName(draft.name)}`,
    json: JSON.stringify(value),
    places: packPlaces(draft.places),
    definitionFiles,
    problems,
    ...(definition === undefined ? {} : { definition }),
    ...(draft.references === undefined || draft.references.length === 0 ? {} : { references: draft.references }),
  };
  return { doc, ...(inline === undefined ? {} : { inline }) };
}

/** A path as a file writes it (relative to that file, or from the root with a leading slash), from the root of the source. */
function fromRoot(file: string, path: string): string | undefined {
  const joined = path.startsWith('/')
    ? posix.normalize(path.slice(1))
    : posix.normalize(posix.join(posix.dirname(file), path));
  return joined === '..' || joined.startsWith('../') || joined.startsWith('/') ? undefined : joined;
}

function hasDefinitionFrom(value: Readonly<Record<string, JsonValue>>): boolean {
  const spec = value['spec'];
  return isObject(spec) && isObject(spec['definitionFrom']);
}

/** Stands in a packed document where the definition was, so that the schema sees that there is one. */
export const DEFINITION_ELSEWHERE = '(definition)';

function withoutDefinition(
  value: Readonly<Record<string, JsonValue>>,
  rebase: (path: string, pointer: string) => string,
): { readonly value: Readonly<Record<string, JsonValue>>; readonly inline?: JsonValue } {
  const result: Record<string, JsonValue> = { ...value };
  const spec = value['spec'];
  let inline: JsonValue | undefined;
  if (isObject(spec)) {
    const copy: Record<string, JsonValue> = { ...spec };
    const from = spec['definitionFrom'];
    if (isObject(from) && typeof from['file'] === 'string') {
      copy['definitionFrom'] = { ...from, file: rebase(from['file'], '/spec/definitionFrom/file') };
    }
    const records = spec['records'];
    const schemaFrom = isObject(records) ? records['schemaFrom'] : undefined;
    if (isObject(records) && isObject(schemaFrom) && typeof schemaFrom['file'] === 'string') {
      const file = rebase(schemaFrom['file'], '/spec/records/schemaFrom/file');
      copy['records'] = { ...records, schemaFrom: { ...schemaFrom, file } };
    }
    if (spec['definition'] !== undefined && spec['definition'] !== null) {
      inline = spec['definition'];
      copy['definition'] = DEFINITION_ELSEWHERE;
    }
    result['spec'] = copy;
  }
  const operations = value['jsonPatch'];
  if (Array.isArray(operations)) {
    result['jsonPatch'] = operations.map((operation: JsonValue, index) => rebaseOperation(operation, index, rebase));
  }
  return inline === undefined ? { value: result } : { value: result, inline };
}

function rebaseOperation(
  operation: JsonValue,
  index: number,
  rebase: (path: string, pointer: string) => string,
): JsonValue {
  if (!isObject(operation)) return operation;
  const { path, value } = operation;
  const pointer = pointerOf(['jsonPatch', index, 'value']);
  if (path === '/spec/definitionFrom/file' && typeof value === 'string')
    return { ...operation, value: rebase(value, pointer) };
  if (path === '/spec/definitionFrom' && isObject(value) && typeof value['file'] === 'string') {
    return { ...operation, value: { ...value, file: rebase(value['file'], `${pointer}/file`) } };
  }
  return operation;
}
