import type { Problem } from '../errors.ts';
import { contentHash } from './canonical.ts';
import { analyse, hazard, recognizes, smallSpec, split } from './definition.ts';
import type { Analysis, Part } from './definition.ts';
import type { Doc } from './doc.ts';
import { jsonErrorOffset } from './json-position.ts';
import type { Limits } from './limits.ts';
import type { DefinitionFormat, JsonValue, Kind } from './manifest.ts';
import { isObject } from './pointer.ts';
import { isCompact } from './compact.ts';
import { identities } from './raw-identity.ts';
import type { Identity } from './raw-identity.ts';
import { kindsIn, readManifests } from './reading.ts';
import { emptyReading, NO_READING, trim } from './reading-result.ts';
import type { Reading } from './reading-result.ts';
import { isKind } from './schemas.ts';
import { TextLines } from './text-position.ts';

/** One object of a raw export, without its definition. */
export interface RawPart extends Part {
  readonly identity: Identity;
  readonly title: string;
  readonly type?: string;
  /** The spec as JSON text, without the definition. */
  readonly json: string;
  /** Over the whole content: equal hashes, equal objects. */
  readonly hash: string;
  readonly needs: readonly Part[];
  /** Of its definition, for Workflows. */
  readonly analysis?: Analysis;
  /** The document made of it the last time, valid while its name is the same. */
  doc?: Doc;
}

/** A JSON file that is no manifest: a raw export, a definition, or something else. */
export interface JsonFile {
  /** The text is not usable JSON at all. */
  readonly broken?: Problem;
  /** Format that recognised it as a raw export. */
  readonly format?: string;
  readonly parts: readonly RawPart[];
  readonly problems: readonly Problem[];
  /** The text, where it may be a JSON Schema: those are small, and wanted whole. */
  readonly schema?: string;
  /** What a format makes of the JSON as it is, where it is no raw export of that format; filled when somebody asks. */
  whole?: ReadonlyMap<string, Analysis>;
  /** Kinds that a broken text may have held. */
  readonly mayHold: readonly Kind[];
}

/** What one version of a file says. Valid as long as its content id is the same. */
export interface FileEntry {
  readonly path: string;
  readonly id: string;
  /** Position of the overlay that it belongs to; `BASE` for the manifests that overlays patch. */
  readonly layer: number;
  readonly reading: Reading;
  readonly json?: JsonFile;
}

export const BASE = -1;

/** A file to be read. */
export type FileRef = Pick<FileEntry, 'path' | 'id' | 'layer'>;

export interface FileContext {
  /** The files of the source as they were last read. */
  readonly files?: ReadonlyMap<string, FileEntry>;
  readonly formats: readonly DefinitionFormat[];
  readonly defaultFormat: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /** Takes a definition that is at hand, by its content hash, with about the characters it has: it may be asked for soon. */
  readonly shelve?: (definition: JsonValue, hash: string, size: number) => void;
}

/** Whether a file can hold a manifest or a definition at all. */
export function isReadable(path: string): boolean {
  return /\.(ya?ml|json)$/i.test(path);
}

export function isJson(path: string): boolean {
  return /\.json$/i.test(path);
}

/** A problem of a whole file, at its first character. */
export function fileProblem(
  file: string,
  message: string,
  remedy: string,
  severity: Problem['severity'] = 'error',
): Problem {
  return { origin: { file, line: 1, column: 1 }, message, remedy, severity };
}

/** An entry for a file that is not even read. */
export function tooLarge(file: FileRef & { readonly size: number }, limit: number): FileEntry {
  const message = `the file has ${file.size} bytes, more than the ${limit} that are read.`;
  return unreadable(file, fileProblem(file.path, message, 'Split it.'), '');
}

/** Reads the bytes of one file: what it says, and every problem in it. Never throws. */
export function readFile(file: FileRef, bytes: Buffer, context: FileContext): FileEntry {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const problem = fileProblem(file.path, 'the file is not UTF-8 text.', 'Save it as UTF-8.');
    return unreadable(file, problem, bytes.toString('latin1'));
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    const problem = {
      ...fileProblem(file.path, 'the file holds a NUL character.', 'Save it as text.'),
      origin: { file: file.path, ...new TextLines(text).at(nul) },
    };
    return unreadable(file, problem, text);
  }
  return isJson(file.path)
    ? readJson(file, text, context)
    : withAnalyses(file, readManifests(file.path, text, context), text.length, context);
}

function unreadable(file: FileRef, problem: Problem, text: string): FileEntry {
  const { path, id, layer } = file;
  const kinds = kindsIn(text);
  // Whether a broken JSON file is a manifest of its own or a definition is known by who refers to it.
  if (isJson(path)) return { path, id, layer, reading: NO_READING, json: brokenJson(problem, kinds) };
  const reading = emptyReading();
  reading.problems.push(problem);
  for (const kind of kinds) reading.unknownKinds.add(kind);
  return { path, id, layer, reading };
}

