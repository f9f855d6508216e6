import { z } from 'zod';
import type { JsonObject } from './manifest.ts';
import { isObject } from './pointer.ts';
import { SCHEMAS } from './schemas.ts';
import type { AnyKind } from './schemas.ts';

const made = new Map<string, JsonObject>();
const NAMES = Object.keys(SCHEMAS) as AnyKind[];

/**
 * JSON Schema (draft 7, what YAML language servers read) of what a user may write: of one kind, or of all of them.
 * Usable as `# yaml-language-server: $schema=FILE`.
 */
export function jsonSchema(kind?: AnyKind): JsonObject {
  const known = made.get(kind ?? '');
  if (known !== undefined) return known;
  const schema = kind === undefined ? all() : one(kind);
  made.set(kind ?? '', schema);
  return schema;
}

function one(kind: AnyKind): JsonObject {
  const schema = z.toJSONSchema(SCHEMAS[kind], { io: 'input', target: 'draft-7', unrepresentable: 'any' });
  return { title: kind, ...(JSON.parse(JSON.stringify(schema)) as JsonObject) };
}

function all(): JsonObject {
  const oneOf = NAMES.map((kind) => {
    const own = Object.entries(jsonSchema(kind)).filter(([name]) => name !== '$schema' && name !== 'definitions');
    return Object.fromEntries(own);
  });
  const definitions: Record<string, JsonObject> = {};
  for (const kind of NAMES) {
    const own = jsonSchema(kind)['definitions'];
    if (isObject(own)) Object.assign(definitions, own);
  }
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Plumbline manifest', oneOf, definitions };
}

/** One row of the table of defaults in the README. */
export interface DefaultRow {
  readonly kind: AnyKind;
  /** Path from the top of the manifest, such as `spec.prune.maxDeletions`. */
  readonly field: string;
  readonly type: string;
  /** The default as it would be written. */
  readonly default: string;
  readonly description: string;
}

/** Every field that has a default, in the order of the schemas. Objects that only hold such fields are left out. */
export function defaultsTable(): DefaultRow[] {
  return NAMES.flatMap((kind) => {
    const rows: DefaultRow[] = [];
    collect(kind, jsonSchema(kind), '', rows);
    return rows;
  });
}

function collect(kind: AnyKind, schema: JsonObject, path: string, rows: DefaultRow[]): void {
  const properties = schema['properties'];
  if (isObject(properties)) {
    for (const [name, field] of Object.entries(properties)) {
      if (!isObject(field)) continue;
      const at = path === '' ? name : `${path}.${name}`;
      const value = field['default'];
      if (
        value !== undefined &&
        !(isObject(field['properties']) && isObject(value) && Object.keys(value).length === 0)
      ) {
        const description = typeof field['description'] === 'string' ? field['description'] : '';
        const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
        rows.push({ kind, field: at, type: typeName(field), default: text, description });
      }
      collect(kind, field, at, rows);
    }
  }
  if (isObject(schema['items'])) collect(kind, schema['items'], `${path}[]`, rows);
}

function typeName(field: JsonObject): string {
  const { enum: values, anyOf, type, items } = field;
  if (Array.isArray(values)) return values.join(' | ');
  if (Array.isArray(anyOf)) return anyOf.filter(isObject).map(typeName).join(' | ');
  if (type === 'array') return isObject(items) ? `list of ${typeName(items)}` : 'list';
  return typeof type === 'string' ? type : 'any';
}
