import type { Origin, Problem } from '../errors.ts';
import type { SecretRef, SecretScope } from '../secrets/secrets.ts';
import { checkVariable, locate, namespaceOfSecret } from '../secrets/scope.ts';
import { ReconcilerError } from '../errors.ts';
import type { DefinitionSource, Doc, Layers, Reference } from './doc.ts';
import type { FileContext } from './files.ts';
import type { DefinitionFormat, JsonObject, JsonValue, Kind } from './manifest.ts';
import type { Metadata } from './metadata.ts';
import { patchManifest, touchesDefinition } from './overlay.ts';
import type { PatchFlaw } from './overlay.ts';
import { findPlace, unpackPlaces } from './places.ts';
import { isObject, spell, valueAt } from './pointer.ts';
import { check } from './problems.ts';
import { passwordName } from './access-grant.ts';
import { schemaOf, secretsOfCode } from './resolve-integration.ts';
import type { SecretUse } from './resolve-integration.ts';
import { didYouMean } from './suggest.ts';

export interface ResolveContext extends FileContext {
  readonly secretScope?: SecretScope;
}

/** How to get the definition of a Workflow. */
export interface DefinitionPlan {
  readonly format: DefinitionFormat;
  /** Undefined when a patch brings the whole definition. */
  readonly source: DefinitionSource | undefined;
  /** Patches that change the definition. */
  readonly patches: readonly Doc[];
  readonly template: boolean;
}

/** A manifest that passed its schema; of a Workflow everything but the definition. */
export interface Prepared {
  readonly metadata: Metadata;
  /** What people see: `spec.title`, else the name. */
  readonly title: string;
  /** As written, defaults filled in. */
  readonly spec: JsonObject;
  /** `Manifest.spec()` without the definition. */
  readonly content: Readonly<Record<string, JsonValue>>;
  readonly secrets: Readonly<Record<string, SecretRef>>;
  readonly definition?: DefinitionPlan;
  /** File that an Integration's schema of records was taken from. */
  readonly schemaFile?: string;
}

export type Preparation =
  | { readonly ok: true; readonly prepared: Prepared }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly schemaFile?: string };

/** Fields of spec that say how to read the rest, or are handed over apart from it. */
const NOT_CONTENT = new Set([
  'ignoreFields',
  'secret',
  'secrets',
  'definition',
  'definitionFrom',
  'template',
  'format',
]);

/** Patches a document and checks it against the schema of its kind. Reads nothing: the definition comes later. */
export function prepare(layers: Layers, context: ResolveContext): Preparation {
  const { base, patches } = layers;
  const problems: Problem[] = [...base.problems, ...patches.flatMap((patch) => patch.problems)];
  let value = JSON.parse(base.json) as JsonObject;
  for (const patch of patches) {
    const flaws: PatchFlaw[] = [];
    value = patchManifest(value, JSON.parse(patch.json) as JsonObject, flaws);
    problems.push(...flaws.map((flaw) => patchProblem(patch, flaw)));
  }
  const checked = check(base.kind, value);
  if (!checked.ok) {
    for (const { path, message, remedy } of checked.flaws) {
      const origin = placeOf(layers, path);
      // What could not be read is no second problem for being absent.
      if (!problems.some((known) => sameSpot(known.origin, origin)))
        problems.push({ origin, message, remedy, severity: 'error', key: base.key });
    }
  }
  if (!checked.ok || problems.some(({ severity }) => severity === 'error')) return { ok: false, problems };
  const metadata = checked.data['metadata'] as unknown as Metadata;
  const spec = checked.data['spec'] as JsonObject;
  const uses = secretsOf(base.kind, spec);
  problems.push(...forbiddenSecrets(layers, [...uses, ...secretsOfCode(spec)], context));
  const schema = schemaOf(spec, context, (path) => placeOf(layers, path));
  if (schema?.problem !== undefined) problems.push({ ...schema.problem, severity: 'error', key: base.key });
  const schemaFile = schema?.file === undefined ? {} : { schemaFile: schema.file };
  const secrets = Object.fromEntries(uses.map(({ name, ref }) => [name, ref]));
  const definition = base.kind === 'Workflow' ? planDefinition(layers, spec, context) : undefined;
  if (definition !== undefined && 'message' in definition) problems.push(definition);
  if (problems.some(({ severity }) => severity === 'error')) return { ok: false, problems, ...schemaFile };
  const title = typeof spec['title'] === 'string' ? spec['title'] : metadata.name;
  const content = contentOf(base.kind, title, schema?.spec ?? spec);
  const plan = definition === undefined || 'message' in definition ? {} : { definition };
  return { ok: true, prepared: { metadata, title, spec, content, secrets, ...plan, ...schemaFile } };
}

