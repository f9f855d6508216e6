import { sentences } from '../../errors.ts';
import type { PassRecord } from '../../ledger/history.ts';
import { STATUS_LIMITS } from '../../manifest/status-schema.ts';
import { isoTime } from '../../report/status.ts';
import type { SyncStatus } from '../../report/status.ts';
import type { Stand } from './conditions.ts';

/** How a Sync stands on one platform. */
export interface TargetStanding {
  readonly status: SyncStatus;
  /** No pass has ended since the Sync was written as it is now. */
  readonly pending: boolean;
}

interface HistoryEntry {
  readonly platform: string;
  readonly revision?: string;
  readonly at: string;
  readonly result: string;
  readonly changed: number;
  readonly failed: number;
}

/** What the status said so far, as far as this process may not know it: its ledger can be younger. */
export interface FormerStatus {
  readonly lastChange?: string;
  readonly counts?: { readonly changed?: number };
  readonly platforms?: readonly { readonly platform: string; readonly lastChange?: string }[];
  readonly history?: readonly HistoryEntry[];
}

const WORST = ['stalled', 'going-on', 'unknown', 'ready'] as const;

/** How a Sync stands over all of its platforms: as on the one where it stands worst. */
export function standOf(standings: readonly TargetStanding[]): Stand {
  const each = standings.map(standOn);
  const worst = WORST.map((state) => each.find((one) => one.state === state)).find((one) => one !== undefined);
  return worst ?? { state: 'unknown', reason: 'Pending', message: 'It was read, and is about to be looked at.' };
}

/** How it stands on one of them. */
export function standOn({ status, pending }: TargetStanding): Stand {
  if (pending) return { state: 'unknown', reason: 'Progressing', message: 'A pass is under way.' };
  const is = (type: string): boolean =>
    status.conditions.some((condition) => condition.type === type && condition.status === 'True');
  const { reason = 'Pending', message = '' } = status.conditions.find(({ type }) => type === 'Ready') ?? {};
  const state = is('Ready') ? 'ready' : is('Stalled') ? 'stalled' : 'going-on';
  return { state, reason, message: state === 'ready' ? message : withFirst(message, status) };
}

/** The first of what a person has to look at: who asks for the condition only should not have to look further. */
function withFirst(message: string, { problems, withheld, supply }: SyncStatus): string {
  const problem = problems.find(({ severity }) => severity === 'error');
  if (problem !== undefined) return `${message} First: ${problem.origin}: ${sentences(problem)}`;
  const [held] = withheld;
  if (held !== undefined)
    return `${message} First: ${held.key}: ${sentences({ message: held.because, remedy: held.remedy })}`;
  const [lack] = supply;
  return lack === undefined ? message : `${message} First: ${lack.key}: ${sentences(lack)}`;
}

/**
 * What the status of a Sync holds beside its conditions. Lists are bounded; counts are whole. Times that every pass moves are not in it: a
 * quiet pass writes nothing.
 */
export function detailsOf(
  standings: readonly TargetStanding[],
  history: readonly PassRecord[],
  before: FormerStatus,
): Readonly<Record<string, unknown>> {
  const statuses = standings.map(({ status }) => status);
  const [first] = statuses;
  const counts = { owned: 0, changed: 0, drifted: 0, withheld: 0, problems: 0, supply: 0 };
  for (const status of statuses) {
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) counts[name] += status.counts[name];
  }
  const changes = statuses.map((status) => status.lastChange ?? '');
  // Who has changed nothing yet has taken over from somebody who may have.
  if (changes.every((change) => change === '')) counts.changed = before.counts?.changed ?? 0;
  const lastChange = [...changes, before.lastChange ?? ''].reduce((a, b) => (a > b ? a : b), '');
  const on = <T extends object>(list: (status: SyncStatus) => readonly T[], most: number) =>
    statuses.flatMap((status) => list(status).map((entry) => ({ platform: status.platform, ...entry }))).slice(0, most);
  return {
    ...(first?.revision === undefined ? {} : { revision: first.revision }),
    ...(lastChange === '' ? {} : { lastChange }),
    counts,
    platforms: standings.slice(0, STATUS_LIMITS.platforms).map((standing) => platformOf(standing, before)),
    problems: (first?.problems ?? []).slice(0, STATUS_LIMITS.problems),
    withheld: on(({ withheld }) => withheld, STATUS_LIMITS.withheld),
    supply: on(({ supply }) => supply, STATUS_LIMITS.supply),
    inventory: on(({ inventory }) => inventory, STATUS_LIMITS.inventory),
    history: historyOf(history, before.history ?? []),
  };
}

/** Passes that changed something; those before a take-over are known from the status itself. */
function historyOf(history: readonly PassRecord[], before: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const own = history
    .filter(({ counts: { applied = 0, failed = 0 } }) => applied + failed > 0)
    .map(({ platform, revision, endedAt, result, counts: { applied = 0, failed = 0 } }) => ({
      platform,
      ...(revision === undefined ? {} : { revision }),
      at: isoTime(endedAt),
      result,
      changed: applied,
      failed,
    }));
  const known = new Set(own.map(({ platform, at }) => `${platform} ${at}`));
  return [...own, ...before.filter(({ platform, at }) => !known.has(`${platform} ${at}`))]
    .toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .slice(0, STATUS_LIMITS.history);
}

function platformOf(standing: TargetStanding, before: FormerStatus) {
  const { platform, revision } = standing.status;
  const former = before.platforms?.find((one) => one.platform === platform)?.lastChange;
  const lastChange = standing.status.lastChange ?? former;
  const { state, reason, message } = standOn(standing);
  return {
    platform,
    ...(revision === undefined ? {} : { revision }),
    ...(lastChange === undefined ? {} : { lastChange }),
    ready: state === 'ready' ? 'True' : state === 'unknown' ? 'Unknown' : 'False',
    reason,
    message,
  };
}
