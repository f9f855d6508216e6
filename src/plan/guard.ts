import type { Kind } from '../manifest/manifest.ts';
import type { Decision } from './decide.ts';
import type { Reason } from './match.ts';
import { supportReason } from './reasons.ts';
import { capOf, type Cap, type Terms } from './terms.ts';
import type { Capabilities, Change, LedgerView } from './types.ts';

/** What the guard knows of the whole pass. */
export interface GuardContext {
  readonly terms: Terms;
  readonly revision: string;
  readonly capabilities: Capabilities;
  /** A manifest of this source has an error. */
  readonly hasErrors: boolean;
  readonly unknownKinds: ReadonlySet<Kind>;
  /** Objects the ledger says this Sync owns, all of them. */
  readonly owned: number;
  readonly ledger: LedgerView;
  readonly facts: { readonly instance?: string; readonly rights: readonly string[] };
}

/**
 * The guard: looks at all decisions together and makes those wait that could hurt (laws 3, 4, 5, 16). The first reason
 * that holds is the one reported.
 */
export function guard(decisions: readonly Decision[], context: GuardContext): Decision[] {
  const waiting = decisions.map((decision) => {
    if (decision.change === undefined) return decision;
    const reason =
      instanceChanged(context) ??
      support(decision.change, context) ??
      decision.reason ??
      forDelete(decision.change, context);
    return reason === undefined ? decision : { ...decision, reason };
  });
  return capped(lostSight(waiting, context), context);
}

function instanceChanged({ ledger, facts, terms }: GuardContext): Reason | undefined {
  const changed = ledger.instance !== undefined && facts.instance !== undefined && ledger.instance !== facts.instance;
  if (!changed || terms.approvals.instance === true) return undefined;
  return {
    code: 'instance-changed',
    because: `another instance answers at this URL (${facts.instance}, not ${ledger.instance}).`,
    remedy:
      'Point the Platform back at the right instance, or accept the new one with "plumbline apply --approve instance".',
  };
}

function support(change: Change, context: GuardContext): Reason | undefined {
  return supportReason(context.capabilities[change.kind][change.verb], change.verb, change.key);
}

function forDelete(change: Change, context: GuardContext): Reason | undefined {
  if (change.verb !== 'delete' || context.terms.retire === 'Delete') return undefined;
  if (!context.terms.kinds.includes(change.kind)) {
    return {
      code: 'not-selected',
      because: `${change.key} is owned, but ${change.kind} is not in "select.kinds" any more.`,
      remedy: `Run "plumbline release ${change.key}" to let go of it, or select its kind again.`,
    };
  }
  if (change.revokes === true) {
    if (!context.unknownKinds.has('AccessGrant') && !context.unknownKinds.has('AccessRole')) return undefined;
    return {
      code: 'unknown',
      because:
        'a file that holds access manifests cannot be read, so it is unknown whether this access is still wanted.',
      remedy: 'Mend the problems reported for this revision.',
    };
  }
  if (context.hasErrors) {
    return {
      code: 'problems',
      because: 'nothing is deleted while manifests of this Sync have errors.',
      remedy: 'Mend the problems reported for this revision; the delete follows by itself.',
    };
  }
  if (context.terms.prune.enabled) return undefined;
  return {
    code: 'prune-disabled',
    because: `${change.key} is no longer in git, and pruning is off for this Sync.`,
    remedy: `Set "prune.enabled: true", or run "plumbline release ${change.key}".`,
  };
}

/** Law 3: absence is not believed where rights shrank or too much is gone at once. */
function lostSight(decisions: readonly Decision[], context: GuardContext): Decision[] {
  const { ledger, facts, terms } = context;
  const missing = (ledger.rights ?? []).filter((right) => !facts.rights.includes(right));
  const gone = decisions.filter(
    (decision) => decision.change?.verb === 'create' && decision.change.cause === 'vanished',
  ).length;
  const most = Math.max(3, Math.ceil(context.owned * 0.2));
  let reason: Reason | undefined;
  if (missing.length > 0 && terms.approvals.instance !== true) {
    reason = {
      code: 'rights-narrowed',
      because: `this account may do less than last time (lost: ${missing.slice(0, 5).join(', ')}), so what it does not see may still be there.`,
      remedy:
        'Give the account its rights back, or accept the narrower ones with "plumbline apply --approve instance".',
    };
  } else if (gone > most && terms.approvals.vanished !== true) {
    reason = {
      code: 'vanished',
      because: `${gone} of ${context.owned} owned objects are gone from the platform at once, more than ${most}.`,
      remedy: 'Check that this is the right instance; then create them anew with "plumbline apply --approve vanished".',
    };
  }
  if (reason === undefined) return [...decisions];
  return decisions.map((decision) =>
    decision.change?.verb === 'create' && decision.reason === undefined ? { ...decision, reason } : decision,
  );
}

/** Law 5: more deletes than the cap allows, and none is done. Revocations have a cap of their own (law 16). */
function capped(decisions: readonly Decision[], context: GuardContext): Decision[] {
  const { terms, revision } = context;
  if (terms.retire === 'Delete' || terms.approvals.deletions === revision) return [...decisions];
  const over = (deletes: Decision[], cap: Cap) =>
    deletes.length > capOf(cap, context.owned) ? new Set(deletes) : new Set<Decision>();
  const due = decisions.filter((decision) => decision.change?.verb === 'delete' && decision.reason === undefined);
  const deletions = over(
    due.filter((one) => one.change?.revokes !== true),
    terms.prune.maxDeletions,
  );
  const revocations = over(
    due.filter((one) => one.change?.revokes === true),
    terms.prune.maxRevocations,
  );
  return decisions.map((decision) => {
    if (deletions.has(decision)) return { ...decision, reason: tooMany('delete-cap', deletions.size, context) };
    return revocations.has(decision)
      ? { ...decision, reason: tooMany('revocation-cap', revocations.size, context) }
      : decision;
  });
}

function tooMany(
  code: 'delete-cap' | 'revocation-cap',
  count: number,
  { terms, owned, revision }: GuardContext,
): Reason {
  const [what, field] =
    code === 'delete-cap' ? (['objects', 'maxDeletions'] as const) : (['access objects', 'maxRevocations'] as const);
  return {
    code,
    because: `this revision would delete ${count} ${what}, more than prune.${field} allows (${capOf(terms.prune[field], owned)} of ${owned} owned); nothing is deleted.`,
    remedy: `If that is meant, run "plumbline apply --allow-deletions=${revision}".`,
  };
}
