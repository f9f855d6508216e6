import { messageOf } from '../errors.ts';
import type { PassRecord } from '../ledger/history.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Scope } from '../ledger/ownership.ts';
import type { Condition } from './conditions.ts';
import { DEPENDENCY_NOT_READY } from './conditions.ts';
import { countsOf, isQuiet, pathsOf } from './counts.ts';
import { eventsOf } from './events.ts';
import type { Told } from './events.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { PassReport } from './pass-report.ts';
import type { EventType, Telling } from './situations.ts';
import { firstStatus, inventoryOf, statusAfter } from './status.ts';
import type { Standing, SyncStatus } from './status.ts';

export interface ReporterParts {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly ledger: Ledger;
  /** Applied to what statuses say; log and ledger have their own. */
  readonly redact: (text: string) => string;
  readonly clock: () => number;
}

const LEVELS: Record<EventType, 'info' | 'warn' | 'error'> = {
  applied: 'info',
  'drift-reverted': 'warn',
  'drift-found': 'warn',
  withheld: 'warn',
  'change-failed': 'error',
  'pass-failed': 'error',
  problem: 'warn',
  'source-stale': 'warn',
  recovered: 'info',
};
/** Constant messages of the log, by event. */
const MESSAGES: Record<EventType, string> = {
  applied: 'change applied',
  'drift-reverted': 'drift reverted',
  'drift-found': 'drift found',
  withheld: 'change withheld',
  'change-failed': 'change failed',
  'pass-failed': 'pass failed',
  problem: 'problem in the source',
  'source-stale': 'source stale',
  recovered: 'recovered',
};

/** The one place a PassReport goes to: log, metrics, conditions, events and history are all made here, on every exit path. */
export class Reporter {
  readonly #parts: ReporterParts;
  /** Told what is news after each pass, until somebody else is. */
  onTold: (scope: Scope, events: readonly Telling[]) => void = () => undefined;
  /** Told before another revision counts as live: what happened until now happened under the one before. */
  onLive: (scope: Scope) => void = () => undefined;
  readonly #standing = new Map<string, Standing>();
  readonly #told = new Map<string, Told>();
  readonly #live = new Map<string, string | undefined>();

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /** Tells everybody about a pass. A fault of the ledger is logged and does not stop the rest. */
  report(report: PassReport): void {
    if (report.result === 'planned') return;
    const owned = this.#owned(report);
    this.#parts.metrics.pass(report, owned);
    const before = this.standing(report);
    this.#standing.set(scopeId(report), statusAfter(before, report, owned));
    this.#tellWaiting(report, before);
    this.#becomesLive(report);
    try {
      this.#tell(report);
      this.#parts.ledger.recordPass(recordOf(report));
    } catch (error) {
      this.#parts.log.error('history cannot be written', { ...scopeOf(report), error });
    }
  }

  /** How a Sync stands, without its inventory. */
  standing(scope: Scope): Standing {
    return this.#standing.get(scopeId(scope)) ?? firstStatus(scopeOf(scope), this.#parts.clock());
  }

  /** How a Sync stands, whole; the inventory is read from the ledger. */
  status(scope: Scope): SyncStatus {
    const status = { ...this.standing(scope), inventory: inventoryOf(this.#parts.ledger.view(scopeOf(scope))) };
    return redacted(status, this.#parts.redact);
  }

  /**
   * The revision that the platform stands as: the last one of which a pass applied anything or found all of it there, not one that a
   * pass has only read. Undefined while there was none. After a start it is the last one of which history knows.
   * @throws ReconcilerError when the ledger cannot be read
   */
  live(scope: Scope): string | undefined {
    const id = scopeId(scope);
    if (!this.#live.has(id)) {
      const passes = this.#parts.ledger.history(scopeOf(scope));
      this.#live.set(id, passes.find(({ result, changes }) => isLive(result, changes))?.revision);
    }
    return this.#live.get(id);
  }

  ready(scope: Scope): Condition | undefined {
    return this.standing(scope).conditions.find(({ type }) => type === 'Ready');
  }

  /** Drops what is known of a Sync on a Platform that is gone; `whole` when the Sync is gone from everywhere. */
  forget(scope: Scope, whole: boolean): void {
    this.#standing.delete(scopeId(scope));
    this.#told.delete(scopeId(scope));
    this.#live.delete(scopeId(scope));
    if (whole) this.#parts.metrics.forgetSync(scope.sync);
    else this.#parts.metrics.forgetSync(scope.sync, scope.platform);
    this.#parts.ledger.setCursor(toldCursor(scope), '{}');
  }

  #becomesLive(report: PassReport): void {
    const { revision, result } = report;
    const outcomes = report.outcomes.map(({ status }) => ({ outcome: status }));
    if (revision === undefined || !isLive(result, outcomes)) return;
    try {
      if (revision === this.live(report)) return;
      this.onLive(scopeOf(report));
    } catch (error) {
      this.#parts.log.error('service levels not judged before a revision', { ...scopeOf(report), revision, error });
    }
    this.#live.set(scopeId(report), revision);
  }

  /** Objects that the Sync owns now; undefined when the ledger cannot be read. */
  #owned(report: PassReport): number | undefined {
    if (report.plan === undefined) return undefined;
    try {
      return this.#parts.ledger.ownedCount(scopeOf(report));
    } catch {
      return undefined;
    }
  }

  /** Said when the waiting begins, and not with every pass meanwhile. */
  #tellWaiting(report: PassReport, before: Standing): void {
    if (report.waits === undefined) return;
    const was = before.conditions.find(({ type }) => type === 'Ready');
    const now = this.ready(report);
    if (now?.reason !== DEPENDENCY_NOT_READY || (was?.reason === now.reason && was.message === now.message)) return;
    this.#parts.log.info('sync waits', { ...scopeOf(report), because: report.waits });
  }

