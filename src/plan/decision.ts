import type { Key } from '../manifest/manifest.ts';
import type { Reason } from './match-reasons.ts';
import type { Terms } from './terms.ts';
import type { Change, DesiredObject, LedgerRecord, Observed } from './types.ts';

/** What is to be done about one object, before the guard looks at the whole. */
export interface Decision {
  readonly change?: Change;
  /** Why the change has to wait. */
  readonly reason?: Reason;
  readonly record?: LedgerRecord;
  /** Git did not change, yet the platform differs. */
  readonly drifted: boolean;
  /** Access that ran out: git itself says so, and no doubt about other files or numbers holds it up (law 16). */
  readonly expired?: true;
  /** What the object refers to as long as this change waits, or is not even wanted; not to be deleted meanwhile. */
  readonly holdsOn?: readonly Key[];
}

export interface DecideContext {
  readonly terms: Terms;
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly marks: (kind: DesiredObject['kind']) => boolean;
  /** Whether the listing proves that what it lacks is not there. */
  readonly provesAbsence: (kind: DesiredObject['kind']) => boolean;
}

/** What every change to a manifest's object says of it. */
export function base(desired: DesiredObject) {
  return {
    key: desired.key,
    kind: desired.kind,
    title: desired.title,
    dependsOn: desired.dependsOn,
    origin: desired.origin,
  };
}

export function wanted(desired: DesiredObject, secrets: readonly string[]) {
  return { fingerprint: desired.fingerprint, secrets };
}

/** The object a change is about, in the version that was looked at. */
export function target(observed: Observed) {
  return { remote: { id: observed.remote, version: observed.version } };
}
