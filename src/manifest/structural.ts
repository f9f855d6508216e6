import type { JsonObject, JsonValue } from './manifest.ts';
import { isObject } from './pointer.ts';

/**
 * Bounds where a schema names none: the API server estimates what a rule may cost at most, and refuses a definition in which a
 * rule stands below a list without a bound. They are beyond what anybody writes by hand.
 */
const BOUNDS = { maxLength: 2048, maxItems: 500, maxProperties: 200 } as const;

/** Any JSON: what a platform's own format is made of. */
const ANYTHING: JsonObject = { 'x-kubernetes-preserve-unknown-fields': true };

/** Keywords that are taken over as they are. */
const KEPT = [
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'minProperties',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;

/** Fields that a schema leaves open and somebody else knows, by path (`spec.auth`): their names. */
export type OpenFields = Readonly<Record<string, readonly string[]>>;

/**
 * A JSON Schema as the API server takes it: structural, so every type is said once and nothing is said of it below `anyOf`; without
 * references; with a bound on everything. Defaults are told in the description, so that an object keeps saying what was written.
 */
export function structural(schema: JsonObject, open: OpenFields, path = ''): JsonObject {
  const described = descriptionOf(schema);
  if (schema['not'] !== undefined) return { ...described, ...ANYTHING, not: {} };
  if (schema['$ref'] !== undefined || schema['allOf'] !== undefined) return { ...described, ...ANYTHING };
  if (Array.isArray(schema['anyOf'])) return { ...described, ...countOrText(schema['anyOf'].filter(isObject)) };
  const { type } = schema;
  const kept = Object.fromEntries(KEPT.flatMap((name) => (schema[name] === undefined ? [] : [[name, schema[name]]])));
  const common = { ...described, ...(typeof type === 'string' ? { type } : {}), ...kept };
  if (type === 'object') return withoutUntyped({ ...common, ...objectOf(schema, open, path) });
  if (type === 'array') return { maxItems: BOUNDS.maxItems, ...common, ...itemsOf(schema, open, path) };
  if (type === 'string') return { maxLength: BOUNDS.maxLength, ...common, ...textOf(schema) };
  if (type === 'number') return { ...common, type: 'integer', minimum: 1 };
  return schema['const'] === undefined ? common : { ...common, enum: [schema['const']] };
}

/** Rules cannot look at fields of any type; that exactly one of them is given is said by `required` instead. */
function withoutUntyped(schema: JsonObject): JsonObject {
  const { 'x-kubernetes-validations': rules, ...rest } = schema;
  const fields = isObject(schema['properties']) ? schema['properties'] : {};
  const untyped = (name: string): boolean => {
    const field = fields[name];
    return !isObject(field) || (field['type'] === undefined && field['x-kubernetes-int-or-string'] === undefined);
  };
  if (!Array.isArray(rules)) return schema;
  const named = rules.filter(isObject).map(({ rule }) => namesIn(JSON.stringify(rule)));
  if (!named.flat().some(untyped)) return schema;
  return { ...rest, oneOf: named.flat().map((name) => ({ required: [name] })) };
}

function namesIn(rule: string): readonly string[] {
  return [...rule.matchAll(/has\(self\.(\w+)\)/g)].map(([, name = '']) => name);
}

function descriptionOf(schema: JsonObject): JsonObject {
  const { description = '', default: value } = schema;
  const told = typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : value;
  const written = typeof told === 'string' ? told : JSON.stringify(told);
  const known = told === undefined || told === '' ? '' : ` Default: ${written}.`;
  const about = typeof description === 'string' ? description : '';
  return about === '' && known === '' ? {} : { description: `${about}${known}`.trim() };
}

function objectOf(schema: JsonObject, open: OpenFields, path: string): JsonObject {
  const { properties, additionalProperties, required } = schema;
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const fields: Record<string, JsonValue> = {};
  for (const [name, field] of Object.entries(isObject(properties) ? properties : {})) {
    if (isObject(field)) fields[name] = structural(field, open, below(name));
  }
  const more = isObject(additionalProperties) ? additionalProperties : undefined;
  const named = more === undefined ? [] : (open[path] ?? []);
  for (const name of named) {
    if (more !== undefined) fields[name] ??= structural(more, open, below(name));
  }
  const needs = Array.isArray(required) && required.length > 0 ? { required } : {};
  if (Object.keys(fields).length > 0) return { properties: fields, ...needs };
  if (more === undefined) return {};
  const value = structural(more, open, `${path}.*`);
  if (value['type'] === undefined) return ANYTHING;
  return { maxProperties: BOUNDS.maxProperties, additionalProperties: value };
}

function itemsOf({ items, ...schema }: JsonObject, open: OpenFields, path: string): JsonObject {
  const of = isObject(items) ? structural(items, open, `${path}[]`) : ANYTHING;
  // What is set as a whole: two who apply parts of one list would otherwise not know of each other.
  const merge = schema['x-kubernetes-list-type'] === undefined ? { 'x-kubernetes-list-type': 'atomic' } : {};
  return { items: of, ...merge };
}

function textOf({ format, const: only }: JsonObject): JsonObject {
  if (only !== undefined) return { enum: [only] };
  if (format === 'date-time') return { format, pattern: '(Z|[+-][0-9]{2}:[0-9]{2})$' };
  return {};
}

/** A whole number, or a text of one form. */
function countOrText(parts: readonly JsonObject[]): JsonObject {
  const pattern = parts.map((part) => part['pattern']).find((one) => typeof one === 'string');
  if (pattern === undefined) return ANYTHING;
  const rule = `type(self) == int ? self >= 0 : string(self).matches('${pattern}')`;
  const message = 'Write a whole number such as 5, or a percentage such as 10%.';
  return { 'x-kubernetes-int-or-string': true, maxLength: 16, 'x-kubernetes-validations': [{ rule, message }] };
}
