import { ReconcilerError, messageOf } from '../errors.ts';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import type { Monitor } from '../monitor/monitor.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import { CodeRun } from './code-run.ts';
import type { Permit } from './code-run.ts';
import type { CodeStore } from './code-store.ts';
import type { DeadLetters } from './dead-letters.ts';
import { settleTaken } from './letter-replay.ts';
import { retryPause } from './pace.ts';
import type { RecordCheck } from './record-check.ts';
import type { RunReport } from './run-report.ts';
import { SyncRun } from './sync-run.ts';

/** Time as runs see it; the daemon's timers fit. */
export interface RunnerTimers {
  /** Milliseconds since 1970. */
  now(): number;
  after(delay: number, callback: () => void): () => void;
  /** From 0 up to but not including 1. */
  random(): number;
}

/** What a run takes. */
export interface RunParts {
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly timers: Pick<RunnerTimers, 'now' | 'random'>;
  readonly monitor: Monitor;
  readonly store: CodeStore;
  readonly check: RecordCheck;
  readonly letters: DeadLetters;
  readonly redact: (text: string) => string;
  /** On which terms this code may run now. @throws ReconcilerError why it may not */
  readonly permit: (one: RegisteredIntegration) => Permit;
  /** Has other replicas know where they can go on; absent where there are none. @throws ReconcilerError when they cannot be told */
  readonly share?: (platform: string) => Promise<void>;
}

/** Why a run is made, and what ends it. */
export interface RunRequest {
  readonly trigger: JsonObject;
  /** The wish that it fulfils. */
  readonly wish?: number;
  readonly run: string;
  readonly signal: AbortSignal;
}

/** Failures in a row after which the wish behind a run is given up, so that the next one gets its turn. */
const WISHES = 8;
/** Milliseconds between two cursors that are shared of one run. */
const SHARE_EVERY = 60_000;
const NOTHING = {
  collected: { valid: 0, invalid: 0, unchecked: 0 },
  delivered: { applied: 0, failed: 0, dead: 0 },
} as const;

/** One run, from its beginning to what it leaves behind; that it failed is told by the report. @throws the signal's reason */
export async function performRun(
  one: RegisteredIntegration,
  { trigger, wish, run, signal }: RunRequest,
  parts: RunParts,
): Promise<RunReport> {
  signal.throwIfAborted();
  const { ledger, timers, log, metrics, redact } = parts;
  const { platform, name } = one;
  const began = timers.now();
  const about = { platform, integration: name, run, commit: one.runs.code.commit ?? '' };
  await settleTaken(one, { letters: parts.letters, known: ledger.letters });
  ledger.syncs.begin(one, began);
  let sync: SyncRun | undefined;
  let failure: ReconcilerError | undefined;
  try {
    const onLine = (line: string): void => log.info('integration printed', { platform, integration: name, run, line });
    await using code = await CodeRun.open(one, parts.permit(one), { ...parts, onLine }, { run, signal });
    sync = syncRun(one, code, parts);
    await sync.run(trigger, signal);
  } catch (error) {
    if (signal.aborted) {
      log.info('integration stopped', { ...about, because: messageOf(signal.reason) });
      await share(one, parts);
      throw signal.reason;
    }
    failure = asError(error, redact);
  }
  await end(one, { failure, wish }, parts);
  await share(one, parts);
  const milliseconds = timers.now() - began;
  metrics.integrations.ran(platform, name, milliseconds / 1000);
  const told = { ...about, milliseconds, ...(sync?.result ?? NOTHING), waiting: ledger.syncs.waiting(one).records };
  if (failure === undefined) {
    log.info('integration ran', { ...told });
    return { ...told, result: 'success' };
  }
  const { message, code, remedy } = failure;
  log.warn('integration failed', { ...told, error: failure });
  const error = { message, ...(code === undefined ? {} : { code }), ...(remedy === undefined ? {} : { remedy }) };
  return { ...told, result: 'failed', error };
}

function syncRun(one: RegisteredIntegration, code: CodeRun, parts: RunParts): SyncRun {
  const { ledger, timers, metrics, monitor, letters, check, redact } = parts;
  const { platform, name } = one;
  let shared = timers.now();
  return new SyncRun({
    sync: { platform, name },
    runs: one.runs,
    states: ledger.syncs,
    letters,
    check,
    redact,
    call: (context, signal) => code.call(context, signal),
    weigh: (happenings) =>
      monitor.weigh(happenings.map((happening) => ({ kind: 'Integration', platform, object: name, happening }))),
    written: (counts, weighed, latencies) => {
      monitor.counted(weighed);
      for (const count of counts) metrics.integrations.count(platform, name, count);
      for (const seconds of latencies) metrics.integrations.latency(platform, name, seconds);
    },
    onPage: async () => {
      if (timers.now() - shared < SHARE_EVERY) return;
      await share(one, parts);
      shared = timers.now();
    },
    now: () => timers.now(),
    random: () => timers.random(),
  });
}

/** Others go on here from now on. When they cannot be told, they go on where they were told last, and bring some records again. */
async function share(one: RegisteredIntegration, { ledger, log, share: tell }: RunParts): Promise<void> {
  if (tell === undefined) return;
  const { platform, name } = one;
  try {
    if (ledger.cursors.share(one)) await tell(platform);
  } catch (error) {
    log.warn('cursor not shared', { platform, integration: name, error });
  }
}

async function end(
  one: RegisteredIntegration,
  { failure, wish }: { readonly failure: ReconcilerError | undefined; readonly wish: number | undefined },
  { ledger, timers, monitor, metrics, letters }: RunParts,
): Promise<void> {
  const { platform, name } = one;
  const failures = ledger.syncs.state(one).failures + 1;
  const givenUp = failure !== undefined && wish !== undefined && failures >= WISHES;
  if (givenUp) {
    const reason = `the run that it asked for failed ${failures} times: ${failure.message}`;
    await letters.add(one, [{ what: 'trigger', reason, data: ledger.syncs.nextWish(one)?.wish ?? null }]);
  }
  const ok = failure === undefined;
  const weighed = monitor.weigh([{ kind: 'Integration', platform, object: name, happening: { what: 'sync', ok } }]);
  const count = { what: 'run' as const, result: ok ? 'success' : 'failed', count: 1 };
  const at = timers.now();
  ledger.syncs.end(
    one,
    {
      ...(failure === undefined ? {} : { error: failure.message, retryAt: at + retryPause(failures, timers.random()) }),
      ...(wish === undefined ? {} : { wish, givenUp }),
    },
    { at, counts: [count], weighed },
  );
  monitor.counted(weighed);
  metrics.integrations.count(platform, name, count);
}

/** Whatever code says of itself goes no further with a secret in it (law 9). */
function asError(error: unknown, redact: (text: string) => string): ReconcilerError {
  const known = error instanceof ReconcilerError ? error : undefined;
  return new ReconcilerError(redact(messageOf(error)), known?.retry ?? 'backoff', {
    ...(known?.code === undefined ? {} : { code: known.code }),
    ...(known?.remedy === undefined ? {} : { remedy: known.remedy }),
  });
}
