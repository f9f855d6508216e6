import type { JsonValue } from '../../manifest/manifest.ts';

/** Levels of nesting: what is read here is written and compared again by code that recurses. */
const DEEPEST = 32;

/** Why a body is not taken: `malformed` is no JSON, `unsafe` is JSON that two readers may understand differently. */
export class JsonRefused extends Error {
  readonly kind: 'malformed' | 'unsafe';

  constructor(kind: 'malformed' | 'unsafe', message: string) {
    super(message);
    this.name = 'JsonRefused';
    this.kind = kind;
  }
}

/**
 * Reads JSON that somebody else wrote, once it is known who. Keys that stand twice are refused, because readers differ in
 * which one counts; so are the names through which copying an object changes all others (prototype pollution).
 * @throws JsonRefused with a message that quotes nothing of the body
 */
export function readJson(bytes: Buffer): JsonValue {
  const text = textOf(bytes);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw new JsonRefused('malformed', 'The body is not JSON.');
  }
  checkNames(text);
  return value;
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonRefused('malformed', 'The body is not UTF-8 text.');
  }
}

interface Level {
  /** Undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The name whose value is being read. */
  name: string | undefined;
}

/** `text` has to be JSON: the string before a colon is a name then. One walk, no recursion. */
function checkNames(text: string): void {
  const levels: Level[] = [];
  let string = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      string = text.slice(at, end + 1);
      at = end;
    } else if (character === '{' || character === '[') {
      levels.push({ names: character === '{' ? new Set() : undefined, name: undefined });
      if (levels.length > DEEPEST) throw new JsonRefused('unsafe', `The body is nested deeper than ${DEEPEST} levels.`);
    } else if (character === '}' || character === ']') {
      levels.pop();
    } else if (character === ':') {
      addName(levels, string.includes('\\') ? (JSON.parse(string) as string) : string.slice(1, -1));
    }
  }
}

/** Index of the quotation mark that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function addName(levels: readonly Level[], name: string): void {
  const level = levels.at(-1);
  if (level?.names === undefined) return;
  if (level.names.has(name)) throw new JsonRefused('unsafe', 'A name stands twice in one object of the body.');
  const above = levels.at(-2);
  if (name === '__proto__' || (name === 'prototype' && above?.name === 'constructor'))
    throw new JsonRefused('unsafe', 'The body has a name that programs give a meaning of their own.');
  level.names.add(name);
  level.name = name;
}
