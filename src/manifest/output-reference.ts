import type { Origin } from '../errors.ts';
import { KINDS } from './manifest.ts';
import type { JsonValue, Key, Kind, OutputReference } from './manifest.ts';
import { didYouMean } from './suggest.ts';

/** A reference as it was found in a text, before it is known whether anything uses it. */
export interface LocatedReference {
  readonly text: string;
  readonly origin: Origin;
}

/*
 * What stands in a manifest until the value is known: the reference between two of Unicode's noncharacters, which no text for
 * people holds. So `$${ref:…}`, and a variable whose value looks like a reference, stay the plain texts that they are.
 */
const OPEN = '\uFDD0';
const CLOSE = '\uFDD1';
const MARKED = new RegExp(`${OPEN}([^${OPEN}${CLOSE}]*)${CLOSE}`, 'g');
const SYNTAX = /^([A-Za-z]+)\/([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:@([a-z0-9](?:[a-z0-9-]*[a-z0-9])?))?\.(.+)$/;
const FORM = 'Write ${ref:Kind/name.output}, or ${ref:Kind/name@platform.output}.';

/** Fields of spec in which a reference may stand, by kind. None of them says what an object is, or whose. */
export const MAY_REFER: Readonly<Record<Kind, readonly string[]>> = {
  Application: [],
  AccessRole: [],
  Integration: ['settings'],
  Workflow: ['definition'],
  AccessGrant: [],
  Webhook: ['url'],
  ServiceLevel: [],
};

/** A reference in a text, marked so that its value can be put there later. */
export function marked(text: string): string {
  return `${OPEN}${text}${CLOSE}`;
}

/** What is wrong with the text of a reference; undefined when nothing is. */
export function referenceFlaw(text: string): { readonly message: string; readonly remedy: string } | undefined {
  const parts = SYNTAX.exec(text);
  if (parts === null) return { message: `"ref:${text}" is not a reference to an object's output`, remedy: FORM };
  const [, kind = ''] = parts;
  if ((KINDS as readonly string[]).includes(kind)) return undefined;
  return {
    message: `"ref:${text}" refers to the unknown kind "${kind}"`,
    remedy: didYouMean(kind, KINDS, `Kinds are ${KINDS.join(', ')}.`),
  };
}

/** The parts of a reference that has no flaw. */
export function referenceOf({ text, origin }: LocatedReference): OutputReference {
  const [, kind = '', name = '', platform, output = ''] = SYNTAX.exec(text) ?? [];
  const key = `${kind}/${name}` as Key;
  return { key, output, text, origin, ...(platform === undefined ? {} : { platform }) };
}

/** Texts of the references that are marked somewhere in a value, each once. */
export function markedIn(value: JsonValue | undefined): readonly string[] {
  const found = new Set<string>();
  const walk = (inner: JsonValue | undefined): void => {
    if (typeof inner === 'string') {
      if (inner.includes(OPEN)) for (const [, text = ''] of inner.matchAll(MARKED)) found.add(text);
    } else if (inner !== null && typeof inner === 'object') Object.values(inner).forEach(walk);
  };
  walk(value);
  return [...found];
}

/** A value with the values of references in place of their marks; marks without a value are left. */
export function withValues<Value extends JsonValue>(value: Value, values: ReadonlyMap<string, string>): Value {
  const walk = (inner: JsonValue): JsonValue => {
    if (typeof inner === 'string') return inner.includes(OPEN) ? fill(inner) : inner;
    if (inner === null || typeof inner !== 'object') return inner;
    if (Array.isArray(inner)) return inner.map(walk);
    return Object.fromEntries(Object.entries(inner).map(([name, item]) => [name, walk(item)]));
  };
  const fill = (text: string): string =>
    text.replaceAll(MARKED, (whole: string, reference: string) => values.get(reference) ?? whole);
  return values.size === 0 ? value : (walk(value) as Value);
}

/** An output: a text, or what stands before and after the platform's id of the object. */
export type OutputValue = string | readonly [before: string, after: string];
export type Outputs = Readonly<Record<string, OutputValue>>;

/** Outputs by name, each with what it is; `name.*` stands for one per entry of the object. */
export type OutputNames = Readonly<Partial<Record<Kind, Readonly<Record<string, string>>>>>;

/** What is wrong with the name of an output, whatever the object is; undefined when its kind has it. */
export function unknownOutput(
  { key, output }: OutputReference,
  names: OutputNames,
): { readonly message: string; readonly remedy: string } | undefined {
  const kind = key.slice(0, key.indexOf('/')) as Kind;
  const known = Object.keys(names[kind] ?? {});
  if (known.some((name) => name === output || (name.endsWith('*') && output.startsWith(name.slice(0, -1)))))
    return undefined;
  if (known.length === 0)
    return { message: `a ${kind} has no outputs on this platform`, remedy: 'Write the value out, or use a variable.' };
  return {
    message: `a ${kind} has no output "${output}"`,
    remedy: didYouMean(output, known, `Its outputs are ${known.join(', ')}.`),
  };
}
