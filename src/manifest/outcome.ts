import type { Problem } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import { contentHash } from './canonical.ts';
import type { Analysis, Part } from './definition.ts';
import type { Doc } from './document.ts';
import type { FileEntry } from './files.ts';
import type { JsonObject, Key, Manifest } from './manifest.ts';
import { placeOf, referencesOf, warningsOf } from './resolve.ts';
import type { Layers, Prepared, Reference } from './resolve.ts';

/** What is kept of an object that is in order in itself; whether its references hold is seen when all are known. */
export interface Outcome {
  readonly title: string;
  readonly type?: string;
  readonly format?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly renamedFrom: readonly Key[];
  readonly ignoreFields: readonly string[];
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly fingerprint: string;
  readonly references: readonly Reference[];
  /** Objects that the definition refers to by type and title. */
  readonly mentions: Analysis['references'];
  /** The part of an export that is this object's definition. */
  readonly uses?: { readonly file: string; readonly part: Part };
}

/** What resolving made of a document, and what that depends on: valid while these are the same objects. */
export interface Resolved {
  readonly patches: readonly Doc[];
  readonly definitionFile: string | undefined;
  readonly entry: FileEntry | undefined;
  readonly problems: readonly Problem[];
  /** Absent when there are errors. */
  readonly outcome?: Outcome;
  /** The manifest handed out the last time, used again when its dependencies are the same. */
  manifest?: Manifest;
}

/** What resolving made of each document the last time; goes with the document. */
export const resolutions = new WeakMap<Doc, Resolved>();

const NONE: readonly never[] = Object.freeze([]);
const EMPTY: Readonly<Record<string, never>> = Object.freeze({});

/** Whether a document's last resolution still holds. */
export function stillHolds(resolved: Resolved, layers: Layers, files: ReadonlyMap<string, FileEntry>): boolean {
  const { patches, definitionFile, entry } = resolved;
  if (patches.length !== layers.patches.length || patches.some((patch, index) => patch !== layers.patches[index]))
    return false;
  return definitionFile === undefined || files.get(definitionFile) === entry;
}

/** Puts together what was learned of an object that passed its schema. */
export function conclude(
  layers: Layers,
  prepared: Prepared,
  known: { readonly analysis: Analysis; readonly part?: Part } | undefined,
): { readonly problems: readonly Problem[]; readonly outcome?: Outcome } {
  const { base } = layers;
  const problems = [...warningsOf(layers), ...definitionProblems(layers, prepared, known?.analysis)];
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  const { metadata, spec, content, secrets, definition } = prepared;
  const { type } = content;
  const format = definition?.format.name;
  const fingerprint = contentHash({
    kind: base.kind,
    content,
    secrets: secrets as unknown as JsonObject,
    ...(format === undefined ? {} : { format }),
    ...(known === undefined ? {} : { definition: known.analysis.hash }),
  });
  const source = definition?.source;
  const uses =
    known?.part !== undefined && source !== undefined && 'file' in source
      ? { uses: { file: source.file, part: known.part } }
      : {};
  const { ignoreFields } = spec;
  const outcome: Outcome = {
    title: prepared.title,
    ...(typeof type === 'string' ? { type } : {}),
    ...(format === undefined ? {} : { format }),
    labels: shared(metadata.labels),
    annotations: shared(metadata.annotations),
    renamedFrom:
      metadata.renamedFrom.length === 0 ? NONE : metadata.renamedFrom.map((name): Key => `${base.kind}/${name}`),
    ignoreFields: Array.isArray(ignoreFields) && ignoreFields.length > 0 ? ignoreFields.map(String) : NONE,
    secrets: shared(secrets),
    fingerprint,
    references: referencesOf(base.kind, spec),
    mentions: known?.analysis.references ?? NONE,
    ...uses,
  };
  return { problems, outcome };
}

/** One empty object for all: most objects have no labels, and 10,000 empty ones are 10,000 too many. */
function shared<Value>(record: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.keys(record).length === 0 ? EMPTY : record;
}

function definitionProblems(layers: Layers, prepared: Prepared, analysis: Analysis | undefined): Problem[] {
  if (analysis === undefined || analysis.problems.length === 0) return [];
  const source = prepared.definition?.source;
  const origin =
    source !== undefined && 'file' in source
      ? { file: source.file, line: 1, column: 1 }
      : placeOf(layers, ['spec', 'definition']);
  return analysis.problems.map((problem) => ({ ...problem, origin, key: layers.base.key }));
}
