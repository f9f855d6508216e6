import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import { objectOf, objectsOf, textOf } from './shapes.ts';

/** What a definition refers to outside itself. */
export type Target = 'Workflow' | 'DataTable';

/** A reference as a definition holds it: by name, by the id of an instance, or (on a platform) both. */
export interface Locator {
  readonly target: Target;
  /** The node that refers; undefined for the error workflow of the settings. */
  readonly node?: string;
  readonly name?: string;
  readonly id?: string;
  /** On a platform: it leads nowhere although something there is called so. */
  readonly unresolved?: true;
  /** The node is disabled: n8n publishes and runs the workflow wherever this leads. */
  readonly idle?: true;
}

/** What becomes of each reference: by name in git, by id on a platform. */
export interface Rewriting {
  /** The new entry of a node's `credentials`. */
  credential(type: string, entry: JsonObject, node: JsonObject): JsonObject;
  /** The reference as it shall be. */
  locator(locator: Locator): Locator;
}

/** Parameters of nodes that name something of the instance. Only of these types: others may speak of another instance. */
const PARAMETERS: readonly { readonly type: RegExp; readonly parameter: string; readonly target: Target }[] = [
  { type: /\.(executeWorkflow|toolWorkflow|retrieverWorkflow)$/, parameter: 'workflowId', target: 'Workflow' },
  { type: /\.dataTable(Tool)?$/, parameter: 'dataTableId', target: 'DataTable' },
];
const WORD: Readonly<Record<Target, string>> = { Workflow: '@workflow/', DataTable: '@data-table/' };
const UNRESOLVED = '@unresolved/';

/** A definition with every reference rewritten; everything else is as it was. */
export function rewrite(definition: JsonObject, rewriting: Rewriting): JsonObject {
  const nodes = objectsOf(definition['nodes']).map((node) => rewriteNode(node, rewriting));
  const settings = objectOf(definition['settings']);
  const locator = locatorIn(settings['errorWorkflow'], 'Workflow', undefined);
  if (locator === undefined) return { ...definition, nodes };
  const errorWorkflow = asText(rewriting.locator(locator));
  return { ...definition, nodes, settings: { ...settings, errorWorkflow } };
}

/** Everything that a definition refers to by name or id, credentials apart. */
export function locatorsOf(definition: JsonObject): readonly Locator[] {
  const found: Locator[] = [];
  rewrite(definition, {
    credential: (_type, entry) => entry,
    locator: (locator) => {
      found.push(locator);
      return locator;
    },
  });
  return found;
}

/** Credentials that the nodes of a definition name. Those of disabled nodes are not needed to run. */
export function credentialsOf(
  definition: JsonObject,
): readonly { readonly type: string; readonly name: string; readonly node: string; readonly disabled: boolean }[] {
  return objectsOf(definition['nodes']).flatMap((node) =>
    Object.entries(objectOf(node['credentials'])).flatMap(([type, entry]) => {
      const name = textOf(objectOf(entry)['name']);
      if (name === undefined) return [];
      return [{ type, name, node: textOf(node['name']) ?? '', disabled: node['disabled'] === true }];
    }),
  );
}

/** Names under which a reference may be meant: n8n's editor writes "PROJECT — WORKFLOW". */
export function spellings(name: string): readonly string[] {
  const dash = name.lastIndexOf(' — ');
  return dash < 0 ? [name] : [name, name.slice(dash + 3)];
}

/** A definition whose references say only what git can know: a name where there is one, else the id as it was written. */
export function byNameAlone(definition: JsonObject): JsonObject {
  return rewrite(definition, {
    credential: (_type, entry) => entry,
    locator: ({ id, ...locator }) => (locator.name === undefined && id !== undefined ? { ...locator, id } : locator),
  });
}

function rewriteNode(node: JsonObject, rewriting: Rewriting): JsonObject {
  let changed = node;
  const credentials = node['credentials'];
  if (isObject(credentials)) {
    const entries = Object.entries(credentials).map(
      ([type, entry]) => [type, isObject(entry) ? rewriting.credential(type, entry, node) : entry] as const,
    );
    changed = { ...changed, credentials: Object.fromEntries(entries) };
  }
  const place = PARAMETERS.find(({ type }) => type.test(textOf(node['type']) ?? ''));
  const parameters = node['parameters'];
  if (place === undefined || !isObject(parameters)) return changed;
  const value = parameters[place.parameter];
  const locator = locatorIn(value, place.target, textOf(node['name']) ?? '');
  if (locator === undefined) return changed;
  const rewritten = rewriting.locator(node['disabled'] === true ? { ...locator, idle: true } : locator);
  const next = isObject(value) ? asResource(value, rewritten) : asText(rewritten);
  return { ...changed, parameters: { ...parameters, [place.parameter]: next } };
}

/** Undefined for what is computed when it runs (an expression), given as a URL, or no reference at all. */
function locatorIn(value: JsonValue | undefined, target: Target, node: string | undefined): Locator | undefined {
  const base = { target, ...(node === undefined ? {} : { node }) };
  if (typeof value === 'string') {
    if (value === '' || value.startsWith('=')) return undefined;
    if (value.startsWith(WORD[target])) return { ...base, name: value.slice(WORD[target].length) };
    if (value.startsWith(UNRESOLVED)) return { ...base, name: value.slice(UNRESOLVED.length), unresolved: true };
    return { ...base, id: value };
  }
  if (!isObject(value) || value['__rl'] !== true || (value['mode'] !== 'list' && value['mode'] !== 'id'))
    return undefined;
  const id = textOf(value['value']);
  const name = textOf(value['cachedResultName']);
  if (id?.startsWith('=') === true || (id === undefined && name === undefined)) return undefined;
  const open = value['unresolved'] === true ? { unresolved: true as const } : {};
  return { ...base, ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }), ...open };
}

/** n8n's own form. A reference that is by name only has an empty value there, which n8n takes and the editor shows as unset. */
function asResource(
  before: JsonObject,
  { id, name, unresolved }: Locator & { readonly unresolved?: true },
): JsonObject {
  return {
    __rl: true,
    mode: before['mode'] ?? 'list',
    value: id ?? '',
    ...(name === undefined ? {} : { cachedResultName: name }),
    ...(unresolved === undefined ? {} : { unresolved }),
  };
}

function asText({ target, id, name, unresolved }: Locator): string {
  if (id !== undefined) return id;
  return `${unresolved === true ? UNRESOLVED : WORD[target]}${name ?? ''}`;
}
