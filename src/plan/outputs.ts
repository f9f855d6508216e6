import type { Outputs, OutputValue } from '../manifest/output-reference.ts';
import type { DesiredObject, Owned } from './types.ts';

/** The text of an output; undefined when it takes an id that is not known. */
export function outputText(value: OutputValue, remote: string | undefined): string | undefined {
  if (typeof value === 'string') return value;
  const [before, after] = value;
  return remote === undefined ? undefined : `${before}${remote}${after}`;
}

/** Outputs as they are of the object with that id. */
export function outputsOf(outputs: Outputs | undefined, remote: string): Pick<Owned, 'outputs'> {
  if (outputs === undefined) return {};
  const texts = Object.entries(outputs).map(([name, value]) => [name, outputText(value, remote) ?? ''] as const);
  return { outputs: Object.fromEntries(texts) };
}

/** Whether the ledger knows other outputs of an object than it is to have; never of one that it knows none of. */
export function outputsDiffer({ outputs }: DesiredObject, owned: Owned | undefined): boolean {
  if (owned?.outputs === undefined) return false;
  return !sameOutputs(owned.outputs, outputsOf(outputs, owned.remote).outputs);
}

export function sameOutputs(one: Owned['outputs'], other: Owned['outputs']): boolean {
  if (one === undefined || other === undefined) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}
