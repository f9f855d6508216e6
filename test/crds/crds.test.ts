import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { SCHEMAS } from '../../src/manifest/schemas.ts';
import { isObject } from '../../src/manifest/pointer.ts';
import type { JsonValue } from '../../src/manifest/manifest.ts';
import { definitionFiles } from './definitions.ts';

const FOLDER = resolve(import.meta.dirname, '..', '..', 'crds');

describe('the custom resource definitions', () => {
  it('are those that follow from the schemas: "npm run generate" writes them', () => {
    const stored = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]));
    expect([...stored.keys()].toSorted()).to.deep.equal([...definitionFiles().keys()].toSorted());
    for (const [name, text] of definitionFiles()) expect(stored.get(name), name).to.equal(text);
  });

  it('cover every kind, under short names of their own that begin with pl', () => {
    const names = [...definitionFiles().values()].map((text) => (parse(text) as Definition).spec.names);
    expect(names.map(({ kind }) => kind)).to.have.members(Object.keys(SCHEMAS));
    const short = names.flatMap(({ shortNames }) => shortNames);
    expect(new Set(short).size).to.equal(names.length);
    for (const name of short) expect(name).to.match(/^pl[a-z]+$/);
  });

  it('bound every text, list and map, so that the cost of rules is bounded', () => {
    for (const [file, text] of definitionFiles()) {
      const unbounded: string[] = [];
      visit((parse(text) as Definition).spec.versions[0]?.schema.openAPIV3Schema ?? null, '', unbounded);
      expect(unbounded, file).to.deep.equal([]);
    }
  });

  it('say of every field what it is for', () => {
    for (const [file, text] of definitionFiles()) {
      const schema = (parse(text) as Definition).spec.versions[0]?.schema.openAPIV3Schema;
      const spec = isObject(schema ?? null) ? (schema as { properties: { spec: JsonValue } }).properties.spec : null;
      const silent: string[] = [];
      visitFields(spec, 'spec', silent);
      expect(silent, file).to.deep.equal([]);
    }
  });
});

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string; readonly shortNames: readonly string[] };
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: JsonValue } }[];
  };
}

function visit(schema: JsonValue, path: string, unbounded: string[]): void {
  if (!isObject(schema)) return;
  const { type, maxLength, maxItems, maxProperties, additionalProperties, format } = schema;
  const closed = schema['enum'] !== undefined || format !== undefined;
  if (type === 'string' && maxLength === undefined && !closed && !/^\.(apiVersion|kind)$/.test(path))
    unbounded.push(path);
  if (type === 'array' && maxItems === undefined) unbounded.push(path);
  if (type === 'object' && additionalProperties !== undefined && maxProperties === undefined) unbounded.push(path);
  for (const [name, field] of Object.entries(
    isObject(schema['properties'] ?? null) ? (schema['properties'] ?? {}) : {},
  ))
    visit(field as JsonValue, `${path}.${name}`, unbounded);
  visit(schema['items'] ?? null, `${path}[]`, unbounded);
  visit(additionalProperties ?? null, `${path}.*`, unbounded);
}

function visitFields(schema: JsonValue, path: string, silent: string[]): void {
  if (!isObject(schema)) return;
  const { properties = null, items = null } = schema;
  for (const [name, field] of Object.entries(isObject(properties) ? properties : {})) {
    const described = isObject(field) && typeof field['description'] === 'string' && field['description'] !== '';
    if (!described) silent.push(`${path}.${name}`);
    visitFields(field, `${path}.${name}`, silent);
  }
  visitFields(items, `${path}[]`, silent);
}
