import { isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, visit } from 'yaml';
import type { Document, ParsedNode, Scalar, YAMLError, YAMLMap } from 'yaml';
import type { Limits } from './limits.ts';
import type { JsonValue } from './manifest.ts';
import type { Place } from './places.ts';
import { TextLines } from './text-position.ts';
import { readWrittenJson } from './written-json.ts';

/** Something wrong in a text, before it is known which object it concerns. */
export interface Fault {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy: string;
  /** The text is broken beyond this document: what follows may have been swallowed. */
  readonly structural?: true;
}

/** One document of a YAML or JSON text as plain JSON, with the place of every value. */
export interface Tree {
  /** Undefined for an empty document. */
  readonly value: JsonValue | undefined;
  /** By JSON pointer. Nothing below `/spec/definition`, which may be large and has no place-bound problems. */
  readonly places: ReadonlyMap<string, Place>;
  readonly faults: readonly Fault[];
  readonly start: { readonly line: number; readonly column: number };
  /** Offsets of the document in the text. */
  readonly range: readonly [number, number];
}

/** Faults shown per document; a text full of garbage does not need a thousand. */
const MAX_FAULTS = 20;
const OPAQUE = '/spec/definition';

/**
 * Parses YAML 1.2 (and so JSON) text into plain JSON. Stricter than YAML: duplicate names, names that are not texts,
 * unknown tags, numbers that JSON cannot hold exactly, and the name `__proto__` are faults. Merge keys (`<<`) work.
 * Never throws; whatever is wrong is in `faults`.
 */
export function parseTrees(text: string, limits: Limits): readonly Tree[] {
  const written = readWrittenJson(text, OPAQUE, limits);
  if (written === undefined) return parseYaml(text, limits);
  return [{ ...written, faults: [], start: { line: 1, column: 1 }, range: [0, text.length] }];
}

