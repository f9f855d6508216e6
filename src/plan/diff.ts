import { createTwoFilesPatch } from 'diff';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import { canonicalJson } from '../manifest/canonical.ts';
import { isObject } from '../manifest/pointer.ts';
import { identityOf } from './fingerprint.ts';
import { MASK, isSecretPath, masked, maskedText, type Redact } from './mask.ts';
import type { FieldDiff } from './types.ts';

const MOST_FIELDS = 100;
const LONG_TEXT = 160;
const LONGEST_TEXT = 4_000;
const LONGEST_VALUE = 400;

/** The fields in which two contents differ, at most 100 of them, and how many more there are. */
export interface Differences {
  readonly diff: readonly FieldDiff[];
  readonly more: number;
}

/**
 * Compares two normal forms field by field. Empty exactly when their canonical texts are equal, so that an update can
 * never have an empty difference. `redact` replaces secrets that are known by value, before anything is cut to size.
 */
export function differences(before: JsonValue, after: JsonValue, redact: Redact = (text) => text): Differences {
  const found: FieldDiff[] = [];
  let more = 0;
  walk(before, after, '', (path, from, to) => {
    if (found.length < MOST_FIELDS) found.push(field(path, { from, to, redact }));
    else more += 1;
  });
  return { diff: found, more };
}

type Report = (path: string, before: JsonValue | undefined, after: JsonValue | undefined) => void;

function walk(before: JsonValue | undefined, after: JsonValue | undefined, path: string, report: Report): void {
  if (before === after) return;
  if (isList(before) && isList(after)) return walkLists(before, after, path, report);
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const name of [...names].sort()) {
      walk(own(before, name), own(after, name), `${path}/${escape(name)}`, report);
    }
    return;
  }
  if (before === undefined || after === undefined || canonicalJson(before) !== canonicalJson(after))
    report(path, before, after);
}

function walkLists(before: readonly JsonValue[], after: readonly JsonValue[], path: string, report: Report): void {
  const from = byIdentity(before);
  const to = byIdentity(after);
  if (from === undefined || to === undefined) {
    const length = Math.max(before.length, after.length);
    for (let index = 0; index < length; index += 1) walk(before[index], after[index], `${path}/${index}`, report);
    return;
  }
  for (const identity of new Set([...from.keys(), ...to.keys()])) {
    walk(from.get(identity), to.get(identity), `${path}/${escape(identity)}`, report);
  }
  const orderBefore = [...from.keys()].filter((identity) => to.has(identity));
  const orderAfter = [...to.keys()].filter((identity) => from.has(identity));
  if (orderBefore.some((identity, index) => identity !== orderAfter[index])) {
    report(`${path}/(order)`, orderBefore, orderAfter);
  }
}

function byIdentity(list: readonly JsonValue[]): Map<string, JsonValue> | undefined {
  const elements = new Map<string, JsonValue>();
  for (const element of list) {
    const identity = identityOf(element);
    if (identity === undefined || elements.has(identity)) return undefined;
    elements.set(identity, element);
  }
  return elements;
}

function field(
  path: string,
  what: { from: JsonValue | undefined; to: JsonValue | undefined; redact: Redact },
): FieldDiff {
  const { from, to, redact } = what;
  if (isSecretPath(path)) {
    return {
      path,
      masked: true,
      ...(from === undefined ? {} : { before: MASK }),
      ...(to === undefined ? {} : { after: MASK }),
    };
  }
  if (typeof from === 'string' && typeof to === 'string' && Math.max(from.length, to.length) > LONG_TEXT) {
    return { path, text: unified(maskedText(from, redact), maskedText(to, redact)) };
  }
  return {
    path,
    ...(from === undefined ? {} : { before: shown(from, redact) }),
    ...(to === undefined ? {} : { after: shown(to, redact) }),
  };
}

function unified(before: string, after: string): string {
  const patch = createTwoFilesPatch('before', 'after', before, after, '', '', { context: 2, timeout: 200 });
  if (patch === undefined) return `(${before.length} characters before, ${after.length} after; too different to show)`;
  const text = patch.split('\n').slice(3).join('\n');
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}\n(cut)` : text;
}

/** A value small enough to print, with what is secret in it masked. */
function shown(value: JsonValue, redact: Redact): JsonValue {
  const safe = masked(value, redact);
  const text = typeof safe === 'string' ? safe : JSON.stringify(safe);
  return text.length <= LONGEST_VALUE ? safe : `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)`;
}

function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function escape(segment: string): string {
  return segment.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
