import { randomUUID } from 'node:crypto';
import { ReconcilerError, messageOf, retryOf } from '../errors.ts';
import type { Outcome, Step } from '../drivers/driver.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Change, LedgerRecord, Marker, Plan } from '../plan/types.ts';
import { archive } from './archiving.ts';
import type { Execution } from './execution.ts';
import type { Settlement } from './journal.ts';

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
  try {
    yield* stages(plan, execution, signal);
  } finally {
    await execution.journal.conclude?.();
  }
}

async function* stages(
  plan: Plan,
  execution: Execution,
  signal: AbortSignal,
): AsyncGenerator<{ readonly outcome: Outcome; readonly archived?: string }> {
  const failed = new Set<Key>();
  const needed = neededBy(plan);
  for (const stage of plan.stages) {
    const due: Change[] = [];
    for (const change of stage) {
      const because = blockedBy(change, needed, failed);
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
  const copies = signal.aborted ? undefined : await archive(due, run);
  if (signal.aborted || copies === undefined) {
    yield* stopped(due);
    return;
  }
  for (const [change, error] of copies.refused) yield { outcome: { status: 'failed', change, error } };
  const changes = due.filter((change) => !copies.refused.has(change));
  if (changes.length === 0) return;
  const intents = new Map(changes.map((change) => [change.key, randomUUID()]));
  await execution.journal.intend(
    changes.map((change) => intentOf(change, intents.get(change.key) ?? '', execution.clock())),
  );
  const settlements: Settlement[] = [];
  const renamed: LedgerRecord[] = [];
  const settle = () => execution.journal.settleAll(settlements.splice(0));
  try {
    for await (const outcome of outcomes(changes, run)) {
      const intent = intents.get(outcome.change.key);
      const result = settlementOf(outcome, execution);
      if (intent !== undefined && result !== undefined) settlements.push({ intent, result });
      if (settlements.length >= SETTLED_AT_ONCE) settle();
      const { change } = outcome;
      if (outcome.status === 'applied' && change.verb === 'update' && change.from !== undefined)
        renamed.push({ record: 'forget', key: change.from });
      const archived = copies.ids.get(outcome.change.key);
      yield { outcome, ...(archived === undefined ? {} : { archived }) };
    }
  } finally {
    settle();
  }
  if (renamed.length > 0) execution.journal.record(renamed);
}

function* stopped(changes: readonly Change[]): Generator<{ outcome: Outcome }> {
  for (const change of changes)
    yield { outcome: { status: 'skipped', change, because: 'the pass was stopped before this change' } };
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
  const marker: Marker | undefined = keeps ? markerOf(change, plan, execution) : undefined;
  return {
    change,
    owner: plan.owner,
    ...(marker === undefined ? {} : { marker }),
    desired: () => execution.desired(change),
    secrets: () => execution.secrets(change),
  };
}

/** What the object will say of itself; its own id with it where it is known, so that a copy gives itself away. */
function markerOf(change: Extract<Change, { fingerprint: string }>, plan: Plan, execution: Execution): Marker {
  const remote = change.verb === 'create' ? execution.idFor(change.key) : change.remote.id;
  return {
    owner: plan.owner,
    key: change.key,
    applied: change.fingerprint,
    how: execution.owned(change, '').how,
    ...(remote === undefined ? {} : { remote }),
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

/** For every object that a plan deletes: what refers to it until its own change went through. */
function neededBy(plan: Plan): ReadonlyMap<Key, readonly Key[]> {
  const result = new Map<Key, Key[]>();
  for (const change of plan.stages.flat()) {
    const needs = change.verb === 'delete' ? change.dependsOn : change.verb === 'update' ? (change.formerly ?? []) : [];
    for (const need of needs) {
      const list = result.get(need);
      if (list === undefined) result.set(need, [change.key]);
      else list.push(change.key);
    }
  }
  return result;
}

function blockedBy(
  change: Change,
  needed: ReadonlyMap<Key, readonly Key[]>,
  failed: ReadonlySet<Key>,
): string | undefined {
  if (failed.size === 0 || change.verb === 'release') return undefined;
  if (change.verb !== 'delete') {
    const need = change.dependsOn.find((key) => failed.has(key));
    return need === undefined ? undefined : `it needs ${need}, which did not go through`;
  }
  const other = needed.get(change.key)?.find((key) => failed.has(key));
  return other === undefined ? undefined : `${other} still needs it`;
}
