import type { Problem } from '../errors.ts';
import { formatOrigin } from '../errors.ts';
import type { Candidate } from './doc.ts';
import type { Key, OutputReference } from './manifest.ts';

type Candidates = Map<Key, Candidate>;

/** Those references of an object to outputs that another object of the same source, on the same Platform, answers. */
export function ownReferences(
  { outcome }: Candidate,
  candidates: ReadonlyMap<Key, unknown>,
  platform: string | undefined,
): readonly OutputReference[] {
  if (outcome.outputReferences.length === 0) return outcome.outputReferences;
  return outcome.outputReferences.filter((one) => candidates.has(one.key) && isHere(one, platform));
}

/** Whether a reference may mean an object on this Platform. */
export function isHere(reference: OutputReference, platform: string | undefined): boolean {
  return reference.platform === undefined || reference.platform === platform;
}

/** Objects whose outputs would have to be known before each other: a problem at each reference, with the other end. */
export function refuseCircles(candidates: Candidates, platform: string | undefined): Problem[] {
  const problems: Problem[] = [];
  for (const [key, candidate] of candidates) {
    for (const { key: target, text, origin } of ownReferences(candidate, candidates, platform)) {
      const back = wayBack(target, key, { candidates, platform });
      if (back === undefined) continue;
      const message =
        target === key
          ? `${key} refers to its own output "${text}".`
          : `${key} and ${target} refer to each other's outputs (${formatOrigin(back.origin)}), so that neither can come first.`;
      const remedy = 'Write one of the values out, or use a variable.';
      problems.push({ origin, message, remedy, severity: 'error', key });
    }
  }
  for (const { key } of problems) candidates.delete(key as Key);
  return problems;
}

/** The reference by which `from` leads to `to`, if it does. */
function wayBack(
  from: Key,
  to: Key,
  { candidates, platform }: { readonly candidates: Candidates; readonly platform: string | undefined },
): OutputReference | { readonly origin: Candidate['layers']['base']['origin'] } | undefined {
  const start = candidates.get(from);
  if (start === undefined) return undefined;
  if (from === to) return { origin: start.layers.base.origin };
  for (const first of ownReferences(start, candidates, platform)) {
    const seen = new Set<Key>([from]);
    const open = [first.key];
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (key === to) return first;
      const next = candidates.get(key);
      if (seen.has(key) || next === undefined) continue;
      seen.add(key);
      for (const one of ownReferences(next, candidates, platform)) open.push(one.key);
    }
  }
  return undefined;
}
