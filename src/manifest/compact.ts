import type { Problem } from '../errors.ts';
import { pack } from './document.ts';
import { MONITORING_SECTIONS, monitoringFields, monitoringSpec } from './compact-monitoring.ts';
import { NOT_ENFORCED } from './fields.ts';
import type { JsonValue, Key, Kind } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import type { Place } from './places.ts';
import { isObject, pointerOf } from './pointer.ts';
import type { Reading } from './reading-result.ts';
import { didYouMean } from './suggest.ts';

/** Top-level fields of the compact form, with the kind that their entries become where this version has one. */
export const COMPACT_FIELDS: Readonly<Record<string, Kind | undefined>> = {
  applications: 'Application',
  workflows: 'Workflow',
  custom_integrations: 'Integration',
  monitoring_config: 'ServiceLevel',
  data_classification: undefined,
};

/** Where each field of an entry goes in the manifest that it becomes. */
const ENTRY_FIELDS: Readonly<Partial<Record<Kind, Readonly<Record<string, string>>>>> = {
  Application: {
    name: '/metadata/name',
    title: '/spec/title',
    environment: '/spec/environment',
    version: '/spec/version',
    owner: '/spec/owner',
  },
  Workflow: {
    name: '/metadata/name',
    title: '/spec/title',
    application: '/spec/application',
    version: '/spec/version',
    active: '/spec/active',
    format: '/spec/format',
    definition_file: '/spec/definitionFrom/file',
    last_modified: '',
  },
  Integration: {
    name: '/metadata/name',
    title: '/spec/title',
    type: '/spec/type',
    settings: '/spec/settings',
    code_repo: '/spec/code/repository',
    api_version: '/spec/code/ref/tag',
  },
};

/** Whether a mapping is in the compact form: it has no apiVersion and kind but one of the form's lists. */
export function isCompact(value: Readonly<Record<string, JsonValue>>): boolean {
  const plain = value['apiVersion'] === undefined && value['kind'] === undefined;
  return plain && Object.keys(value).some((field) => Object.hasOwn(COMPACT_FIELDS, field));
}

interface CompactFile {
  readonly file: string;
  readonly value: Readonly<Record<string, JsonValue>>;
  readonly places: ReadonlyMap<string, Place>;
  readonly start: { readonly line: number; readonly column: number };
  readonly reading: Reading;
}

/** Makes the same documents of the compact form as of manifests, each value at the place where it was written. */
export function expandCompact(compact: CompactFile): void {
  for (const [field, entries] of Object.entries(compact.value)) {
    const kind = COMPACT_FIELDS[field];
    if (kind === undefined) refuseField(compact, field);
    else if (entries === null) continue;
    else if (field === 'monitoring_config') expandMonitoring(compact, field, entries);
    else if (Array.isArray(entries))
      entries.forEach((entry: JsonValue, index) => expandEntry(compact, kind, [field, index], entry));
    else {
      compact.reading.problems.push(
        problem(compact, [field], `${field} is not a list.`, 'Write a list of entries, each with a name.'),
      );
      compact.reading.unknownKinds.add(kind);
    }
  }
}

function refuseField(compact: CompactFile, field: string): void {
  const known = Object.keys(COMPACT_FIELDS);
  if (known.includes(field)) {
    compact.reading.problems.push(
      problem(compact, [field], `${field} is ${NOT_ENFORCED}.`, 'Remove it from the source until it is.'),
    );
    return;
  }
  const remedy = didYouMean(field, known, `Known here are ${known.join(', ')}.`);
  compact.reading.problems.push(problem(compact, [field], `unknown field "${field}".`, remedy));
  const meant = known.find((name) => remedy.includes(`"${name}"`));
  const kind = meant === undefined ? undefined : COMPACT_FIELDS[meant];
  if (kind !== undefined) compact.reading.unknownKinds.add(kind);
}

