import type { z } from 'zod';
import { NOT_ENFORCED } from './fields.ts';
import { jsonSchema } from './json-schema.ts';
import type { JsonObject, JsonValue } from './manifest.ts';
import { isObject, spell, valueAt } from './pointer.ts';
import { SCHEMAS } from './schemas.ts';
import type { AnyKind } from './schemas.ts';
import { didYouMean } from './suggest.ts';

/** One thing that the schema of a kind refuses. */
export interface Flaw {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly remedy: string;
}

export type Checked =
  { readonly ok: true; readonly data: JsonObject } | { readonly ok: false; readonly flaws: readonly Flaw[] };

/**
 * Checks a document against the schema of its kind: the data with defaults filled in and durations in milliseconds, or
 * everything that is wrong. Messages never quote a value that could be a secret.
 */
export function check(kind: AnyKind, value: JsonValue): Checked {
  const parsed = SCHEMAS[kind].safeParse(value);
  if (parsed.success) return { ok: true, data: parsed.data as JsonObject };
  return { ok: false, flaws: parsed.error.issues.flatMap((issue) => flawsOf(kind, issue, value)) };
}

function flawsOf(kind: AnyKind, issue: z.core.$ZodIssue, value: JsonValue): Flaw[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(fieldsAt(kind, path));
    return issue.keys.map((name) => ({
      path: [...path, name],
      message: `unknown field ${spell([...path, name])} of ${kind}.`,
      remedy: didYouMean(name, known, `Known here are ${known.join(', ')}.`),
    }));
  }
  const given = valueAt(value, path);
  const name = spell(path) === '' ? 'the document' : spell(path);
  const expected = describe(kind, path);
  if (given === undefined && path.length > 0 && issue.code !== 'custom') {
    return [
      {
        path,
        message: `${name} of this ${kind} is missing.`,
        remedy: expected === '' ? 'Add it.' : `Add it: ${expected}`,
      },
    ];
  }
  const [message = '', remedy] = issue.message.split('\n');
  if (remedy !== undefined) return [{ path, message: `${sentence(name, message)}.`, remedy }];
  return [{ path, message: `${name} ${plain(issue, given)}.`, remedy: remedyFor(issue, given, expected) }];
}

function sentence(name: string, message: string): string {
  if (message === NOT_ENFORCED) return `${name} is ${message}`;
  return /^(is|has|names|cannot) /.test(message) ? `${name} ${message}` : `${name}: ${message}`;
}

function plain(issue: z.core.$ZodIssue, given: JsonValue | undefined): string {
  if (issue.code === 'invalid_type') {
    return given === null ? 'has no value' : `must be ${an(issue.expected)}, but is ${an(typeName(given))}`;
  }
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') return `must be at least ${String(issue.minimum)}${unit(issue.origin)}`;
  if (issue.code === 'too_big') return `must be at most ${String(issue.maximum)}${unit(issue.origin)}`;
  return 'is not valid here';
}

function remedyFor(issue: z.core.$ZodIssue, given: JsonValue | undefined, expected: string): string {
  if (
    issue.code === 'invalid_type' &&
    issue.expected === 'string' &&
    (typeof given === 'number' || typeof given === 'boolean')
  ) {
    return 'Put it in quotes.';
  }
  if (issue.code === 'invalid_type' && issue.expected === 'boolean') return 'Write true or false, without quotes.';
  if (issue.code === 'invalid_type' && given === null) return 'Write a value, or remove the field.';
  if (issue.code === 'invalid_value' && typeof given === 'string') {
    return didYouMean(given, issue.values.map(String), `Write one of ${issue.values.map(String).join(', ')}.`);
  }
  return expected === '' ? 'Correct the value.' : expected;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function an(type: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'a text',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return names[type] ?? `a ${type}`;
}

function typeName(value: JsonValue | undefined): string {
  return Array.isArray(value) ? 'array' : typeof value;
}

/** The part of a kind's JSON Schema that a path leads to. */
function schemaAt(kind: AnyKind, path: readonly PropertyKey[]): JsonObject {
  let current: JsonValue | undefined = jsonSchema(kind);
  for (const part of path) {
    if (!isObject(current)) return {};
    const node: JsonObject = current;
    const { properties, items, additionalProperties } = node;
    const named =
      isObject(properties) && typeof part === 'string' && Object.hasOwn(properties, part)
        ? properties[part]
        : undefined;
    current = typeof part === 'number' ? items : (named ?? additionalProperties);
  }
  return isObject(current) ? current : {};
}

function fieldsAt(kind: AnyKind, path: readonly PropertyKey[]): JsonObject {
  const { properties } = schemaAt(kind, path);
  return isObject(properties) ? properties : {};
}

function describe(kind: AnyKind, path: readonly PropertyKey[]): string {
  const { description } = schemaAt(kind, path);
  return typeof description === 'string' ? description : '';
}
