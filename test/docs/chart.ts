import { readFileSync } from 'node:fs';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { Pair, YAMLMap } from 'yaml';

export const CHART = new URL('../../helm/', import.meta.url);

/** A value of the chart, by its path with dots. */
interface Value {
  readonly path: readonly string[];
  readonly fallback: unknown;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

interface Described {
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

/**
 * Every documented value of the chart, in the order of values.yaml. A map that is documented itself is one value; in one that is not,
 * each key is.
 * @throws Error that names a value without documentation.
 */
export function chartValues(text: string = readFileSync(new URL('values.yaml', CHART), 'utf8')): readonly Value[] {
  const { contents } = parseDocument(text);
  if (!isMap(contents)) throw new Error('values.yaml is no map');
  return valuesOf(contents, []);
}

function valuesOf(map: YAMLMap, path: readonly string[]): readonly Value[] {
  return map.items.flatMap((pair, index): readonly Value[] => {
    const here = [...path, keyOf(pair)];
    // The comment above the first key of a map is kept by the map.
    const comment = [index === 0 ? map.commentBefore : undefined, commentOf(pair)].filter(Boolean).join('\n');
    const described = describe(comment);
    if (described !== undefined) return [{ path: here, fallback: plainOf(pair.value), ...described }];
    if (isMap(pair.value)) return valuesOf(pair.value, here);
    throw new Error(`values.yaml says nothing about ${here.join('.')}: write "# -- …" above it`);
  });
}

function keyOf({ key }: Pair): string {
  return String(isScalar(key) ? key.value : key);
}

function commentOf({ key }: Pair): string | undefined {
  return isScalar(key) ? (key.commentBefore ?? undefined) : undefined;
}

function plainOf(node: unknown): unknown {
  return typeof node === 'object' && node !== null && 'toJSON' in node
    ? (node as { toJSON(): unknown }).toJSON()
    : undefined;
}

function describe(comment: string): Described | undefined {
  const lines = comment.split('\n').map((line) => line.replace(/^ /, ''));
  const start = lines.findLastIndex((line) => line.startsWith('-- '));
  if (start === -1) return undefined;
  const own = lines.slice(start);
  const schema = own.find((line) => line.startsWith('@schema '))?.slice('@schema '.length);
  const text = own.filter((line) => !line.startsWith('@schema '));
  return {
    description: text.join(' ').slice('-- '.length).trim(),
    schema: schema === undefined ? {} : (JSON.parse(schema) as Readonly<Record<string, unknown>>),
  };
}

interface ObjectSchema {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: Record<string, unknown>;
}

/** The JSON Schema of the values: what no default stands for is refused. */
export function chartSchema(): string {
  const root = strict();
  // Helm hands this to every chart that is part of another one.
  root.properties['global'] = { type: 'object' };
  for (const { path, fallback, description, schema } of chartValues()) {
    const parent = path
      .slice(0, -1)
      .reduce<ObjectSchema>((at, key) => (at.properties[key] ??= strict()) as ObjectSchema, root);
    parent.properties[path.at(-1) ?? ''] = { description, ...typeOf(fallback), ...schema };
  }
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Values of the chart plumbline' };
  return `${JSON.stringify({ ...head, ...root }, undefined, 2)}\n`;
}

function strict(): ObjectSchema {
  return { type: 'object', additionalProperties: false, properties: {} };
}

function typeOf(fallback: unknown): { readonly type: string } {
  if (Array.isArray(fallback)) return { type: 'array' };
  return { type: typeof fallback === 'number' ? 'integer' : typeof fallback };
}

/** The chart's README with its table as values.yaml has it. */
export function withValues(readme: string): string {
  const rows = chartValues().map(({ path, fallback, description }) =>
    [`\`${path.join('.')}\``, `\`${JSON.stringify(fallback)}\``, description].map((cell) =>
      cell.replaceAll('|', '\\|'),
    ),
  );
  const table = [['Value', 'Default', 'Meaning'], ['---', '---', '---'], ...rows];
  const pattern = /(<!-- values -->\n)[^]*?(<!-- \/values -->)/;
  if (!pattern.test(readme)) throw new Error('helm/README.md has no place for the table of values');
  const text = table.map((row) => `| ${row.join(' | ')} |`).join('\n');
  return readme.replace(pattern, (_whole, start: string, end: string) => `${start}\n${text}\n\n${end}`);
}
