import type { Kind } from '../manifest/manifest.ts';
import type { Decision } from './decision.ts';
import type { Reason } from './match-reasons.ts';
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
  /** Roles and grants among them. */
  readonly access: number;
  /** Owned objects that a complete listing lacks. */
  readonly gone: number;
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
      forDelete(decision, decision.change, context);
    return reason === undefined ? decision : { ...decision, reason };
  });
  return capped(withheldCreates(waiting, context), context);
}

/** Why nothing at all is done: what is known of objects is known of another instance's. */
export function instanceChanged({ ledger, facts, terms }: GuardContext): Reason | undefined {
  if (ledger.instance === undefined || ledger.instance === facts.instance) return undefined;
  if (terms.approvals.instance === true) return undefined;
  const answers =
    facts.instance === undefined
      ? `what answers at this URL does not say any more which instance it is (it was ${ledger.instance})`
      : `another instance answers at this URL (${facts.instance}, not ${ledger.instance})`;
  return {
    code: 'instance-changed',
    because: `${answers}.`,
    remedy:
      'Point the Platform back at the right instance, or accept the new one with "plumbline apply --approve instance".',
  };
}

function support(change: Change, context: GuardContext): Reason | undefined {
  return supportReason(context.capabilities[change.kind][change.verb], change.verb, change.key);
}

function forDelete(decision: Decision, change: Change, context: GuardContext): Reason | undefined {
  if (change.verb !== 'delete' || context.terms.retire === 'Delete' || decision.expired === true) return undefined;
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

/** Why what a listing lacks may be there all the same (law 3). */
export function lostSight(context: GuardContext): Reason | undefined {
  const { ledger, facts, terms, gone, owned } = context;
  const missing = (ledger.rights ?? []).filter((right) => !facts.rights.includes(right));
  if (missing.length > 0 && terms.approvals.instance !== true) {
    return {
      code: 'rights-narrowed',
      because: `this account may do less than last time (lost: ${missing.slice(0, 5).join(', ')}), so what it does not see may still be there.`,
      remedy:
        'Give the account its rights back, or accept the narrower ones with "plumbline apply --approve instance".',
    };
  }
  const most = Math.max(3, Math.ceil(owned * 0.2));
  if (gone <= most || terms.approvals.vanished === true) return undefined;
  return {
    code: 'vanished',
    because: `${gone} of ${owned} owned objects are gone from the platform at once, more than ${most}.`,
    remedy: 'Check that this is the right instance; then accept it with "plumbline apply --approve vanished".',
  };
}

function withheldCreates(decisions: readonly Decision[], context: GuardContext): Decision[] {
  const reason = lostSight(context);
  if (reason === undefined) return [...decisions];
  return decisions.map((decision) =>
    decision.change?.verb === 'create' && (decision.reason === undefined || mayEnd(decision.reason))
      ? { ...decision, reason }
      : decision,
  );
}

/** Reasons that time alone ends: a person has to hear of the graver one. */
function mayEnd({ code }: Reason): boolean {
  return code === 'grace-period';
}

/** Law 5: more deletes than the cap allows, and none is done. Revocations have a cap of their own (law 16). */
function capped(decisions: readonly Decision[], context: GuardContext): Decision[] {
  const { terms, revision } = context;
  if (terms.retire === 'Delete' || terms.approvals.deletions === revision) return [...decisions];
  const over = (deletes: Decision[], cap: Cap, of: number) =>
    deletes.length > capOf(cap, of) ? new Set(deletes) : new Set<Decision>();
  const due = decisions.filter(
    ({ change, reason, expired }) => change?.verb === 'delete' && reason === undefined && expired !== true,
  );
  const deletions = over(
    due.filter((one) => one.change?.revokes !== true),
    terms.prune.maxDeletions,
    context.owned,
  );
  const revocations = over(
    due.filter((one) => one.change?.revokes === true),
    terms.prune.maxRevocations,
    context.access,
  );
  return decisions.map((decision) => {
    if (deletions.has(decision)) return { ...decision, reason: tooMany('delete-cap', deletions.size, context) };
    return revocations.has(decision)
      ? { ...decision, reason: tooMany('revocation-cap', revocations.size, context) }
      : decision;
  });
}

function tooMany(code: 'delete-cap' | 'revocation-cap', count: number, context: GuardContext): Reason {
  const { terms, revision } = context;
  const [what, field, owned] =
    code === 'delete-cap'
      ? (['objects', 'maxDeletions', context.owned] as const)
      : (['access objects', 'maxRevocations', context.access] as const);
  return {
    code,
    because: `this revision would delete ${count} ${what}, more than prune.${field} allows (${capOf(terms.prune[field], owned)} of ${owned} owned); nothing is deleted.`,
    remedy: `If that is meant, run "plumbline apply --allow-deletions=${revision}".`,
  };
}
