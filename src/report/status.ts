import { formatOrigin } from '../errors.ts';
import type { Scope } from '../ledger/ownership.ts';
import type { LedgerView, Notice, Plan } from '../plan/types.ts';
import { countsOf } from './counts.ts';
import type { Condition } from './conditions.ts';
import { conditionsAfter, conditionsBefore } from './conditions.ts';
import type { PassReport } from './pass-report.ts';

/**
 * How one Sync stands on one Platform. One shape: in a cluster, in `plumbline status -o json`, in `/api/v1/status`.
 * Times are RFC 3339 in UTC.
 */
export interface SyncStatus {
  readonly sync: string;
  readonly platform: string;
  /** Revision of the last pass that read the source. */
  readonly revision?: string;
  /** When something was last changed on the platform. */
  readonly lastChange?: string;
  /** When a pass last ended with nothing failed and nothing waiting for a person. */
  readonly lastSuccess?: string;
  readonly conditions: readonly Condition[];
  readonly counts: StatusCounts;
  readonly problems: readonly StatusProblem[];
  readonly withheld: readonly StatusWithheld[];
  /** What objects lack on the platform before they can do their work. */
  readonly supply: readonly StatusSupply[];
  readonly inventory: readonly InventoryEntry[];
}

interface StatusCounts {
  readonly owned: number;
  /** Changes applied by the last pass that changed anything. */
  readonly changed: number;
  readonly drifted: number;
  readonly withheld: number;
  readonly problems: number;
  readonly supply: number;
}

interface StatusProblem {
  /** `file:line:column` */
  readonly origin: string;
  readonly severity: 'error' | 'warning';
  readonly key?: string;
  readonly message: string;
  readonly remedy: string;
}

interface StatusWithheld {
  readonly key: string;
  readonly verb: string;
  readonly code: string;
  readonly because: string;
  readonly remedy: string;
}

interface StatusSupply {
  readonly key: string;
  /** `file:line:column` */
  readonly origin?: string;
  readonly message: string;
  readonly remedy: string;
}

export interface InventoryEntry {
  readonly key: string;
  /** The platform's id. */
  readonly remote: string;
  readonly title: string;
  readonly how: 'created' | 'adopted';
  readonly revision: string;
  readonly driftSince?: string;
  readonly held?: true;
}

/** Entries of `problems`, `withheld` and `supply` that are listed; `counts` has them all. */
const MOST_LISTED = 100;

/** What is kept of a status between passes: everything but the inventory, which is the ledger's. */
export type Standing = Omit<SyncStatus, 'inventory'>;

/** A Sync that no pass has looked at yet. */
export function firstStatus(scope: Scope, now: number): Standing {
  const counts = { owned: 0, changed: 0, drifted: 0, withheld: 0, problems: 0, supply: 0 };
  return { ...scope, conditions: conditionsBefore(now), counts, problems: [], withheld: [], supply: [] };
}

/**
 * How the Sync stands after a pass: what the pass could not learn stays as it was. `owned` is how many objects it owns
 * now; the plan knows only how many it owned before its changes.
 */
export function statusAfter(before: Standing, report: PassReport, owned = report.plan?.counts.owned): Standing {
  const conditions = conditionsAfter(before.conditions, report);
  const counts = countsOf(report);
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  return {
    ...before,
    ...(report.revision === undefined ? {} : { revision: report.revision }),
    ...(counts.applied === 0 ? {} : { lastChange: isoTime(report.endedAt) }),
    ...(ready ? { lastSuccess: isoTime(report.endedAt) } : {}),
    conditions,
    ...listed(before, report),
    counts: {
      owned: owned ?? before.counts.owned,
      changed: counts.applied === 0 ? before.counts.changed : counts.applied,
      drifted: report.plan?.counts.drifted ?? before.counts.drifted,
      withheld: report.plan?.withheld.length ?? before.counts.withheld,
      problems: report.revision === undefined ? before.counts.problems : report.problems.length,
      supply: report.plan === undefined ? before.counts.supply : suppliesIn(report.plan).length,
    },
  };
}

function listed(before: Standing, report: PassReport): Pick<Standing, 'problems' | 'withheld' | 'supply'> {
  const problems = report.problems.slice(0, MOST_LISTED).map(({ origin, severity, key, message, remedy }) => ({
    origin: formatOrigin(origin),
    severity,
    ...(key === undefined ? {} : { key }),
    message,
    remedy,
  }));
  const withheld = report.plan?.withheld
    .slice(0, MOST_LISTED)
    .map(({ change, code, because, remedy }) => ({ key: change.key, verb: change.verb, code, because, remedy }));
  return {
    problems: report.revision === undefined ? before.problems : problems,
    withheld: withheld ?? before.withheld,
    supply: report.plan === undefined ? before.supply : suppliesIn(report.plan).slice(0, MOST_LISTED).map(supplyOf),
  };
}

function suppliesIn({ notices }: Plan): readonly Notice[] {
  return notices.filter(({ code }) => code === 'to-supply');
}

function supplyOf({ key, kind, title, origin, message, remedy }: Notice): StatusSupply {
  const where = origin === undefined ? {} : { origin: formatOrigin(origin) };
  return { key: key ?? `${kind} "${title}"`, ...where, message, remedy };
}

/** What the Sync owns, by key. */
export function inventoryOf(view: LedgerView): readonly InventoryEntry[] {
  return [...view.owned.values()]
    .map(({ key, remote, title, how, revision, driftSince, heldFingerprint }) => ({
      key,
      remote,
      title,
      how,
      revision,
      ...(driftSince === undefined ? {} : { driftSince: isoTime(driftSince) }),
      ...(heldFingerprint === undefined ? {} : { held: true as const }),
    }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