  #tell(report: PassReport): void {
    const { ledger, log } = this.#parts;
    const scope = scopeOf(report);
    const before = this.#toldOf(scope);
    const { events, told } = eventsOf(report, before);
    for (const { type, key, message, paths } of events) {
      const fields = { ...scope, ...(key === undefined ? {} : { key }), ...(paths === undefined ? {} : { paths }) };
      log[LEVELS[type]](MESSAGES[type], { ...fields, about: message });
      ledger.addEvent({ at: report.endedAt, type, message, ...fields });
    }
    if (events.length > 0) this.onTold(scope, events);
    // Written only when it differs: a quiet pass writes nothing (law 10).
    if (JSON.stringify(told) !== JSON.stringify(before)) ledger.setCursor(toldCursor(scope), JSON.stringify(told));
    this.#told.set(scopeId(scope), told);
    const level = isQuiet(report) || events.length === 0 ? 'debug' : 'info';
    log[level]('pass ended', summaryOf(report));
  }

  #toldOf(scope: Scope): Told {
    const known = this.#told.get(scopeId(scope));
    if (known !== undefined) return known;
    return JSON.parse(this.#parts.ledger.cursor(toldCursor(scope)) ?? '{}') as Told;
  }
}

function summaryOf(report: PassReport): Record<string, unknown> {
  const { applied, failed, skipped, drifted, problems } = countsOf(report);
  const { trigger, look, result, revision, startedAt, endedAt, durations } = report;
  const withheld = report.plan?.withheld.length ?? 0;
  const milliseconds = Math.round(endedAt - startedAt);
  const counts = { applied, failed, skipped, withheld, drifted, problems: problems.error + problems.warning };
  const steps = Object.fromEntries(Object.entries(durations).map(([step, spent]) => [step, Math.round(spent)]));
  return { ...scopeOf(report), trigger, look, result, revision, ...counts, milliseconds, steps };
}

/** A pass as history keeps it. */
function recordOf(report: PassReport): PassRecord {
  const { applied, failed, skipped, drifted, problems } = countsOf(report);
  return {
    ...scopeOf(report),
    ...(report.revision === undefined ? {} : { revision: report.revision }),
    ...(report.commit === undefined ? {} : { author: report.commit.author }),
    startedAt: report.startedAt,
    endedAt: report.endedAt,
    result: report.result,
    counts: {
      applied,
      failed,
      skipped,
      drifted,
      withheld: report.plan?.withheld.length ?? 0,
      problems: problems.error + problems.warning,
    },
    changes: report.outcomes.map((outcome) => {
      const { key, verb, cause } = outcome.change;
      const because =
        outcome.status === 'failed'
          ? messageOf(outcome.error)
          : outcome.status === 'skipped'
            ? outcome.because
            : undefined;
      const error = because === undefined ? {} : { error: because };
      return { key, verb, cause, paths: pathsOf(outcome.change), outcome: outcome.status, ...error };
    }),
    ...(report.error === undefined ? {} : { error: messageOf(report.error) }),
  };
}

function redacted<T>(value: T, redact: (text: string) => string): T {
  return JSON.parse(JSON.stringify(value), (_, item: unknown) => (typeof item === 'string' ? redact(item) : item)) as T;
}

function scopeOf({ sync, platform }: Scope): Scope {
  return { sync, platform };
}

function scopeId({ sync, platform }: Scope): string {
  return `${sync}\n${platform}`;
}

function toldCursor({ sync, platform }: Scope): string {
  return `told/${sync}/${platform}`;
}

function isLive(result: string, changes: readonly { readonly outcome: string }[]): boolean {
  return result === 'in-sync' || changes.some(({ outcome }) => outcome === 'applied');
}