/** As `parseTrees`, without the short way for JSON as custom resources come. */
export function parseYaml(text: string, limits: Limits): readonly Tree[] {
  const lines = new TextLines(text);
  let documents: readonly Document.Parsed[];
  try {
    // Comparing all names with each other is quadratic in the parser: the converter does it with a set.
    const parsed = parseAllDocuments(text, {
      prettyErrors: false,
      uniqueKeys: false,
      stringKeys: true,
      resolveKnownTags: false,
      logLevel: 'silent',
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    const message = `cannot be parsed: ${error instanceof Error ? error.message : String(error)}`;
    const fault: Fault = { line: 1, column: 1, message, remedy: 'Make the text simpler.', structural: true };
    return [
      { value: undefined, places: new Map(), faults: [fault], start: { line: 1, column: 1 }, range: [0, text.length] },
    ];
  }
  return documents.slice(0, limits.maxDocuments + 1).map((document, index) => {
    if (index < limits.maxDocuments) return new Converter(document, lines, limits).tree();
    const start = lines.at(document.range[0]);
    const message = `holds ${documents.length} documents, more than the ${limits.maxDocuments} of one file`;
    const fault: Fault = { ...start, message, remedy: 'Split the file.', structural: true };
    return { value: undefined, places: new Map(), faults: [fault], start, range: [document.range[0], text.length] };
  });
}

/** Thrown inside the converter to leave a document that is over a limit. */
class OverLimit extends Error {}

class Converter {
  readonly #document: Document.Parsed;
  readonly #lines: TextLines;
  readonly #limits: Limits;
  readonly #places = new Map<string, Place>();
  readonly #faults: Fault[] = [];
  #nodes = 0;

  constructor(document: Document.Parsed, lines: TextLines, limits: Limits) {
    this.#document = document;
    this.#lines = lines;
    this.#limits = limits;
  }

  tree(): Tree {
    const { contents, errors, warnings, range } = this.#document;
    for (const error of [...errors, ...warnings]) if (this.#syntax(error) === 'swallows') break;
    const first = contents === null ? range[0] : contents.range[0];
    const start = this.#lines.at(first);
    let value: JsonValue | undefined;
    const structural = this.#faults.some((fault) => fault.structural === true);
    try {
      if (contents !== null && !isEmpty(contents)) {
        const place = { ...start, keyLine: start.line, keyColumn: start.column };
        this.#places.set('', place);
        value = this.#convert(contents, '', 0);
      }
    } catch (error) {
      if (!(error instanceof OverLimit)) throw error;
      value = undefined;
    }
    // What a broken document seems to hold is only used to tell which object it concerns.
    const faults = structural ? this.#faults.filter((fault) => fault.structural === true) : this.#faults;
    return { value, places: this.#places, faults: faults.slice(0, MAX_FAULTS), start, range: [range[0], range[2]] };
  }

  /** Notes an error; one that `swallows` the text behind it makes what else the parser says about that text worthless. */
  #syntax(error: YAMLError): 'swallows' | undefined {
    const quote = error.code === 'MISSING_CHAR' ? this.#openQuote(error.pos[0]) : undefined;
    if (quote !== undefined) {
      const message = 'is not valid YAML: the quote that opens here is not closed';
      const remedy = 'Close it, or escape it where it belongs to the text.';
      this.#faults.push({ ...this.#lines.at(quote), message, remedy, structural: true });
      return 'swallows';
    }
    const structural = !(
      error.code === 'TAG_RESOLVE_FAILED' ||
      error.code === 'NON_STRING_KEY' ||
      error.code === 'BAD_ALIAS'
    );
    const deep = error.code === 'RESOURCE_EXHAUSTION';
    this.#faults.push({
      ...this.#lines.at(error.pos[0]),
      message: deep ? 'is nested too deeply' : `is not valid YAML: ${error.message.split('\n')[0] ?? ''}`,
      remedy: REMEDIES[error.code] ?? 'Correct the syntax here.',
      ...(structural ? { structural: true } : {}),
    });
    return undefined;
  }

  /** Where the quoted text begins that ends at this offset; the parser misses the closing quote where it gives up looking for it. */
  #openQuote(end: number): number | undefined {
    let found: number | undefined;
    visit(this.#document, {
      Scalar: (_key, { type, range }) => {
        const isQuoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE';
        if (!isQuoted || range?.[1] !== end) return undefined;
        found = range[0];
        return visit.BREAK;
      },
    });
    return found;
  }

  #fault(offset: number, message: string, remedy: string): void {
    this.#faults.push({ ...this.#lines.at(offset), message, remedy });
  }

  #convert(node: ParsedNode | null, pointer: string, depth: number): JsonValue {
    const offset = node?.range[0] ?? 0;
    this.#nodes += 1;
    if (this.#nodes > this.#limits.maxNodes) {
      this.#fault(
        offset,
        `holds more than ${this.#limits.maxNodes} values`,
        'Split the document, and use fewer aliases.',
      );
      throw new OverLimit();
    }
    if (depth > this.#limits.maxDepth) {
      this.#fault(offset, `is nested more than ${this.#limits.maxDepth} levels deep`, 'Make the structure flatter.');
      throw new OverLimit();
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document) as ParsedNode | undefined;
      if (target === undefined) {
        this.#fault(
          offset,
          `refers to the anchor "${node.source}", which is not defined before`,
          'Define the anchor, or write the value.',
        );
        return null;
      }
      return this.#convert(target, pointer, depth + 1);
    }
    if (isMap(node)) return this.#map(node, pointer, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) => this.#child(item, undefined, `${pointer}/${index}`, depth));
    }
    return isScalar(node) ? this.#scalar(node) : null;
  }

  #child(node: ParsedNode | null, key: Scalar.Parsed | undefined, pointer: string, depth: number): JsonValue {
    if (!pointer.startsWith(`${OPAQUE}/`)) {
      const name = key === undefined ? undefined : this.#lines.at(key.range[0]);
      const value = node === null ? name : this.#lines.at(node.range[0]);
      if (value !== undefined) {
        const own = name ?? value;
        this.#places.set(pointer, { ...value, keyLine: own.line, keyColumn: own.column });
      }
    }
    return this.#convert(node, pointer, depth + 1);
  }

  #map(map: YAMLMap.Parsed, pointer: string, depth: number): JsonValue {
    const result: Record<string, JsonValue> = {};
    const merged: (ParsedNode | null)[] = [];
    for (const pair of map.items) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const key = pair.key;
      const name = String(key.value);
      if (name === '<<' && key.type === 'PLAIN') {
        merged.push(pair.value);
        continue;
      }
      if (name === '__proto__') {
        this.#fault(key.range[0], 'the name "__proto__" is not allowed', 'Use another name.');
        continue;
      }
      if (Object.hasOwn(result, name)) {
        this.#fault(key.range[0], `"${name}" is given twice`, 'Remove one of the two.');
        continue;
      }
      result[name] = this.#child(pair.value, key, `${pointer}/${escape(name)}`, depth);
    }
    for (const node of merged) this.#merge(node, result, pointer, depth);
    return result;
  }

  /** `<<: *anchor` or `<<: [*one, *two]`: names that are not given here come from there; earlier ones win. */
  #merge(node: ParsedNode | null, into: Record<string, JsonValue>, pointer: string, depth: number): void {
    const target = isAlias(node) ? (node.resolve(this.#document) as ParsedNode | undefined) : node;
    if (isSeq(target) && depth < this.#limits.maxDepth) {
      for (const item of target.items) this.#merge(item, into, pointer, depth + 1);
    } else if (isMap(target)) {
      const kept = new Map(this.#places);
      const values = this.#convert(target, pointer, depth + 1) as Readonly<Record<string, JsonValue>>;
      for (const [name, place] of kept) this.#places.set(name, place);
      for (const [name, value] of Object.entries(values)) if (!Object.hasOwn(into, name)) into[name] = value;
    } else {
      this.#fault(node?.range[0] ?? 0, 'a merge key (<<) needs a mapping', 'Refer to the anchor of a mapping.');
    }
  }

  #scalar(node: Scalar.Parsed): JsonValue {
    const { value, source } = node;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) {
        this.#fault(
          node.range[0],
          `${source} is not a number that JSON can hold`,
          'Write a finite number, or quote it.',
        );
        return null;
      }
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        this.#fault(node.range[0], `${source} is too large to be exact`, 'Put it in quotes.');
        return null;
      }
    }
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return value;
    this.#fault(node.range[0], 'is not a JSON value', 'Put it in quotes.');
    return null;
  }
}

function escape(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isEmpty(node: ParsedNode): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}

const REMEDIES: Readonly<Record<string, string>> = {
  BAD_INDENT: 'Check the indentation of this line and the lines above it.',
  TAB_AS_INDENT: 'Indent with spaces.',
  BLOCK_AS_IMPLICIT_KEY: 'Put the value in quotes when it holds ": ", or begin a new line.',
  MISSING_CHAR: 'Check that every quote and bracket is closed.',
  MULTILINE_IMPLICIT_KEY: 'Check for a missing ":" or quote above.',
  TAG_RESOLVE_FAILED: 'Remove the tag.',
  NON_STRING_KEY: 'Write the name as plain text; quote it when it holds special characters.',
  BAD_ALIAS: 'Define the anchor before it is used, or write the value.',
  RESOURCE_EXHAUSTION: 'Make the structure flatter.',
};