function brokenJson(problem: Problem, mayHold: readonly Kind[]): JsonFile {
  return { broken: problem, parts: [], problems: [], mayHold };
}

function readJson(file: FileRef, text: string, context: FileContext): FileEntry {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch {
    const offset = jsonErrorOffset(text) ?? 0;
    const place = new TextLines(text).at(offset);
    const problem = isJsonText(text.slice(0, offset))
      ? fileProblem(
          file.path,
          'the JSON of this file has ended before this.',
          'Remove what follows, or export it again.',
        )
      : fileProblem(
          file.path,
          'the file is not valid JSON here.',
          'Check commas, quotes and brackets, or export it again.',
        );
    return unreadable(file, { ...problem, origin: { file: file.path, ...place } }, text);
  }
  if (isObject(json) && isManifest(json))
    return withAnalyses(file, readManifests(file.path, text, context), text.length, context);
  const danger = hazard(json, context.limits.maxDepth);
  if (danger !== undefined) {
    return unreadable(
      file,
      fileProblem(file.path, `the file ${danger}.`, 'Export it again, or make it flatter.'),
      text,
    );
  }
  const format = context.formats.find((candidate) => recognizes(candidate, json));
  if (format !== undefined)
    return {
      ...file,
      reading: NO_READING,
      json: readExport({ path: file.path, json, size: text.length }, format, context),
    };
  if (isObject(json) && isCompact(json))
    return withAnalyses(file, readManifests(file.path, text, context), text.length, context);
  const schema = mayBeSchema(json) && text.length <= LARGEST_SCHEMA ? { schema: text } : {};
  return { ...file, reading: NO_READING, json: { parts: [], problems: [], mayHold: [], ...schema } };
}

/** Characters. */
const LARGEST_SCHEMA = 256 * 1024;

function mayBeSchema(json: JsonValue): boolean {
  return isObject(json) && ['$schema', 'properties', 'type', '$ref', 'allOf'].some((word) => Object.hasOwn(json, word));
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isManifest(json: Readonly<Record<string, JsonValue>>): boolean {
  const { apiVersion, kind } = json;
  return (
    (typeof apiVersion === 'string' && apiVersion.startsWith('plumbline.dev/')) ||
    (isKind(kind) && isObject(json['metadata']))
  );
}

function readExport(
  { path, json, size }: { readonly path: string; readonly json: JsonValue; readonly size: number },
  format: DefinitionFormat,
  { shelve }: FileContext,
): JsonFile {
  const made = split(format, json, path);
  if (!made.ok)
    return brokenJson(fileProblem(path, `the file ${made.message}.`, made.remedy), ['Integration', 'Workflow']);
  const parts = made.value.objects.map((object): Omit<RawPart, 'identity'> => {
    const spec = smallSpec(object);
    const { definition } = object.spec;
    const type = spec['type'];
    const analysis = definition === undefined ? undefined : analyse(format, definition);
    if (analysis !== undefined && definition !== undefined)
      shelve?.(definition, analysis.hash, size / made.value.objects.length);
    return {
      kind: object.kind,
      part: object.part,
      title: object.title,
      json: JSON.stringify(spec),
      hash: contentHash({ ...spec, ...(definition === undefined ? {} : { definition }) }),
      needs: object.needs.map(({ kind, part }) => ({ kind, part })),
      ...(typeof type === 'string' ? { type } : {}),
      ...(analysis === undefined ? {} : { analysis }),
    };
  });
  const identity = identities(path, parts);
  const identified = parts.flatMap((part, index) =>
    identity[index] === undefined ? [] : [{ ...part, identity: identity[index] }],
  );
  const problems = made.value.problems.map(({ message, remedy }) => fileProblem(path, message, remedy));
  return { format: format.name, parts: identified, problems, mayHold: [] };
}

/** Looks into inline definitions while they are at hand, in the format that they most likely have. */
function withAnalyses(file: FileRef, reading: Reading, size: number, context: FileContext): FileEntry {
  for (const [doc, definition] of reading.inline) {
    const { spec } = JSON.parse(doc.json) as { readonly spec?: { readonly format?: unknown } };
    const format = context.formats.find(({ name }) => name === (spec?.format ?? context.defaultFormat));
    if (format === undefined) continue;
    const analysis = analyse(format, definition);
    doc.analyses = new Map([[format.name, analysis]]);
    context.shelve?.(definition, analysis.hash, size / reading.inline.size);
  }
  return { ...file, reading: trim(reading) };
}
