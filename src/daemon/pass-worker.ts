import { namespaceOf } from '../manifest/cluster-name.ts';
import type { Log } from '../report/log.ts';
import type { PassReport, Trigger } from '../report/pass-report.ts';
import { dueAfter } from './pacing.ts';
import type { Priority, Ticket, WorkQueue, Worker } from './queue.ts';
import type { Roster } from './roster.ts';
import { runPass } from './runner.ts';
import type { PassRequest, RunnerParts } from './runner.ts';
import type { SharedState } from './shared-state.ts';
import { alreadyRead } from './sources.ts';
import type { Target } from './target.ts';

const PRIORITY: Record<Trigger, Priority> = {
  command: 'command',
  start: 'change',
  commit: 'change',
  event: 'change',
  schedule: 'change',
  retry: 'change',
  interval: 'drift',
};

export interface PassWorkerParts extends RunnerParts {
  readonly roster: Roster;
  readonly log: Log;
  readonly queue: () => WorkQueue;
  /** Whether passes of that platform may run here. */
  readonly holds: (platform: string) => boolean;
  /** Whether a Sync has succeeded on a platform that another replica holds, as far as that one has told. */
  readonly isReadyElsewhere: (target: Target) => boolean;
  /** What is told to others. */
  readonly state?: SharedState;
  /** Told after every pass that was reported. */
  readonly onReported: (target: Target, report: PassReport) => void;
}

/** What the queue's turns are used for: passes, and what follows from them. */
export class PassWorker implements Worker {
  readonly #parts: PassWorkerParts;
  /** Whether passes lead to further passes; not when a command runs one pass of its own. */
  following = false;

  constructor(parts: PassWorkerParts) {
    this.#parts = parts;
  }

  /** What another replica holds is that one's to look at; whoever takes it over looks at everything. */
  wake(target: Target, trigger: Trigger): void {
    if (!this.#parts.holds(target.platform)) return;
    this.#parts.queue().add({ ...target.place, trigger, priority: PRIORITY[trigger] });
  }

  /** Reads the source before the platform's turn has come, so that a slow source takes none of it. */
  async prepare(ticket: Ticket, signal: AbortSignal): Promise<void> {
    const target = this.#here(ticket);
    if (target === undefined) return;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(target.pace.timeout)]);
    const reading = target.source.read(bounded, ticket.trigger === 'commit');
    target.progress.reading = reading;
    await reading.catch(() => undefined);
  }

  async run(ticket: Ticket, signal: AbortSignal): Promise<void> {
    const target = this.#here(ticket);
    if (target === undefined) return;
    const waits = this.#waitsFor(target);
    const { reading } = target.progress;
    delete target.progress.reading;
    const source = reading === undefined ? target.source : alreadyRead(target.source, reading);
    await this.pass(
      target,
      { trigger: ticket.trigger, mode: 'apply', source, ...(waits === undefined ? {} : { waits }) },
      signal,
    );
  }

  #here({ key }: Ticket): Target | undefined {
    const target = this.#parts.roster.find(key);
    return target !== undefined && this.#parts.holds(target.platform) ? target : undefined;
  }

  failed(ticket: Ticket, error: unknown): void {
    const { log, roster, queue } = this.#parts;
    log.error('pass broke off', { key: ticket.key, error });
    const target = roster.find(ticket.key);
    if (target !== undefined && this.following)
      queue().later({ ...ticket, trigger: 'retry' }, target.pace.retryInterval);
  }

  /** One pass, with what follows from it. Whoever calls this has the platform's turn, or asks for a plan only. */
  async pass(target: Target, request: PassRequest, signal: AbortSignal): Promise<PassReport> {
    const report = await runPass(target, request, this.#parts, signal);
    if (request.mode === 'plan') return report;
    this.#follow(target, report);
    this.#parts.onReported(target, report);
    return report;
  }

  /** When the next pass comes, who waited for this one, and whether a Sync that is gone is done with. */
  #follow(target: Target, report: PassReport): void {
    const { roster, ledger, log, reporter, timers, metrics, queue, exchange } = this.#parts;
    const { progress, place, terms } = target;
    progress.attempted = true;
    if (roster.find(place.key) !== target) return;
    if (terms.retire !== undefined && report.error === undefined && ledger.ownedCount(target) === 0) {
      log.info('sync retired', { sync: target.sync, platform: target.platform, policy: terms.retire });
      roster.drop(target);
      reporter.forget(target, !roster.has(target.sync));
      return;
    }
    const succeeded = reporter.standing(target).lastSuccess !== undefined;
    const moved = report.outcomes.length > 0 || (succeeded && !progress.succeeded);
    progress.succeeded = succeeded;
    if (!this.following) return;
    const due = dueAfter(target, report, timers);
    if (due.trigger === 'retry') metrics.retried(target.sync, target.platform);
    queue().later({ ...place, trigger: due.trigger, priority: due.priority }, due.delay);
    const wrote = report.outcomes.length + (report.plan?.records.length ?? 0) > 0;
    if (exchange.saysAnew(target) || wrote) for (const other of exchange.stale()) this.wake(other, 'event');
    if (succeeded) this.#tellSuccess(target);
    if (!moved) return;
    for (const other of roster.targets()) if (other.dependsOn.includes(target.sync)) this.wake(other, 'event');
  }

  /** Others have told something new: who uses outputs of theirs, or waits for one of these Syncs, looks again. */
  heard(syncs: ReadonlySet<string>): void {
    const { exchange, roster } = this.#parts;
    if (!this.following) return;
    for (const other of exchange.stale()) this.wake(other, 'event');
    if (syncs.size === 0) return;
    for (const other of roster.targets())
      if (other.dependsOn.some((name) => syncs.has(name))) this.wake(other, 'event');
  }

  #tellSuccess(target: Target): void {
    const { state, roster, log } = this.#parts;
    // A custom resource has a status for that.
    if (namespaceOf(target.sync) !== undefined) return;
    void state?.tellSuccess(target, roster.settingsOf(target.sync)).catch((error: unknown) => {
      log.warn('success not told to other replicas', { sync: target.sync, platform: target.platform, error });
    });
  }

  /** What another replica does, or did until now, is known from what that one has told. */
  #hasSucceeded(target: Target): boolean {
    const { reporter, holds, isReadyElsewhere } = this.#parts;
    if (reporter.standing(target).lastSuccess !== undefined && holds(target.platform)) return true;
    return !(holds(target.platform) && target.progress.attempted) && isReadyElsewhere(target);
  }

  /** Why a target has to wait for another Sync; undefined when it need not. */
  #waitsFor(target: Target): string | undefined {
    const { roster } = this.#parts;
    for (const name of target.dependsOn) {
      const others = roster.ofSync(name);
      if (others.length === 0) return `The Sync ${name} that it depends on is not configured.`;
      const late = others.find((other) => !this.#hasSucceeded(other));
      if (late !== undefined) return `The Sync ${name} that it depends on has not succeeded on ${late.platform} yet.`;
    }
    return undefined;
  }
}
