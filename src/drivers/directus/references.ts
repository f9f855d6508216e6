import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { isObject, objectOf, objectsOf, textOf } from './json.ts';

/** The operation that runs another flow; it names it in `options.flow`. */
const RUNS_FLOW = 'trigger';
const SIGN = '@workflow/';

/** How a flow names another one without an id of an instance: by title. */
export function tokenFor(title: string): string {
  return `${SIGN}${title}`;
}

/** The title in such a name; undefined for an id, or for a template that is filled in at run time. */
export function titleIn(token: string): string | undefined {
  return token.startsWith(SIGN) && token.length > SIGN.length ? token.slice(SIGN.length) : undefined;
}

/** What an operation says about the flow that it runs; undefined when it runs none. */
export function flowOf(operation: JsonObject): string | undefined {
  return operation['type'] === RUNS_FLOW ? textOf(objectOf(operation['options'])['flow']) : undefined;
}

/** A definition in which `rename` has said what each operation that runs a flow calls it; the same one when nothing changes. */
export function renameFlows(definition: JsonObject, rename: (said: string) => string): JsonObject {
  let changed = false;
  const operations = objectsOf(definition['operations']).map((operation) => {
    const said = flowOf(operation);
    const name = said === undefined ? said : rename(said);
    if (said === undefined || name === undefined || name === said) return operation;
    changed = true;
    return { ...operation, options: { ...objectOf(operation['options']), flow: name } };
  });
  return changed ? { ...definition, operations } : definition;
}

/** What a raw export may hold: one flow, a list of them, or the API's answer with either in `data`. */
export function flowsIn(json: JsonValue): readonly JsonObject[] | undefined {
  const inner =
    isObject(json) && 'data' in json && Object.keys(json).every((name) => name === 'data' || name === 'meta')
      ? json['data']
      : json;
  if (isObject(inner) && Array.isArray(inner['flows'])) return joined(inner);
  if (Array.isArray(inner)) {
    const flows = inner.filter(isObject);
    return flows.length > 0 && flows.length === inner.length && flows.every(isRawFlow) ? flows : undefined;
  }
  return isObject(inner) && isRawFlow(inner) ? [inner] : undefined;
}

/** `{flows: […], operations: […]}`: both tables, as template and backup tools write them. */
function joined(json: JsonObject): readonly JsonObject[] | undefined {
  const flows = objectsOf(json['flows']);
  if (flows.length === 0 || !flows.every(isRawFlow)) return undefined;
  const operations = Map.groupBy(objectsOf(json['operations']), (operation) => textOf(operation['flow']) ?? '');
  return flows.map((flow) => {
    const own = operations.get(textOf(flow['id']) ?? '') ?? [];
    return objectsOf(flow['operations']).length > 0 ? flow : { ...flow, operations: own };
  });
}

/** A row of `directus_flows`: a name, what sets it off, and how it is tracked. */
function isRawFlow(value: JsonObject): boolean {
  return (
    typeof value['name'] === 'string' &&
    'trigger' in value &&
    ('accountability' in value || 'operation' in value || 'operations' in value)
  );
}
