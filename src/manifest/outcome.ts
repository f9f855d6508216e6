import type { Problem } from '../errors.ts';
import { contentHash } from './canonical.ts';
import type { Analysis, Part } from './definition.ts';
import type { Outcome, Resolved, Layers, Selector } from './doc.ts';
import type { FileEntry } from './files.ts';
import type { JsonObject, Key, OutputReference } from './manifest.ts';
import { MAY_REFER, markedIn, referenceOf } from './output-reference.ts';
import type { LocatedReference } from './output-reference.ts';
import { partWord } from './definition.ts';
import { placeOf, referencesOf, warningsOf } from './resolve.ts';
import type { Prepared } from './resolve.ts';
import { unsafeUrl } from './webhook.ts';

const NONE: readonly never[] = Object.freeze([]);
const EMPTY: Readonly<Record<string, never>> = Object.freeze({});

/** Whether a document's last resolution still holds. */
export function stillHolds(resolved: Resolved, layers: Layers, files: ReadonlyMap<string, FileEntry>): boolean {
  const { patches, definitionFile, entry } = resolved;
  if (patches.length !== layers.patches.length || patches.some((patch, index) => patch !== layers.patches[index]))
    return false;
  // What is said of a file that is missing depends on the files that are there.
  return definitionFile === undefined || (entry !== undefined && files.get(definitionFile) === entry);
}

/** What is known of a Workflow's definition. */
interface Known {
  readonly analysis: Analysis;
  readonly part?: Part;
  /** Outputs that it uses. */
  readonly references?: readonly LocatedReference[];
}

/** Puts together what was learned of an object that passed its schema. */
export function conclude(
  layers: Layers,
  prepared: Prepared,
  known: Known | undefined,
): { readonly problems: readonly Problem[]; readonly outcome?: Outcome } {
  const { base } = layers;
  const problems = [
    ...warningsOf(layers),
    ...unsafeUrls(layers, prepared),
    ...misplaced(layers, prepared),
    ...definitionProblems(layers, prepared, known?.analysis),
  ];
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
      ? { uses: { file: source.file, word: partWord(source.file, known.part.kind, known.part.part) } }
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
    outputReferences: outputReferencesOf(layers, prepared, known?.references ?? NONE),
    mentions: known?.analysis.references ?? NONE,
    ...uses,
    ...(content['code'] === undefined ? {} : { runs: true as const }),
    ...(base.kind === 'ServiceLevel' ? { selector: spec['selector'] as unknown as Selector } : {}),
  };
  return { problems, outcome };
}

/** Every output that the content uses, each once. */
function outputReferencesOf(
  layers: Layers,
  { content }: Prepared,
  inDefinition: readonly LocatedReference[],
): readonly OutputReference[] {
  const written = located(layers);
  if (written.length === 0 && inDefinition.length === 0) return NONE;
  const used = markedIn(content);
  const all = [...written.filter(({ text }) => used.includes(text)), ...inDefinition];
  return [...new Map(all.toReversed().map((one) => [one.text, one])).values()].map(referenceOf);
}

function located({ base, patches }: Layers): readonly LocatedReference[] {
  return [base, ...patches].flatMap(({ references = NONE }) => references);
}

/** References in fields that say what an object is, or whose: no value of another object may decide that. */
function misplaced(layers: Layers, { spec }: Prepared): Problem[] {
  const { kind, key } = layers.base;
  const written = located(layers);
  if (written.length === 0) return [];
  return Object.entries(spec).flatMap(([field, value]) => {
    if (MAY_REFER[kind].includes(field)) return [];
    return markedIn(value).map((text): Problem => {
      const origin = written.find((one) => one.text === text)?.origin ?? layers.base.origin;
      const message = `spec.${field} of ${key} cannot refer to the output "${text}".`;
      const may = MAY_REFER[kind].map((name) => `spec.${name}`).join(', ');
      const remedy = may === '' ? `Write the value out: no field of a ${kind} can.` : `Only ${may} can.`;
      return { origin, message, remedy, severity: 'error', key };
    });
  });
}

/** One empty object for all: most objects have no labels, and 10,000 empty ones are 10,000 too many. */
function shared<Value>(record: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.keys(record).length === 0 ? EMPTY : record;
}

function unsafeUrls(layers: Layers, { spec }: Prepared): Problem[] {
  const { url } = spec;
  const flaw = layers.base.kind === 'Webhook' && typeof url === 'string' ? unsafeUrl(url) : undefined;
  if (flaw === undefined) return [];
  return [{ ...flaw, origin: placeOf(layers, ['spec', 'url']), severity: 'warning', key: layers.base.key }];
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
