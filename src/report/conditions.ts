import { messageOf, sentences } from '../errors.ts';
import type { WithheldCode } from '../plan/types.ts';
import { countsOf } from './counts.ts';
import type { PassReport } from './pass-report.ts';

/**
 * As Kubernetes' kstatus reads them: `Ready` says whether the platform stands as the source says; `Reconciling` and
 * `Stalled` are true while Plumbline goes on by itself, or cannot without a person.
 */
export interface Condition {
  readonly type: 'Ready' | 'Reconciling' | 'Stalled';
  readonly status: 'True' | 'False' | 'Unknown';
  /** One word in CamelCase, for programs. */
  readonly reason: string;
  readonly message: string;
  /** When `status` last changed; RFC 3339. */
  readonly lastTransitionTime: string;
  readonly observedRevision?: string;
}

/** How things stand, before it is written as conditions. */
interface Verdict {
  readonly state: 'ready' | 'going-on' | 'stalled';
  readonly reason: string;
  readonly message: string;
}

/** Withheld as somebody configured it: the Sync stands as it is meant to. */
const INTENDED: ReadonlySet<WithheldCode> = new Set([
  'drift-reported',
  'held',
  'disabled',
  'not-selected',
  'prune-disabled',
]);
/** Withheld until time, or another pass, brings it about. */
const PASSING: ReadonlySet<WithheldCode> = new Set(['grace-period', 'window', 'listing-incomplete', 'dependency']);

/** The reason while another Sync has to succeed first. */
export const DEPENDENCY_NOT_READY = 'DependencyNotReady';

export function conditionsBefore(now: number): readonly Condition[] {
  const lastTransitionTime = new Date(now).toISOString();
  const message = 'The first pass has not ended yet.';
  return [
    { type: 'Ready', status: 'Unknown', reason: 'Pending', message, lastTransitionTime },
    { type: 'Reconciling', status: 'True', reason: 'Pending', message, lastTransitionTime },
    { type: 'Stalled', status: 'False', reason: 'Pending', message, lastTransitionTime },
  ];
}

export function conditionsAfter(before: readonly Condition[], report: PassReport): readonly Condition[] {
  return written(before, verdictOf(report), report.endedAt, report.revision);
}

function verdictOf(report: PassReport): Verdict {
  const { error, stale, waits } = report;
  const counts = countsOf(report);
  if (error !== undefined) {
    const message = sentences({ message: messageOf(error), remedy: error.remedy });
    return { state: error.retry === 'never' ? 'stalled' : 'going-on', reason: reasonOf(error.code), message };
  }
  if (counts.problems.error > 0) {
    return {
      state: 'stalled',
      reason: 'ProblemsFound',
      message: `The source has ${counts.problems.error} problem(s); nothing is deleted until they are gone.`,
    };
  }
  if (counts.failed + counts.skipped > 0) return failedVerdict(report, counts.failed, counts.skipped);
  if (stale !== undefined)
    return {
      state: 'going-on',
      reason: 'SourceStale',
      message: sentences({ message: stale.reason, remedy: stale.remedy }),
    };
  if (waits !== undefined && !counts.withheld.has('suspended'))
    return { state: 'going-on', reason: DEPENDENCY_NOT_READY, message: waits };
  return withheldVerdict(report, counts.withheld);
}

function failedVerdict(report: PassReport, failed: number, skipped: number): Verdict {
  const hopeless = report.outcomes.every((outcome) => outcome.status !== 'failed' || outcome.error.retry === 'never');
  return {
    state: hopeless ? 'stalled' : 'going-on',
    reason: 'ChangesFailed',
    message: `${failed} change(s) failed, ${skipped} depended on them and were skipped.`,
  };
}

function withheldVerdict(report: PassReport, withheld: ReadonlyMap<WithheldCode, number>): Verdict {
  const told = [...withheld].map(([code, count]) => `${count} ${code}`).join(', ');
  const codes = [...withheld.keys()];
  const standing = `The platform stands as revision ${report.revision ?? 'unknown'} says`;
  if (codes.every((code) => INTENDED.has(code))) {
    const message = told === '' ? `${standing}.` : `${standing}, but for what is left alone as configured (${told}).`;
    return { state: 'ready', reason: 'Synced', message };
  }
  if (codes.includes('suspended'))
    return { state: 'stalled', reason: 'Suspended', message: `The Sync is suspended; changes wait: ${told}.` };
  const waits = codes.every((code) => INTENDED.has(code) || PASSING.has(code));
  return {
    state: waits ? 'going-on' : 'stalled',
    reason: waits ? 'Waiting' : 'Withheld',
    message: `Changes are withheld: ${told}.`,
  };
}

/** `platform-unreachable` → `PlatformUnreachable`. */
function reasonOf(code: string | undefined): string {
  if (code === undefined) return 'PassFailed';
  return code.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function written(
  before: readonly Condition[],
  verdict: Verdict,
  now: number,
  revision: string | undefined,
): readonly Condition[] {
  const { state, reason, message } = verdict;
  const statuses = { Ready: state === 'ready', Reconciling: state === 'going-on', Stalled: state === 'stalled' };
  return (['Ready', 'Reconciling', 'Stalled'] as const).map((type) => {
    const status = statuses[type] ? 'True' : 'False';
    const last = before.find((condition) => condition.type === type);
    const lastTransitionTime = last?.status === status ? last.lastTransitionTime : new Date(now).toISOString();
    return {
      type,
      status,
      reason,
      message,
      lastTransitionTime,
      ...(revision === undefined ? {} : { observedRevision: revision }),
    };
  });
}
