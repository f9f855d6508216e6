import type { Key, Kind } from '../manifest/manifest.ts';
import type { Reason } from './match-reasons.ts';
import type { Observation } from './observation.ts';
import type { Terms } from './terms.ts';
import type { DesiredObject, LedgerView, Notice, Observed, Owned } from './types.ts';

/** Which object on the platform a manifest means, and why that is believed. */
export interface Match {
  readonly desired: DesiredObject;
  /** What the ledger knows, under the present or a former name. */
  readonly owned?: Owned;
  /** Absent: nothing on the platform is it. */
  readonly observed?: Observed;
  /** `title` and `owner` are adoptions; everything else is ours already. */
  readonly by?: 'ledger' | 'marker' | 'id' | 'intent' | 'reference' | 'title' | 'owner';
  /** Fingerprint that Plumbline last wrote or meant to write, as far as ledger, open intent or marker tell. */
  readonly applied?: string;
  /** Its key before a rename. */
  readonly from?: Key;
  /** Several objects may be it, or somebody else's is: nothing is done. */
  readonly blocked?: Reason;
}

export interface Matches {
  readonly of: ReadonlyMap<Key, Match>;
  /** Objects on the platform that no manifest means. */
  readonly others: readonly Observed[];
  readonly notices: readonly Notice[];
}

export interface MatchInput {
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly observation: Observation;
  readonly ledger: LedgerView;
  readonly terms: Terms;
  /** Kinds whose objects carry a marker from their creation on: one without it was not made by Plumbline. */
  readonly marks?: readonly Kind[];
  idFor(key: Key): string | undefined;
}
