import type { Problem } from '../errors.ts';
import type { Outcome } from '../drivers/driver.ts';
import { errorJson } from '../gateway/api/error-json.ts';
import type { ErrorJson } from '../gateway/api/error-json.ts';
import type { Plan } from '../plan/types.ts';
import type { PassReport } from '../report/pass-report.ts';
import type { Commit, Stale } from '../source/source.ts';

interface OutcomeJson {
  readonly status: Outcome['status'];
  readonly key: string;
  readonly verb: string;
  readonly cause: string;
  readonly remote?: string;
  readonly because?: string;
  readonly error?: ErrorJson;
}

/** A PassReport as plain JSON. Times are milliseconds since 1970. */
export interface PassJson {
  readonly sync: string;
  readonly platform: string;
  readonly result: PassReport['result'];
  readonly look: PassReport['look'];
  readonly startedAt: number;
  readonly endedAt: number;
  readonly revision?: string;
  readonly commit?: Commit;
  readonly stale?: Stale;
  readonly problems: readonly Problem[];
  readonly plan?: Plan;
  readonly outcomes: readonly OutcomeJson[];
  /** Archive ids of what was overwritten or deleted, by key. */
  readonly archived: Readonly<Record<string, string>>;
  readonly error?: ErrorJson;
}

export function passJson(report: PassReport): PassJson {
  const { sync, platform, result, look, startedAt, endedAt, revision, commit, stale, problems, plan, archived, error } =
    report;
  return {
    sync,
    platform,
    result,
    look,
    startedAt,
    endedAt,
    ...(revision === undefined ? {} : { revision }),
    ...(commit === undefined ? {} : { commit }),
    ...(stale === undefined ? {} : { stale }),
    problems,
    ...(plan === undefined ? {} : { plan }),
    outcomes: report.outcomes.map(outcomeJson),
    archived,
    ...(error === undefined ? {} : { error: errorJson(error) }),
  };
}

function outcomeJson(outcome: Outcome): OutcomeJson {
  const { key, verb, cause } = outcome.change;
  const base = { status: outcome.status, key, verb, cause };
  if (outcome.status === 'failed') return { ...base, error: errorJson(outcome.error) };
  if (outcome.status === 'skipped') return { ...base, because: outcome.because };
  return outcome.remote === undefined ? base : { ...base, remote: outcome.remote.id };
}