/** Warnings that a document carries although it is in order. */
export function warningsOf({ base, patches }: Layers): readonly Problem[] {
  return [...base.problems, ...patches.flatMap((patch) => patch.problems)];
}

function sameSpot(left: Origin, right: Origin): boolean {
  return left.file === right.file && left.line === right.line && left.column === right.column;
}

export function patchProblem(patch: Doc, { path, message, remedy }: PatchFlaw): Problem {
  return { origin: placeOf({ base: patch, patches: [] }, path), message, remedy, severity: 'error', key: patch.key };
}

/** Where a value of a patched document was written: in the last patch that says it, else in the document itself. */
export function placeOf({ base, patches }: Layers, path: readonly PropertyKey[]): Origin {
  for (const patch of patches.toReversed()) {
    const places = unpackPlaces(patch.places);
    const found = findPlace(places, path);
    if (found !== undefined && found.depth === path.length && path.length > 0)
      return { file: patch.origin.file, ...spot(found.place, true) };
    const operations = (JSON.parse(patch.json) as JsonObject)['jsonPatch'];
    if (!Array.isArray(operations)) continue;
    const pointer = `/${path.map(String).join('/')}`;
    const index = operations.findLastIndex((operation: JsonValue) => {
      const at = isObject(operation) ? operation['path'] : undefined;
      return typeof at === 'string' && (pointer === at || pointer.startsWith(`${at}/`));
    });
    const place = places.get(`/jsonPatch/${index}`);
    if (place !== undefined) return { file: patch.origin.file, ...spot(place, false) };
  }
  const found = findPlace(unpackPlaces(base.places), path);
  if (found === undefined) return base.origin;
  return { file: base.origin.file, ...spot(found.place, path.length > 0) };
}

/** Fields are pointed at by their names: that is where an editor's user looks for them. */
function spot(
  place: { readonly line: number; readonly column: number; readonly keyLine: number; readonly keyColumn: number },
  byName: boolean,
): { line: number; column: number } {
  return byName ? { line: place.keyLine, column: place.keyColumn } : { line: place.line, column: place.column };
}

function contentOf(kind: Kind, title: string, spec: JsonObject): Record<string, JsonValue> {
  const content: Record<string, JsonValue> = kind === 'AccessGrant' ? {} : { title };
  for (const [field, value] of Object.entries(spec)) {
    if (!NOT_CONTENT.has(field) && value !== undefined) content[field] = value;
  }
  const { subjects } = spec;
  if (kind === 'AccessGrant' && Array.isArray(subjects)) {
    content['subjects'] = subjects.map((subject: JsonValue) => ({ user: valueAt(subject, ['user']) ?? '' }));
  }
  if (kind === 'Webhook') content['signed'] = spec['secret'] !== undefined;
  return content;
}

