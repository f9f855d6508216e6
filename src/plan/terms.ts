import type { Kind } from '../manifest/manifest.ts';
import type { Owner } from './types.ts';

/** What a person has approved for this pass; each approval is for one thing only. */
export interface Approvals {
  readonly adopt?: boolean;
  /** Revision whose deletions may exceed the cap. */
  readonly deletions?: string;
  /** Objects that vanished may be created anew. */
  readonly vanished?: boolean;
  /** The instance behind the URL may be another one, and the account's rights narrower, than last time. */
  readonly instance?: boolean;
}

/** A count, or a percentage of what is owned (rounded up, at least 1). */
export type Cap = { readonly count: number } | { readonly percent: number };

/** The terms on which one pass works: the Sync's settings, resolved, and what a person approved for this pass. */
export interface Terms {
  readonly owner: Owner;
  /** Owners this Sync had before (`spec.previousNames`); their markers count as its own. */
  readonly previousOwners: readonly Owner[];
  /** Absent: what git created is reverted, what was adopted is reported (OWNERSHIP.md, Drift). */
  readonly drift?: 'revert' | 'report';
  /** Milliseconds that drift may stand before it is reverted. */
  readonly gracePeriod: number;
  readonly adopt: 'refuse' | 'matching';
  readonly prune: { readonly enabled: boolean; readonly maxDeletions: Cap; readonly maxRevocations: Cap };
  /** Access that Plumbline did not grant is taken away, for every role of this Sync. */
  readonly exclusive: boolean;
  /** Kinds this Sync governs; objects of others are left alone. */
  readonly kinds: readonly Kind[];
  /** The Sync itself is going away: everything it owns is released or deleted. */
  readonly retire?: 'Orphan' | 'Delete';
  /** Keys a person asked to release (`plumbline release KIND/NAME`). */
  readonly release: readonly string[];
  readonly approvals: Approvals;
}

/** The number a cap allows out of `owned` objects. */
export function capOf(cap: Cap, owned: number): number {
  return 'count' in cap ? cap.count : Math.max(1, Math.ceil((owned * cap.percent) / 100));
}
