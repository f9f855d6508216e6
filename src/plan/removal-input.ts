import type { Key, Kind } from '../manifest/manifest.ts';
import type { Matches } from './matches.ts';
import type { Observation } from './observation.ts';
import type { Capabilities, DesiredObject, LedgerView } from './types.ts';

/** What a Sync no longer wants, and what it never wanted although it stands there. */
export interface RemovalInput {
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly unknown: { readonly keys: ReadonlySet<Key>; readonly kinds: ReadonlySet<Kind> };
  readonly matches: Matches;
  readonly observation: Observation;
  readonly ledger: LedgerView;
  readonly facts: { readonly capabilities: Capabilities };
}
