import { namesCredential, redactCredentials } from './credentials.ts';
import { formsOf, SHORTEST } from './forms.ts';
import { Needles } from './needles.ts';
import { HiddenValue, PLACEHOLDER } from './value.ts';

/** Values that are remembered; beyond it the one not used for longest goes. */
const MOST_VALUES = 10_000;
/** Bounds of one structured value: a log entry is no place for a whole definition. */
const DEEPEST = 12;
const MOST_ITEMS = 5000;

/** Keeps secrets out of texts: every value it was told of, in every form, and whatever looks like a credential. */
export class Redactor {
  readonly #forms = new Map<string, readonly string[]>();
  readonly #needles = new Needles();
  readonly #most: number;

  constructor(most: number = MOST_VALUES) {
    this.#most = most;
  }

  /** Remembers a value of at least four characters; shorter ones would blacken innocent text. */
  add(value: string): void {
    if (value.length < SHORTEST) return;
    const known = this.#forms.get(value);
    this.#forms.delete(value);
    this.#forms.set(value, known ?? this.#file(value));
    if (this.#forms.size > this.#most) this.#dropOldest();
  }

  redact(text: string): string {
    return redactCredentials(this.#needles.replace(text, PLACEHOLDER));
  }

  /** A copy as plain data: errors with their causes, maps and sets opened, bytes counted, cycles and depth cut. */
  redactDeep(value: unknown): unknown {
    return this.#walk(value, { above: new Set(), left: { items: MOST_ITEMS } });
  }

  #file(value: string): readonly string[] {
    const forms = formsOf(value);
    for (const form of forms) this.#needles.add(form);
    return forms;
  }

  #dropOldest(): void {
    for (const [value, forms] of this.#forms) {
      for (const form of forms) this.#needles.remove(form);
      this.#forms.delete(value);
      return;
    }
  }

  #walk(value: unknown, place: Place): unknown {
    if (typeof value === 'string') return this.redact(value);
    if (value === null || value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'number') return this.redact(String(value)) === String(value) ? value : PLACEHOLDER;
    if (typeof value === 'bigint' || typeof value === 'symbol') return this.redact(value.toString());
    if (typeof value !== 'object') return '[function]';
    if (value instanceof HiddenValue) return PLACEHOLDER;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (place.above.has(value)) return '[circular]';
    if (place.above.size >= DEEPEST || place.left.items <= 0) return '[cut]';
    return this.#open(value, { ...place, above: new Set(place.above).add(value) });
  }

  #open(value: object, place: Place): unknown {
    if (Array.isArray(value) || value instanceof Set) return this.#list(value, place);
    if (value instanceof Map) return this.#entries(value, place);
    if (value instanceof Error) return this.#entries(errorFields(value), place);
    const own = plainForm(value);
    if (own !== value) return this.#walk(own, place);
    return this.#entries(fieldsOf(value), place);
  }

  #list(values: Iterable<unknown>, place: Place): unknown[] {
    const list: unknown[] = [];
    for (const value of values) {
      if (place.left.items-- <= 0) return [...list, '[cut]'];
      list.push(this.#walk(value, place));
    }
    return list;
  }

  #entries(entries: Iterable<readonly [unknown, unknown]>, place: Place): object {
    const result: [string, unknown][] = [];
    for (const [key, value] of entries) {
      if (place.left.items-- <= 0) return Object.fromEntries([...result, ['[cut]', true]]);
      const name = typeof key === 'string' ? key : String(this.#walk(key, place));
      const shown = namesCredential(name) && isText(value) ? PLACEHOLDER : this.#walk(value, place);
      result.push([this.redact(name), shown]);
    }
    return Object.fromEntries(result);
  }
}

interface Place {
  /** The objects on the way down to here. */
  readonly above: ReadonlySet<object>;
  readonly left: { items: number };
}

function isText(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}

/** What an object gives for itself (dates, URLs, anything with `toJSON`); the object itself when it has no such form. */
function plainForm(value: object): unknown {
  if (!('toJSON' in value) || typeof value.toJSON !== 'function') return value;
  try {
    return (value.toJSON as () => unknown)();
  } catch {
    return '[unreadable]';
  }
}

function fieldsOf(value: object): readonly (readonly [string, unknown])[] {
  return Object.keys(value).map((key) => [key, fieldOf(value, key)] as const);
}

function errorFields(error: Error): readonly (readonly [string, unknown])[] {
  const names = new Set(['name', 'message', 'stack', ...Object.keys(error), 'cause', 'errors']);
  return [...names].filter((name) => name in error).map((name) => [name, fieldOf(error, name)] as const);
}

function fieldOf(value: object, key: string): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return '[unreadable]';
  }
}