function expandEntry(compact: CompactFile, kind: Kind, path: readonly PropertyKey[], entry: JsonValue): void {
  const { file, reading } = compact;
  const name = isObject(entry) ? entry['name'] : undefined;
  if (!isObject(entry) || typeof name !== 'string' || name === '') {
    reading.problems.push(
      problem(compact, path, 'this entry has no name.', 'Give it a name: lower-case letters, digits and "-".'),
    );
    reading.unknownKinds.add(kind);
    return;
  }
  const problems: Problem[] = [];
  const places = new Map<string, Place>();
  const own = compact.places.get(pointerOf(path));
  if (own !== undefined) for (const pointer of ['', '/metadata', '/spec']) places.set(pointer, own);
  const spec: SpecDraft = {};
  const note = (field: string, message: string, remedy: string, severity: Problem['severity']): void => {
    problems.push({ ...problem(compact, [...path, field], message, remedy), severity, key: `${kind}/${name}` });
  };
  const fields = ENTRY_FIELDS[kind] ?? {};
  for (const [field, value] of Object.entries(entry)) {
    const target = fields[field];
    const place = compact.places.get(pointerOf([...path, field]));
    if (target === undefined)
      note(
        field,
        `unknown field "${field}".`,
        didYouMean(field, Object.keys(fields), `Known here are ${Object.keys(fields).join(', ')}.`),
        'error',
      );
    else if (field === 'last_modified')
      note(field, 'last_modified has no effect: git knows when a file was changed.', 'Remove it.', 'warning');
    else if (place !== undefined) places.set(target, place);
    if (target?.startsWith('/spec/')) setAt(spec, target.split('/').slice(2), value);
  }
  const value: Record<string, JsonValue> = { apiVersion: API_VERSION, kind, metadata: { name }, spec };
  if (kind === 'Workflow') {
    // By convention the definition lies beside the file.
    spec['definitionFrom'] ??= { file: `${name}.json` };
    const place = places.get('/spec/definitionFrom/file') ?? places.get('/metadata/name');
    if (place !== undefined) places.set('/spec/definitionFrom', place);
  }
  const start = own ?? compact.start;
  const draft = {
    file,
    index: 0,
    kind,
    name,
    value,
    places,
    start: { line: start.line, column: start.column },
    problems,
  };
  reading.docs.push(pack(draft).doc);
}

interface SpecDraft {
  [field: string]: JsonValue;
}

function setAt(spec: SpecDraft, [field = '', ...below]: readonly string[], value: JsonValue): void {
  if (below.length === 0) spec[field] = value;
  else {
    const inner = spec[field];
    const copy: SpecDraft = isObject(inner) ? { ...inner } : {};
    setAt(copy, below, value);
    spec[field] = copy;
  }
}

/** `monitoring_config` has one mapping per section, and each becomes a service level. */
function expandMonitoring(compact: CompactFile, field: string, sections: JsonValue): void {
  const { file, reading } = compact;
  const names = Object.keys(MONITORING_SECTIONS);
  const refuse = (path: readonly PropertyKey[], message: string, remedy: string): void => {
    reading.problems.push(problem(compact, path, message, remedy));
    reading.unknownKinds.add('ServiceLevel');
  };
  if (!isObject(sections)) {
    refuse([field], `${field} is not a mapping.`, `Write one with ${names.join(', ')}.`);
    return;
  }
  for (const [name, content] of Object.entries(sections)) {
    const section = MONITORING_SECTIONS[name];
    const path = [field, name];
    if (section === undefined) {
      refuse(path, `unknown field "${name}".`, didYouMean(name, names, `Known here are ${names.join(', ')}.`));
    } else if (!isObject(content))
      refuse(path, `${name} is not a mapping.`, 'Write objectives, such as success_rate: "target > 99%".');
    else {
      const key: Key = `ServiceLevel/${section.name}`;
      const fields = monitoringFields(section);
      const problems: Problem[] = [];
      const places = new Map<string, Place>();
      const own = compact.places.get(pointerOf(path));
      const start = own ?? compact.start;
      if (own !== undefined)
        for (const pointer of ['', '/metadata', '/metadata/name', '/spec', '/spec/selector', '/spec/objectives'])
          places.set(pointer, own);
      for (const each of Object.keys(content)) {
        const place = compact.places.get(pointerOf([...path, each]));
        const known = Object.keys(fields);
        if (fields[each] === undefined) {
          const remedy = didYouMean(each, known, `Known here are ${known.join(', ')}.`);
          problems.push({ ...problem(compact, [...path, each], `unknown field "${each}".`, remedy), key });
        }
        if (place !== undefined) for (const pointer of fields[each] ?? []) places.set(pointer, place);
      }
      const spec = monitoringSpec(section, content);
      const value = { apiVersion: API_VERSION, kind: 'ServiceLevel', metadata: { name: section.name }, spec };
      const draft = { file, index: 0, kind: 'ServiceLevel' as const, name: section.name, value, places, problems };
      reading.docs.push(pack({ ...draft, start: { line: start.line, column: start.column } }).doc);
    }
  }
}

function problem(compact: CompactFile, path: readonly PropertyKey[], message: string, remedy: string): Problem {
  const place = compact.places.get(pointerOf(path));
  const origin = {
    file: compact.file,
    line: place?.keyLine ?? compact.start.line,
    column: place?.keyColumn ?? compact.start.column,
  };
  return { origin, message, remedy, severity: 'error' };
}
