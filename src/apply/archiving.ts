import { ReconcilerError, messageOf, retryOf } from '../errors.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Change, Plan, RemoteObject } from '../plan/types.ts';
import type { Execution } from './execution.ts';
import type { ArchiveEntry } from './journal.ts';

export interface Copies {
  /** Archive ids, by key. */
  readonly ids: ReadonlyMap<Key, string>;
  /** Changes that are not carried out, because what they would destroy could not be kept. */
  readonly refused: ReadonlyMap<Change, ReconcilerError>;
}

/** Keeps copies of what a stage overwrites or deletes, before its first write: no archive, no write (law 14). */
export async function archive(
  changes: readonly Change[],
  { plan, execution, signal }: { plan: Plan; execution: Execution; signal: AbortSignal },
): Promise<Copies> {
  const reasons = new Map(
    changes.flatMap((change) => {
      const reason = archiveReason(change);
      return reason === undefined ? [] : [[change, reason] as const];
    }),
  );
  if (reasons.size === 0) return { ids: new Map(), refused: new Map() };
  try {
    const observed = await execution.observed([...reasons.keys()], signal);
    const found = [...reasons].flatMap(([change, reason]) => {
      const object = observed.get(change.key);
      return object === undefined ? [] : [{ change, entry: entryOf(change, object, { reason, plan }) }];
    });
    const ids = execution.journal.archive(found.map((one) => one.entry));
    // A delete of what is gone already has nothing to keep and nothing to lose; an overwrite has to be planned anew.
    const lost = [...reasons.keys()].filter((change) => change.verb !== 'delete' && !observed.has(change.key));
    return {
      ids: new Map(found.map(({ change }, index) => [change.key, ids[index] ?? ''])),
      refused: new Map(lost.map((change) => [change, stale(change)])),
    };
  } catch (error) {
    return { ids: new Map(), refused: new Map([...reasons.keys()].map((change) => [change, notKept(change, error)])) };
  }
}

function stale(change: Change): ReconcilerError {
  return new ReconcilerError(
    `${change.key} changed on the platform while the pass ran; nothing was written to it.`,
    'replan',
    { code: 'stale-write', remedy: 'Nothing to do: the next pass looks at it again.' },
  );
}

function notKept(change: Change, cause: unknown): ReconcilerError {
  const remedy = cause instanceof ReconcilerError ? cause.remedy : undefined;
  return new ReconcilerError(
    `${change.verb} ${change.key}: what is on the platform could not be archived, so nothing was written: ${messageOf(cause)}`,
    retryOf(cause),
    { code: 'archive-failed', cause, ...(remedy === undefined ? {} : { remedy }) },
  );
}

function archiveReason(change: Change): ArchiveEntry['reason'] | undefined {
  if (change.verb === 'delete') return 'delete';
  if (change.verb === 'update' && change.overwritesDrift) return 'drift';
  return change.verb === 'adopt' && change.diff.length > 0 ? 'adopt' : undefined;
}

function entryOf(
  change: Change,
  object: RemoteObject,
  { reason, plan }: { reason: ArchiveEntry['reason']; plan: Plan },
): ArchiveEntry {
  return {
    key: change.key,
    kind: change.kind,
    remote: object.remote,
    title: object.title,
    value: object.value,
    reason,
    revision: plan.revision,
    ...(object.changedBy === undefined ? {} : { changedBy: object.changedBy }),
    ...(object.changedAt === undefined ? {} : { changedAt: object.changedAt }),
  };
}
