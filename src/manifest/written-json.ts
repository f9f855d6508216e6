import type { Limits } from './limits.ts';
import type { JsonValue } from './manifest.ts';
import type { Place } from './places.ts';
import { isObject, pointerOf } from './pointer.ts';

/** A text that `JSON.stringify(value, undefined, 2)` wrote: its value, and the place of each in it. */
export interface WrittenJson {
  readonly value: JsonValue;
  readonly places: ReadonlyMap<string, Place>;
}

/**
 * Reads a text that is JSON exactly as `JSON.stringify` writes it with an indentation of two, as custom resources are handed on. Where each value stands
 * follows from that, so that nothing has to be parsed twice; it is what the YAML parser comes to, in a tenth of the time. `opaque` is the
 * pointer below which no places are wanted.
 * @returns undefined for any other text, and for one that has something to be told of: the YAML parser says what and where
 */
export function readWrittenJson(text: string, opaque: string, limits: Limits): WrittenJson | undefined {
  if (!text.startsWith('{\n') || text.includes('"__proto__"') || text.includes('\\ud')) return undefined;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  // A name that is given twice, and a number that JSON cannot hold, come out otherwise.
  if (JSON.stringify(value, undefined, 2) !== text) return undefined;
  const walk = new Walk(opaque, limits);
  return walk.visit(value, '', 0) ? { value, places: walk.places } : undefined;
}

/** Follows a value in the order in which it is written, and counts lines. */
class Walk {
  readonly places = new Map<string, Place>();
  readonly #opaque: string;
  readonly #limits: Limits;
  #line = 1;
  #nodes = 0;

  constructor(opaque: string, limits: Limits) {
    this.#opaque = opaque;
    this.#limits = limits;
    this.places.set('', { line: 1, column: 1, keyLine: 1, keyColumn: 1 });
  }

  /** @returns whether nothing of it is to be told of */
  visit(value: JsonValue, pointer: string, depth: number): boolean {
    this.#nodes += 1;
    if (this.#nodes > this.#limits.maxNodes || depth > this.#limits.maxDepth) return false;
    if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
    if (Array.isArray(value)) {
      return this.#lines(value, ([index, one]) => this.#child(one, `${pointer}/${index}`, depth, ''));
    }
    if (!isObject(value)) return true;
    return this.#lines(Object.entries(value), ([, [name, one]]) =>
      this.#child(one, `${pointer}${pointerOf([name])}`, depth, `${JSON.stringify(name)}: `),
    );
  }

  /** Each stands on lines of its own, and the bracket behind them, too; nothing is written on one line with both. */
  #lines<T>(items: readonly T[], child: (item: [number, T]) => boolean): boolean {
    for (const item of items.entries()) {
      this.#line += 1;
      if (!child(item)) return false;
    }
    if (items.length > 0) this.#line += 1;
    return true;
  }

  #child(value: JsonValue, pointer: string, depth: number, name: string): boolean {
    if (!pointer.startsWith(`${this.#opaque}/`)) {
      const keyColumn = 2 * (depth + 1) + 1;
      this.places.set(pointer, { line: this.#line, column: keyColumn + name.length, keyLine: this.#line, keyColumn });
    }
    return this.visit(value, pointer, depth + 1);
  }
}
