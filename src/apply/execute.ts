import { randomUUID } from 'node:crypto';
import { ReconcilerError, messageOf, retryOf } from '../errors.ts';
import type { Driver, Outcome, Step } from '../drivers/driver.ts';
import type { JsonObject, Key } from '../manifest/manifest.ts';
import type { Change, Marker, Owned, Plan, RemoteObject } from '../plan/types.ts';
import type { SecretValue } from '../secrets/secrets.ts';
import type { ArchiveEntry, Journal, Settlement } from './journal.ts';

/** What carrying out a plan takes. */
export interface Execution {
  readonly driver: Pick<Driver, 'apply'>;
  readonly journal: Journal;
  /** The normalised desired content of a change. */
  desired(change: Change): Promise<JsonObject>;
  secrets(change: Change): Promise<Readonly<Record<string, SecretValue>>>;
  /** What the ledger is told of an object once it stands. */
  owned(change: Change, remote: string): Owned;
  /** What is on the platform now, for the archive; undefined when it is gone. */
  observed(changes: readonly Change[], signal: AbortSignal): Promise<ReadonlyMap<Key, RemoteObject>>;
  readonly clock: () => number;
}

/** Outcomes are settled in groups: a settlement that a crash takes with it leaves its intent, and is looked for again. */
const SETTLED_AT_ONCE = 200;

/**
 * Carries out a plan stage by stage and yields an outcome per change, with the archive id of what it replaced. A change
 * whose dependency failed is skipped, everything else goes on (law 8). Intents are durable before the first write of
 * their stage (law 6); what is overwritten or deleted is archived before, or nothing is written (law 14).
 */
export async function* execute(
  plan: Plan,
  execution: Execution,
  signal: AbortSignal,
): AsyncGenerator<{ readonly outcome: Outcome; readonly archived?: string }> {
  execution.journal.record(plan.records);
  const failed = new Set<Key>();
  for (const stage of plan.stages) {
    const due: Change[] = [];
    for (const change of stage) {
      const because = blockedBy(change, plan, failed);
      if (because === undefined) due.push(change);
      else {
        failed.add(change.key);
        yield { outcome: { status: 'skipped', change, because } };
      }
    }
    for await (const done of applyStage(due, { plan, execution, signal })) {
      if (done.outcome.status !== 'applied') failed.add(done.outcome.change.key);
      yield done;
    }
  }
}

interface Run {
  readonly plan: Plan;
  readonly execution: Execution;
  readonly signal: AbortSignal;
}

async function* applyStage(due: readonly Change[], run: Run): AsyncGenerator<{ outcome: Outcome; archived?: string }> {
  if (due.length === 0) return;
  const { execution, signal } = run;
  const copies = await archive(due, run);
  for (const change of copies.lost) yield { outcome: { status: 'failed', change, error: copies.error(change) } };
  const changes = due.filter((change) => !copies.lost.has(change));
  if (signal.aborted) {
    for (const change of changes)
      yield { outcome: { status: 'skipped', change, because: 'the pass was stopped before this change' } };
    return;
  }
  const intents = new Map(changes.map((change) => [change.key, randomUUID()]));
  execution.journal.intend(changes.map((change) => intentOf(change, intents.get(change.key) ?? '', execution.clock())));
  const settlements: Settlement[] = [];
  const settle = () => execution.journal.settleAll(settlements.splice(0));
  try {
    for await (const outcome of outcomes(changes, run)) {
      const intent = intents.get(outcome.change.key);
      const result = settlementOf(outcome, execution);
      if (intent !== undefined && result !== undefined) settlements.push({ intent, result });
      if (settlements.length >= SETTLED_AT_ONCE) settle();
      const archived = copies.ids.get(outcome.change.key);
      yield { outcome, ...(archived === undefined ? {} : { archived }) };
    }
  } finally {
    settle();
  }
  const renamed = changes.flatMap((change) =>
    change.verb === 'update' && change.from !== undefined ? [{ record: 'forget' as const, key: change.from }] : [],
  );
  if (renamed.length > 0) execution.journal.record(renamed);
}

/** One outcome per change, whatever the driver does: what it forgets or throws becomes a failure of exactly those changes. */
async function* outcomes(changes: readonly Change[], { plan, execution, signal }: Run): AsyncGenerator<Outcome> {
  const open = new Map(changes.map((change) => [change.key, change]));
  let error: unknown;
  try {
    for await (const outcome of execution.driver.apply(
      changes.map((change) => stepOf(change, plan, execution)),
      signal,
    )) {
      if (open.delete(outcome.change.key)) yield outcome;
    }
  } catch (thrown) {
    error = thrown;
  }
  for (const change of open.values()) yield { status: 'failed', change, error: failure(change, error) };
}

