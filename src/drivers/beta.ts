import { didYouMean } from '../manifest/suggest.ts';
import type { DriverDefinition } from './driver.ts';

/** What is wrong with a wish for beta features, for its author; undefined when the driver knows all of them. */
export function betaFault(
  { name, beta = [] }: Pick<DriverDefinition, 'name' | 'beta'>,
  wanted: readonly string[],
): { readonly at: number; readonly message: string; readonly remedy: string } | undefined {
  const at = wanted.findIndex((one) => !beta.includes(one));
  const unknown = wanted[at];
  if (unknown === undefined) return undefined;
  const message = `the driver ${name} uses no beta feature "${unknown}".`;
  const others = beta.length === 0 ? 'Remove it; it uses none.' : `Use ${beta.join(' or ')}, or remove it.`;
  return { at, message, remedy: didYouMean(unknown, beta, others) };
}
