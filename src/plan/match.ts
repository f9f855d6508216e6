import { Matcher } from './matcher.ts';
import type { MatchInput, Matches } from './matches.ts';

/*
 * Who is who, strongest proof first (OWNERSHIP.md):
 *
 *   ledger's remote id, under the present name  >  … under a former one
 *     >  our marker (if two carry it: our deterministic id, else the oldest)  >  deterministic id
 *     >  an open create intent and one unowned object of that title  >  one object of that title that an owned object refers to
 *     >  adoption by title, where the Sync allows it
 *
 * Each object on the platform is given to one manifest at most; what the stronger proofs take, the weaker ones never see.
 * All but the ledger and the deterministic id argue that there is no other candidate, and so need a complete listing.
 */
export function match(input: MatchInput): Matches {
  const matcher = new Matcher(input);
  const objects = [...input.desired.values()];
  for (const prove of [
    matcher.byLedger,
    matcher.byFormerName,
    matcher.byMarker,
    matcher.byId,
    matcher.byIntent,
    matcher.byReference,
    matcher.byTitle,
  ]) {
    for (const desired of objects) if (!matcher.found.has(desired.key)) prove(desired);
  }
  for (const desired of objects) if (!matcher.found.has(desired.key)) matcher.give(desired, {});
  return matcher.matches();
}
