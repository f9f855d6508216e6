import type { Origin, Problem } from '../errors.ts';
import { COMPACT_FIELDS, expandCompact, isCompact } from './compact.ts';
import { pack } from './document.ts';
import type { Limits } from './limits.ts';
import { KINDS } from './manifest.ts';
import type { JsonValue, Kind } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import { fromOpenSlo, OPENSLO_VERSION } from './openslo.ts';
import { isObject, pointerOf, valueAt } from './pointer.ts';
import { isKind, KINDS_NOT_ENFORCED, SCHEMAS } from './schemas.ts';
import { NOT_ENFORCED } from './fields.ts';
import { emptyReading, noteUnknown } from './reading-result.ts';
import type { Reading } from './reading-result.ts';
import { didYouMean } from './suggest.ts';
import { substitute } from './variables.ts';
import type { UndefinedVariable } from './variables.ts';
import { parseTrees } from './yaml-tree.ts';
import type { Tree } from './yaml-tree.ts';

export interface ReadingContext {
  readonly variables: Readonly<Record<string, string>>;
  readonly limits: Limits;
}

/** The kinds whose name occurs in a text that cannot be read; all of them when none does. */
export function kindsIn(text: string): readonly Kind[] {
  const named = KINDS.filter((kind) => new RegExp(`\\b${kind}\\b`).test(text));
  for (const [field, kind] of Object.entries(COMPACT_FIELDS)) {
    if (kind !== undefined && !named.includes(kind) && new RegExp(`\\b${field}\\b`).test(text)) named.push(kind);
  }
  return named.length > 0 ? named : KINDS;
}

/** Reads the manifests of one YAML (or JSON) text: every document, every problem, and what the broken ones concern. */
export function readManifests(file: string, text: string, context: ReadingContext): Reading {
  const reading = emptyReading();
  for (const [index, tree] of parseTrees(text, context.limits).entries()) {
    readTree({ file, text, index, tree, context, reading });
  }
  return reading;
}

interface Step {
  readonly file: string;
  readonly text: string;
  readonly index: number;
  readonly tree: Tree;
  readonly context: ReadingContext;
  readonly reading: Reading;
}

function readTree(step: Step): void {
  const { file, text, tree, reading, context } = step;
  const structural = tree.faults.some((fault) => fault.structural === true);
  const missing: UndefinedVariable[] = [];
  const found: { readonly pointer: string; readonly text: string }[] = [];
  const value =
    tree.value === undefined
      ? undefined
      : substitute(tree.value, {
          variables: context.variables,
          skip: '/spec/definition',
          refersBelow: REFERS_BELOW,
          undefinedVariables: missing,
          references: found,
        });
  const kind = valueAt(value, ['kind']);
  const name = valueAt(value, ['metadata', 'name']);
  const identified = isKind(kind) && typeof name === 'string' && name !== '';
  const sure = !hasFaultAt(tree) && !missing.some(({ pointer }) => IDENTITY.includes(pointer));
  const named = identified && sure ? { key: `${kind}/${name}` } : {};
  const faults = [
    ...tree.faults,
    ...missing.map((one) => ({ ...one, ...(tree.places.get(one.pointer) ?? tree.start) })),
  ];
  const problems = faults.map(({ line, column, message, remedy }): Problem => {
    return { origin: { file, line, column }, message: `${message}.`, remedy, severity: 'error', ...named };
  });
  if (structural || (value === undefined && problems.length > 0)) {
    reading.problems.push(...problems);
    // A quote or bracket that is not closed swallows the documents after it.
    for (const lost of kindsIn(text.slice(tree.range[0], structural ? undefined : tree.range[1])))
      reading.unknownKinds.add(lost);
    if (identified && sure) noteUnknown(reading, kind, name);
  } else if (identified && sure && isObject(value)) {
    const { doc, inline } = pack({
      file,
      index: step.index,
      kind,
      name,
      value,
      places: tree.places,
      start: tree.start,
      problems,
      references: found.map(({ pointer, text }) => {
        const { line, column } = tree.places.get(pointer) ?? tree.start;
        return { text, origin: { file, line, column } };
      }),
    });
    reading.docs.push(doc);
    if (inline !== undefined) reading.inline.set(doc, inline);
  } else {
    reading.problems.push(...problems);
    // Its name is given twice, or holds an undefined variable: which object it means cannot be told.
    if (identified) reading.unknownKinds.add(kind);
    else if (value !== undefined && value !== null) readUnidentified(step, value);
  }
}

/** A document that names no object of desired state: the compact form, or a problem. */
function readUnidentified(step: Step, value: JsonValue): void {
  const { file, tree, reading } = step;
  if (!isObject(value)) {
    problem(
      step,
      [],
      'a manifest is a mapping with apiVersion, kind, metadata and spec.',
      'Write these fields, or move the file out of the source.',
    );
    lose(step);
  } else if (isCompact(value)) expandCompact({ file, value, places: tree.places, start: tree.start, reading });
  else if (value['apiVersion'] === OPENSLO_VERSION) readOpenSlo(step, value);
  else refuseIdentity(step, value);
}

