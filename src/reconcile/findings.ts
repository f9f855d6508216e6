import { ReconcilerError, messageOf, type Problem } from '../errors.ts';
import type { Outcome } from '../drivers/driver.ts';
import type { PassReport, PassResult } from '../report/pass-report.ts';
import type { Snapshot } from '../source/source.ts';
import type { Pass } from './pass.ts';
import type { PlannedPass } from './planned.ts';

/** Gathers what a pass learns, on every exit path, and closes its memory. */
export class Findings {
  readonly #pass: Pass;
  readonly #startedAt: number;
  readonly #durations: Record<string, number> = {};
  readonly #problems: Problem[] = [];
  readonly #outcomes: Outcome[] = [];
  readonly #archived: Record<string, string> = {};
  #snapshot: Snapshot | undefined;
  #planned: PlannedPass | undefined;
  #error: ReconcilerError | undefined;

  constructor(pass: Pass) {
    this.#pass = pass;
    this.#startedAt = pass.clock();
  }

  async timed<T>(step: string, work: Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work;
    } finally {
      this.#durations[step] = performance.now() - start;
    }
  }

  snapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.problems(snapshot.problems);
  }

  problems(problems: readonly Problem[]): void {
    for (const problem of problems) this.#problems.push(problem);
  }

  planned(planned: PlannedPass): void {
    this.#planned = planned;
    this.problems(planned.problems);
  }

  outcome(outcome: Outcome, archived: string | undefined): void {
    this.#outcomes.push(this.#redacted(outcome));
    if (archived !== undefined) this.#archived[outcome.change.key] = archived;
  }

  failed(error: ReconcilerError): void {
    this.#error = this.#clean(error);
  }

  /** Platforms repeat in a refusal what they were sent; no secret leaves the pass that way (law 9). */
  #clean(error: ReconcilerError): ReconcilerError {
    const { secrets } = this.#pass;
    const { retry, code, remedy, retryAfter } = error;
    return new ReconcilerError(secrets.redact(messageOf(error)), retry, {
      ...(code === undefined ? {} : { code }),
      ...(remedy === undefined ? {} : { remedy: secrets.redact(remedy) }),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  }

  #redacted(outcome: Outcome): Outcome {
    return outcome.status === 'failed' ? { ...outcome, error: this.#clean(outcome.error) } : outcome;
  }

  report(): PassReport {
    const { sync, platform, trigger } = this.#pass;
    this.#remember();
    const snapshot = this.#snapshot;
    return {
      sync,
      platform,
      trigger,
      look: this.#planned?.look ?? 'full',
      result: this.#result(),
      startedAt: this.#startedAt,
      endedAt: this.#pass.clock(),
      durations: this.#durations,
      problems: this.#problems,
      outcomes: this.#outcomes,
      archived: this.#archived,
      ...(snapshot === undefined ? {} : { revision: snapshot.revision }),
      ...(snapshot?.commit === undefined ? {} : { commit: snapshot.commit }),
      ...(snapshot?.stale === undefined ? {} : { stale: snapshot.stale }),
      ...(this.#planned === undefined ? {} : { plan: this.#planned.plan }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  #result(): PassResult {
    if (this.#error !== undefined) return 'failed';
    if (this.#outcomes.some((outcome) => outcome.status !== 'applied')) return 'partly-failed';
    const plan = this.#planned?.plan;
    if (this.#pass.mode === 'plan') return 'planned';
    if (plan !== undefined && plan.withheld.length > 0) return 'withheld';
    return this.#outcomes.length > 0 ? 'applied' : 'in-sync';
  }

  /** A plan alone changes nothing, so what it saw must not make the next pass skip it. */
  #remember(): void {
    const { memory, mode } = this.#pass;
    if (this.#error !== undefined) memory.forget();
    if (this.#error !== undefined || mode === 'plan' || this.#planned === undefined) return;
    this.#planned.remember(this.#outcomes);
  }
}
