import { createHash } from 'node:crypto';
import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Marker, RemoteObject } from '../../plan/types.ts';
import { inReverse, nameOf, normalizeDefinition } from './flow-definition.ts';
import { operationIds } from './ids.ts';
import { compare, objectsOf, textOf, without, wordOf } from './json.ts';
import { type Note, readNote, writeNote } from './note.ts';
import { renameFlows } from './references.ts';

/** Fields of the manifest that a flow has no column for; they stand in its note. */
const NOTED = ['application', 'version'] as const;
const VOLATILE = ['date_created', 'user_created'];

/** A flow's content in normal form: fields, and the definition. */
export function normalizeWorkflow(spec: JsonObject): JsonObject {
  const { title, application, version, active, definition } = spec;
  const fields = { active, application, definition: normalizeDefinition(definition), title, version };
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  ) as JsonObject;
}

/** How ids are told on the platform that a row is of. */
export interface Naming {
  /** How others call a flow. */
  readonly flow: (id: string) => string;
  /** The application whose folder it is; absent where flows have no folders. */
  readonly folder?: (id: string) => string | undefined;
}

/** A row of `directus_flows`, operations in it, as the object that it is. */
export function workflowOf(row: JsonObject, naming: Naming): RemoteObject {
  const { note } = readNote(textOf(row['description']) ?? '');
  const title = textOf(row['name']) ?? '';
  const application = applicationOf(row, note, naming);
  const created = Date.parse(`${textOf(row['date_created']) ?? ''}Z`.replace(/Z+$/, 'Z'));
  return {
    kind: 'Workflow',
    remote: textOf(row['id']) ?? '',
    title,
    value: {
      active: row['status'] === 'active',
      ...(application === undefined ? {} : { application }),
      definition: renameFlows(normalizeDefinition(row), naming.flow),
      title,
      ...(note.fields['version'] === undefined ? {} : { version: note.fields['version'] }),
    },
    version: versionOf(row),
    ...(note.marker === undefined ? {} : { marker: note.marker }),
    ...(Number.isNaN(created) ? {} : { createdAt: created }),
  };
}

/** Where we put no flow of ours into a folder, the folder is people's own affair. */
function applicationOf(row: JsonObject, { fields, marker }: Note, { folder }: Naming): string | undefined {
  if (folder === undefined) return fields['application'];
  const id = textOf(row['folder']);
  if (id === undefined || (marker !== undefined && fields['application'] === undefined)) return undefined;
  return folder(id);
}

/** Changes whenever a flow or one of its operations changes; Directus itself keeps no version. */
export function versionOf(row: JsonObject): string {
  const operations = objectsOf(row['operations'])
    .map((operation) => without(operation, VOLATILE))
    .toSorted((one, other) => compare(wordOf(one['id']), wordOf(other['id'])));
  const text = canonicalJson({ ...without(row, VOLATILE), operations });
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** What is to stand in a flow. */
export interface WantedFlow {
  readonly id: string;
  /** Normal form, references to other flows as ids. */
  readonly spec: JsonObject;
  readonly marker?: Marker;
  /** The folder to lie in, null for none; absent where it stays as it is. */
  readonly folder?: string | null;
  /** What stands there now; undefined for a new one. */
  readonly present?: JsonObject;
}

/**
 * The body that makes a flow what is wanted in one request, which Directus carries out in one transaction: at no moment
 * does a flow run with a part of its operations. Operations go along only when they change, each after those it leads to,
 * under ids that no row has yet, because their links are UNIQUE columns and foreign keys. The address of a trigger stays.
 */
export function flowBody({ id, spec, marker, folder, present }: WantedFlow): JsonObject {
  const definition = normalizeDefinition(spec['definition']);
  const kept = readNote(textOf(present?.['description']) ?? '').note;
  const fields = Object.fromEntries(
    NOTED.flatMap((name): [string, string][] => {
      const value = textOf(spec[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const note = { ...kept, ...(marker === undefined ? {} : { marker: { ...marker, remote: id } }), fields };
  const { active } = spec;
  // A new flow rests until somebody says that it shall run; an old one is left as it is (law 11).
  const status =
    active === undefined ? (present === undefined ? 'inactive' : undefined) : active === true ? 'active' : 'inactive';
  return {
    id,
    name: textOf(spec['title']) ?? '',
    icon: definition['icon'] ?? null,
    color: definition['color'] ?? null,
    description: writeNote(textOf(definition['description']) ?? '', note),
    ...(status === undefined ? {} : { status }),
    ...(folder === undefined ? {} : { folder }),
    trigger: definition['trigger'] ?? null,
    accountability: definition['accountability'] ?? null,
    options: definition['options'] ?? {},
    ...graphBody(id, definition, present),
  };
}

/** The body that takes the marker off and leaves everything else. */
export function releaseBody(present: JsonObject): JsonObject {
  const { text, note } = readNote(textOf(present['description']) ?? '');
  const { marker: _, ...rest } = note;
  return { id: present['id'] ?? null, description: writeNote(text, rest) };
}

function graphBody(id: string, definition: JsonObject, present: JsonObject | undefined): JsonObject {
  const operations = objectsOf(definition['operations']);
  const root = textOf(definition['operation']);
  if (present !== undefined && sameGraph(definition, normalizeDefinition(present))) return {};
  const taken = new Set(objectsOf(present?.['operations']).map((operation) => operation['id']));
  const ordered = inReverse(operations) ?? operations;
  let idOf = operationIds(id, [...operations, root ?? null]);
  for (let attempt = 1; ordered.some((operation) => taken.has(idOf(nameOf(operation)))); attempt++)
    idOf = operationIds(id, [...operations, root ?? null], attempt);
  const known = new Set(operations.map(nameOf));
  const link = (label: string | undefined): string | null =>
    label === undefined ? null : known.has(label) ? idOf(label) : label;
  return {
    operation: link(root),
    operations: ordered.map((operation) => ({
      ...without(operation, ['label']),
      id: idOf(nameOf(operation)),
      name: operation['name'] ?? null,
      resolve: link(textOf(operation['resolve'])),
      reject: link(textOf(operation['reject'])),
    })),
  };
}

function sameGraph(one: JsonObject, other: JsonObject): boolean {
  const graph = ({ operation = null, operations = [] }: JsonObject): string => canonicalJson([operation, operations]);
  return graph(one) === graph(other);
}