/** An SLO of OpenSLO becomes a ServiceLevel for each of its objectives; its other kinds would be accepted and ignored. */
function readOpenSlo(step: Step, value: Readonly<Record<string, JsonValue>>): void {
  const { file, tree, reading } = step;
  const name = valueAt(value, ['metadata', 'name']);
  if (value['kind'] !== 'SLO' || typeof name !== 'string' || name === '') {
    const kind = typeof value['kind'] === 'string' ? value['kind'] : '?';
    problem(
      step,
      ['kind'],
      `${kind} of OpenSLO is not read.`,
      'Write SLOs with a name, each with its indicator in it.',
    );
    reading.unknownKinds.add('ServiceLevel');
    return;
  }
  const read = fromOpenSlo(value, name);
  if ('flaws' in read) {
    for (const { path, message, remedy } of read.flaws) problem(step, path, message, remedy);
    for (const lost of read.names) noteUnknown(reading, 'ServiceLevel', lost);
    return;
  }
  for (const level of read.levels) {
    const made = { apiVersion: API_VERSION, kind: 'ServiceLevel', metadata: { name: level.name }, spec: level.spec };
    const draft = { file, index: step.index, kind: 'ServiceLevel' as const, name: level.name, value: made };
    reading.docs.push(pack({ ...draft, problems: [], places: tree.places, start: tree.start }).doc);
  }
}

/** Says what is wrong with a document that names no object of desired state. */
function refuseIdentity(step: Step, value: Readonly<Record<string, JsonValue>>): void {
  const { kind, metadata } = value;
  const name = valueAt(value, ['metadata', 'name']);
  if (isKind(kind)) {
    const has = isObject(metadata);
    problem(
      step,
      has ? ['metadata', 'name'] : ['metadata'],
      `metadata.name of this ${kind} is missing or not a text.`,
      'Give it a name: lower-case letters, digits and "-".',
    );
    step.reading.unknownKinds.add(kind);
  } else if (typeof kind === 'string' && kind in SCHEMAS) {
    problem(
      step,
      ['kind'],
      `a ${kind} is configuration and has no effect inside a source.`,
      'Move it into the configuration file that the daemon is started with.',
    );
  } else if (typeof kind === 'string' && KINDS_NOT_ENFORCED.includes(kind)) {
    problem(step, ['kind'], `${kind} is ${NOT_ENFORCED}.`, 'Remove it from the source until it is.');
  } else if (typeof kind === 'string') {
    const remedy = didYouMean(
      kind,
      [...KINDS, ...KINDS_NOT_ENFORCED],
      `Kinds are ${KINDS.join(', ')}; move other files out of the source.`,
    );
    problem(step, ['kind'], `unknown kind "${kind}".`, remedy);
    lose(step, name);
  } else {
    problem(
      step,
      ['kind'],
      'kind is missing or not a text.',
      `Write apiVersion: ${API_VERSION} and a kind (${KINDS.join(', ')}), or move the file out of the source.`,
    );
    lose(step, name);
  }
}

/** What this document concerns cannot be told: an object of its name, or everything that it mentions. */
function lose(step: Step, name?: JsonValue): void {
  const { text, tree, reading } = step;
  if (typeof name === 'string' && name !== '') {
    // Of what kind it is meant to be is not known, but which name it has.
    for (const kind of KINDS) noteUnknown(reading, kind, name);
    return;
  }
  for (const kind of kindsIn(text.slice(...tree.range))) reading.unknownKinds.add(kind);
}

function problem(step: Step, path: readonly PropertyKey[], message: string, remedy: string): void {
  const place = [...path.keys(), path.length]
    .reverse()
    .map((depth) => step.tree.places.get(pointerOf(path.slice(0, depth))))
    .find((found) => found !== undefined);
  const { line, column } = place ?? step.tree.start;
  const origin: Origin = { file: step.file, line, column };
  step.reading.problems.push({ origin, message, remedy, severity: 'error' });
}

/** Where a manifest, or a patch of one, may refer to outputs; which of its fields may is known once it is whole. */
const REFERS_BELOW = ['/spec/', '/nodes/', '/jsonPatch/'];

const IDENTITY: readonly string[] = ['/kind', '/metadata', '/metadata/name'];

/** Whether a fault concerns what says which object a document means. */
function hasFaultAt(tree: Tree): boolean {
  return IDENTITY.some((pointer) => {
    const place = tree.places.get(pointer);
    const twice = `"${pointer.slice(pointer.lastIndexOf('/') + 1)}" is given twice`;
    return tree.faults.some(
      ({ line, column, message }) => message === twice || (line === place?.line && column === place.column),
    );
  });
}