function failure(change: Change, cause: unknown): ReconcilerError {
  const what = cause === undefined ? 'the driver gave no outcome' : messageOf(cause);
  return new ReconcilerError(`${change.verb} ${change.key}: ${what}`, cause === undefined ? 'replan' : retryOf(cause), {
    code: 'outcome-unknown',
    ...(cause === undefined ? {} : { cause }),
    ...(cause instanceof ReconcilerError && cause.remedy !== undefined ? { remedy: cause.remedy } : {}),
  });
}

function stepOf(change: Change, plan: Plan, execution: Execution): Step {
  const keeps = change.verb === 'create' || change.verb === 'update' || change.verb === 'adopt';
  const marker: Marker | undefined = keeps
    ? { owner: plan.owner, key: change.key, applied: change.fingerprint, how: execution.owned(change, '').how }
    : undefined;
  return {
    change,
    owner: plan.owner,
    ...(marker === undefined ? {} : { marker }),
    desired: () => execution.desired(change),
    secrets: () => execution.secrets(change),
  };
}

function settlementOf(outcome: Outcome, execution: Execution): Settlement['result'] | undefined {
  const { change } = outcome;
  if (outcome.status === 'skipped') return 'unchanged';
  if (outcome.status === 'failed') return outcome.error.code === 'outcome-unknown' ? undefined : 'unchanged';
  if (change.verb === 'delete' || change.verb === 'release') return { forget: change.key };
  const remote = outcome.remote?.id ?? (change.verb === 'create' ? undefined : change.remote.id);
  return remote === undefined ? undefined : { owned: execution.owned(change, remote) };
}

function intentOf(change: Change, id: string, since: number) {
  return {
    id,
    verb: change.verb,
    key: change.key,
    title: change.title,
    since,
    ...('remote' in change ? { remote: change.remote.id } : {}),
    ...('fingerprint' in change ? { fingerprint: change.fingerprint } : {}),
  };
}

function blockedBy(change: Change, plan: Plan, failed: ReadonlySet<Key>): string | undefined {
  if (failed.size === 0) return undefined;
  if (change.verb !== 'delete' && change.verb !== 'release') {
    const need = change.dependsOn.find((key) => failed.has(key));
    return need === undefined ? undefined : `it needs ${need}, which did not go through`;
  }
  for (const other of plan.stages.flat()) {
    if (failed.has(other.key) && other.verb === 'delete' && other.dependsOn.includes(change.key))
      return `${other.key} still needs it`;
  }
  return undefined;
}

interface Copies {
  readonly ids: ReadonlyMap<Key, string>;
  /** Changes whose object could not be read any more: they are not carried out. */
  readonly lost: ReadonlySet<Change>;
  error(change: Change): ReconcilerError;
}

/** Copies of what this stage overwrites or deletes, kept before its first write. */
async function archive(changes: readonly Change[], { plan, execution, signal }: Run): Promise<Copies> {
  const reasons = new Map(
    changes.flatMap((change) => {
      const reason = archiveReason(change);
      return reason === undefined ? [] : [[change, reason] as const];
    }),
  );
  const error = (change: Change) =>
    new ReconcilerError(
      `${change.key} changed on the platform while the pass ran; nothing was written to it.`,
      'replan',
      { code: 'stale-write' },
    );
  if (reasons.size === 0) return { ids: new Map(), lost: new Set(), error };
  const observed = await execution.observed([...reasons.keys()], signal);
  const found = [...reasons].flatMap(([change, reason]) => {
    const object = observed.get(change.key);
    return object === undefined
      ? []
      : [{ change, entry: entryOf(change, { object, reason, revision: plan.revision }) }];
  });
  const ids = execution.journal.archive(found.map((one) => one.entry));
  // A delete of what is gone already has nothing to keep and nothing to lose; an overwrite has to be planned anew.
  const lost = [...reasons.keys()].filter((change) => change.verb !== 'delete' && !observed.has(change.key));
  return { ids: new Map(found.map(({ change }, index) => [change.key, ids[index] ?? ''])), lost: new Set(lost), error };
}

function archiveReason(change: Change): ArchiveEntry['reason'] | undefined {
  if (change.verb === 'delete') return 'delete';
  if (change.verb === 'update' && change.overwritesDrift) return 'drift';
  return change.verb === 'adopt' && change.diff.length > 0 ? 'adopt' : undefined;
}

function entryOf(
  change: Change,
  what: { object: RemoteObject; reason: ArchiveEntry['reason']; revision: string },
): ArchiveEntry {
  const { object, reason, revision } = what;
  return {
    key: change.key,
    kind: change.kind,
    remote: object.remote,
    title: object.title,
    value: object.value,
    reason,
    revision,
    ...(object.changedBy === undefined ? {} : { changedBy: object.changedBy }),
    ...(object.changedAt === undefined ? {} : { changedAt: object.changedAt }),
  };
}