function secretsOf(kind: Kind, spec: JsonObject): readonly SecretUse[] {
  const { secrets, subjects } = spec;
  const found: SecretUse[] = [];
  const add = (name: string, path: readonly PropertyKey[]): void => {
    const ref = valueAt(spec, path.slice(1));
    if (ref !== undefined) found.push({ name, ref: ref as unknown as SecretRef, path });
  };
  if (kind === 'Integration' && isObject(secrets)) {
    for (const name of Object.keys(secrets)) add(name, ['spec', 'secrets', name, 'valueFrom']);
  }
  if (kind === 'Webhook') add('secret', ['spec', 'secret', 'valueFrom']);
  if (kind === 'AccessGrant' && Array.isArray(subjects)) {
    for (const [index, subject] of (subjects as readonly JsonValue[]).entries()) {
      const user = valueAt(subject, ['user']);
      if (typeof user === 'string') add(passwordName(user), ['spec', 'subjects', index, 'password', 'valueFrom']);
    }
  }
  return found;
}

const NO_RESERVED: ReadonlySet<string> = new Set();

/** References that the Sync does not allow. They are checked again when they are resolved; here they get a place. */
function forbiddenSecrets(layers: Layers, secrets: readonly SecretUse[], context: ResolveContext): Problem[] {
  const { secretScope } = context;
  if (secretScope === undefined) return [];
  return secrets.flatMap(({ ref, path }): Problem[] => {
    try {
      if ('env' in ref) checkVariable(ref.env, secretScope, NO_RESERVED);
      else if ('file' in ref) locate(ref.file, secretScope);
      else namespaceOfSecret(ref.secretKeyRef.name, secretScope);
      return [];
    } catch (error) {
      if (!(error instanceof ReconcilerError)) throw error;
      const remedy = error.remedy ?? 'Use a reference that the Sync allows.';
      return [
        { origin: placeOf(layers, path), message: error.message, remedy, severity: 'error', key: layers.base.key },
      ];
    }
  });
}

function planDefinition(layers: Layers, spec: JsonObject, context: ResolveContext): DefinitionPlan | Problem {
  const { base, patches } = layers;
  const name = typeof spec['format'] === 'string' ? spec['format'] : (base.raw?.format ?? context.defaultFormat);
  const format = context.formats.find((candidate) => candidate.name === name);
  if (format === undefined) {
    const known = context.formats.map((candidate) => candidate.name);
    const origin = placeOf(layers, ['spec', 'format']);
    const remedy = didYouMean(
      name,
      known,
      known.length === 0 ? 'Use a platform that has workflows.' : `Known are ${known.join(', ')}.`,
    );
    return {
      origin,
      key: base.key,
      severity: 'error',
      message: `${spell(['spec', 'format'])} "${name}" is not a format that this platform understands.`,
      remedy,
    };
  }
  const file = valueAt(spec, ['definitionFrom', 'file']);
  const own =
    base.definition !== undefined && (!('file' in base.definition) || base.definition.part !== undefined)
      ? base.definition
      : undefined;
  const source: DefinitionSource | undefined = typeof file === 'string' ? { file } : own;
  const touching = patches.filter((patch) => touchesDefinition(JSON.parse(patch.json) as JsonObject, hasInline(patch)));
  return { format, source, patches: touching, template: spec['template'] === true };
}

function hasInline(doc: Doc): boolean {
  return doc.definition !== undefined && 'inline' in doc.definition;
}

/** References to other manifests that a kind's spec holds. */
export function referencesOf(kind: Kind, spec: JsonObject): readonly Reference[] {
  const found: Reference[] = [];
  const add = (target: Kind, path: readonly PropertyKey[]): void => {
    const name = valueAt(spec, path.slice(1));
    if (typeof name === 'string') found.push({ key: `${target}/${name}`, path });
  };
  if (kind === 'Workflow') add('Application', ['spec', 'application']);
  if (kind === 'AccessGrant') {
    add('AccessRole', ['spec', 'role']);
    add('Application', ['spec', 'scope', 'application']);
    add('Workflow', ['spec', 'scope', 'workflow']);
  }
  const selected = valueAt(spec, ['selector', 'kind']);
  const names = valueAt(spec, ['selector', 'names']);
  if (kind === 'ServiceLevel' && (selected === 'Workflow' || selected === 'Integration') && Array.isArray(names)) {
    // By their places, because the same name may be given twice.
    for (const index of names.keys()) add(selected, ['spec', 'selector', 'names', index]);
  }
  return found;
}
