import { hash } from 'node:crypto';
import type { Problem } from '../errors.ts';
import type { Driver } from '../drivers/driver.ts';
import type { Key, Manifest, OutputReference } from '../manifest/manifest.ts';
import { unknownOutput } from '../manifest/output-reference.ts';
import { didYouMean } from '../manifest/suggest.ts';
import type { Reason } from '../plan/match-reasons.ts';
import { outputText } from '../plan/outputs.ts';
import type { DesiredObject } from '../plan/types.ts';
import type { PassMemory } from './memory.ts';

/** What came of looking for an output. */
export type Resolution =
  | { readonly state: 'known'; readonly value: string }
  /** It will be known: nothing is wrong. */
  | { readonly state: 'waits'; readonly because: string; readonly remedy: string }
  | { readonly state: 'refused'; readonly message: string; readonly remedy: string };

/** Objects of other Syncs, and of this one on other Platforms. */
export interface OtherObjects {
  /** The output for an object of this pass; who asked is remembered, and woken when the answer changes. */
  resolve(from: Manifest, reference: OutputReference): Resolution;
  /** Takes note of a reference between two objects of this pass, and of what it came to. */
  note(from: Manifest, reference: OutputReference, answer: Resolution): void;
  /** Whether the answer is another one than the last time. */
  changed(from: Key, reference: OutputReference): boolean;
}

/** Nobody else is there to be asked. */
export const NO_OTHERS: OtherObjects = {
  resolve: ({ key }, { key: target }) => ({
    state: 'refused',
    message: `${key} refers to ${target}, which is not in the source`,
    remedy: `Add ${target} to the source, or correct the name.`,
  }),
  note: () => undefined,
  changed: () => false,
};

/** Values by the text of the reference. */
export type Values = ReadonlyMap<string, string>;
export const NO_VALUES: Values = new Map();

export interface Resolving {
  readonly driver: Pick<Driver, 'outputs'>;
  readonly platform: string;
  readonly others: OtherObjects;
  readonly memory: PassMemory;
  /** Objects of this pass as far as they are known by now. */
  readonly objects: ReadonlyMap<Key, DesiredObject>;
  /** Keys of this pass whose content could not be had. */
  readonly unknown: ReadonlySet<Key>;
  /** The platform's id of an object that is owned. */
  readonly remoteOf: (key: Key) => string | undefined;
}

export interface Resolved {
  readonly values: Values;
  readonly waits?: Reason;
  readonly problems: readonly Problem[];
}

/** What the references of one manifest come to: values, why it has to wait, or what is wrong with them. */
export function resolveReferences(manifest: Manifest, resolving: Resolving): Resolved {
  const { outputReferences } = manifest;
  if (outputReferences.length === 0) return { values: NO_VALUES, problems: [] };
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  let waits: Reason | undefined;
  for (const reference of outputReferences) {
    const found = isOwn(manifest, reference, resolving.platform)
      ? noted(manifest, reference, resolving)
      : resolving.others.resolve(manifest, reference);
    if (found.state === 'known') values.set(reference.text, found.value);
    else if (found.state === 'waits')
      waits ??= { code: 'dependency', because: `${manifest.key} waits: ${found.because}.`, remedy: found.remedy };
    else {
      const message = `"\${ref:${reference.text}}": ${found.message}.`;
      problems.push({
        origin: reference.origin,
        message,
        remedy: found.remedy,
        severity: 'error',
        key: manifest.key,
      });
    }
  }
  return { values, problems, ...(waits === undefined ? {} : { waits }) };
}

/** Whether a reference means an object of the same source on the same Platform. */
export function isOwn(manifest: Manifest, { key, platform }: OutputReference, own: string): boolean {
  return manifest.dependsOn.includes(key) && (platform === undefined || platform === own);
}

/** One word for values: other values, another word. */
export function wordOf(values: Values): string {
  return values.size === 0 ? '' : hash('sha256', JSON.stringify([...values]), 'base64');
}

function noted(manifest: Manifest, reference: OutputReference, resolving: Resolving): Resolution {
  const found = ownOutput(reference, resolving);
  resolving.others.note(manifest, reference, found);
  return found;
}

function ownOutput(reference: OutputReference, resolving: Resolving): Resolution {
  const { driver, memory, objects, unknown, remoteOf } = resolving;
  const { key } = reference;
  const flaw = unknownOutput(reference, driver.outputs ?? {});
  if (flaw !== undefined) return { state: 'refused', ...flaw };
  const outputs = memory.normal.get(key)?.outputs;
  if (unknown.has(key) || objects.get(key)?.waits !== undefined || outputs === undefined) {
    return {
      state: 'waits',
      because: `${key}, whose output it uses, waits itself or has a problem`,
      remedy: `See what is said of ${key}; this one follows by itself.`,
    };
  }
  const value = outputs[reference.output];
  if (value === undefined) return { state: 'refused', ...missingOutput(reference, Object.keys(outputs)) };
  const text = outputText(value, remoteOf(key));
  if (text !== undefined) return { state: 'known', value: text };
  return {
    state: 'waits',
    because: `${key} is not on the platform yet, which gives it its id`,
    remedy: 'Nothing to do: it follows as soon as that one stands.',
  };
}

/** What is wrong with a reference to an output that its kind has, but not this object. */
export function missingOutput(
  { key, output }: OutputReference,
  has: readonly string[],
): { readonly message: string; readonly remedy: string } {
  const otherwise = `It has ${has.join(', ')}.`;
  const parts = has.filter((name) => name.startsWith(`${output}.`));
  if (parts.length > 0)
    return { message: `${key} has several of "${output}"`, remedy: `Name one of ${parts.join(', ')}.` };
  return { message: `${key} has no "${output}" as it stands in git`, remedy: didYouMean(output, has, otherwise) };
}
