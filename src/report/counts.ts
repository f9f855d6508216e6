import type { Change, WithheldCode } from '../plan/types.ts';
import type { PassReport } from './pass-report.ts';

/** A pass in numbers. */
export interface PassCounts {
  readonly applied: number;
  readonly failed: number;
  readonly skipped: number;
  readonly drifted: number;
  readonly problems: { readonly error: number; readonly warning: number };
  readonly withheld: ReadonlyMap<WithheldCode, number>;
}

export function countsOf(report: PassReport): PassCounts {
  const outcomes = { applied: 0, failed: 0, skipped: 0 };
  for (const outcome of report.outcomes) outcomes[outcome.status] += 1;
  const problems = { error: 0, warning: 0 };
  for (const problem of report.problems) problems[problem.severity] += 1;
  const withheld = new Map<WithheldCode, number>();
  for (const { code } of report.plan?.withheld ?? []) withheld.set(code, (withheld.get(code) ?? 0) + 1);
  return { ...outcomes, drifted: report.plan?.counts.drifted ?? 0, problems, withheld };
}

/** Paths of the fields that a change concerns. Never their values. */
export function pathsOf(change: Change): readonly string[] {
  const fields = change.verb === 'update' || change.verb === 'adopt' ? change.diff.map((field) => field.path) : [];
  const secrets = 'secrets' in change ? change.secrets.map((name) => `/secrets/${name}`) : [];
  return [...new Set([...fields, ...secrets])];
}

/** A pass that found everything as it should be and has nothing to say. */
export function isQuiet(report: PassReport): boolean {
  return (
    report.result === 'in-sync' &&
    report.outcomes.length === 0 &&
    report.stale === undefined &&
    report.problems.length === 0
  );
}
