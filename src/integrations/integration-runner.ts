import { randomUUID } from 'node:crypto';
import PQueue from 'p-queue';
import type { RegisteredIntegration } from '../drivers/integration-register.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import { messageOf } from '../errors.ts';
import { discardLetters, letterStatus, replayLetters } from './letter-replay.ts';
import type { LetterSelection, LetterStatus, LettersReplayed, ReplayParts } from './letter-replay.ts';
import { dueTime, triggerOf } from './pace.ts';
import type { Plan } from './pace.ts';
import { performRun } from './perform-run.ts';
import type { RunParts, RunnerTimers } from './perform-run.ts';
import type { RunReport } from './run-report.ts';
import { allowedBy } from './terms.ts';

export interface RunnerParts extends RunParts {
  readonly timers: RunnerTimers;
  /** Whether its platform is this replica's. */
  readonly holds: (platform: string) => boolean;
}

interface Begun<T> {
  readonly platform: string;
  readonly abort: AbortController;
  /** Resolves when it has ended. */
  readonly done: Promise<T>;
}

/** Runs under way at once, of all Integrations. */
const AT_ONCE = 4;
/** Milliseconds for which one rests whose run came to no end: it was stopped, or the ledger refused it. */
const REST = 15_000;
/** Milliseconds until everything is looked at again, whatever happens. */
const LOOK_AGAIN = 60_000;

/**
 * Runs the code of Integrations: at the times of their schedules, on events and on command. Of each, one run at a time: whoever comes
 * meanwhile waits. All that has to be known of it is in the ledger.
 */
export class IntegrationRunner implements AsyncDisposable {
  readonly #parts: RunnerParts;
  readonly #queue = new PQueue({ concurrency: AT_ONCE });
  readonly #running = new Map<string, Begun<unknown>>();
  readonly #plans = new Map<string, Plan>();
  /** Until when one whose run was cut off is left alone; milliseconds since 1970. */
  readonly #resting = new Map<string, number>();
  #cancel: () => void = () => undefined;
  #started = false;
  #stopped = false;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Runs what is due, from now on; what an earlier process left open is due at once. */
  start(): void {
    const { ledger, metrics, log } = this.#parts;
    this.#started = true;
    metrics.integrations.keep(ledger.integrations.list());
    for (const { platform, name, ...count } of ledger.syncs.counts()) metrics.integrations.count(platform, name, count);
    const used = ledger.integrations
      .list()
      .flatMap(({ runs: { code } }) => (code.commit === undefined ? [] : [{ ...code, commit: code.commit }]));
    this.#parts.store.tidy(used).catch((error: unknown) => log.warn('old code not removed', { error }));
    this.look();
  }

  /** Something may be due, or there may be others. Never throws. */
  look(): void {
    if (!this.#started || this.#stopped) return;
    this.#cancel();
    const { timers, log } = this.#parts;
    let next = timers.now() + LOOK_AGAIN;
    try {
      next = Math.min(next, this.#beginDue());
    } catch (error) {
      log.error('integrations not looked at', { error });
    }
    this.#cancel = timers.after(Math.max(0, next - timers.now()), () => this.look());
  }

  /** When it would run by itself; undefined when it would not. */
  nextRun(one: RegisteredIntegration): number | undefined {
    const { ledger, timers } = this.#parts;
    return dueTime({
      plan: this.#planOf(one),
      state: ledger.syncs.state(one),
      waiting: ledger.syncs.waiting(one),
      wish: ledger.syncs.nextWish(one),
      now: timers.now(),
    });
  }

  /** Why it may not run at present; undefined when it may. */
  refusal(one: RegisteredIntegration): string | undefined {
    try {
      this.#parts.permit(one);
      return undefined;
    } catch (error) {
      return this.#parts.redact(messageOf(error));
    }
  }

  /** The commit that its ref leads to now; its code is here then. @throws ReconcilerError as a git source, `code-…` */
  async newest(one: RegisteredIntegration, signal: AbortSignal): Promise<string> {
    const { store, permit } = this.#parts;
    const { sync, terms } = permit(one);
    const { code } = one.runs;
    const allowed = allowedBy(sync, terms, code.repository);
    const commit = await store.resolve(code, allowed, signal);
    await store.open({ ...code, commit }, allowed, signal);
    return commit;
  }

  /** Where records are that were given up. */
  deadLettersOf(one: RegisteredIntegration): string {
    return this.#parts.letters.fileOf(one);
  }

  isRunning(one: RegisteredIntegration): boolean {
    return this.#running.has(wordOf(one));
  }

  /**
   * Runs it now, or when the run under way has ended. Aborting ends it; the next run goes on where it was.
   * @throws ReconcilerError when it may not run, or could not be begun; a run that fails is told by its report
   */
  async run(one: RegisteredIntegration, trigger: JsonObject, signal: AbortSignal): Promise<RunReport> {
    this.#parts.permit(one);
    return this.#afterwards(one, () => this.#begin(one, { trigger }), signal);
  }

  /**
   * Puts dead letters among what is to be delivered, now or when the run under way has ended, and nothing begins meanwhile.
   * @throws ReconcilerError when it may not run, `schema-…`; what the file system says; the signal's reason
   */
  async replay(
    one: RegisteredIntegration,
    selection: LetterSelection & { readonly overtaken?: boolean | undefined },
    signal: AbortSignal,
  ): Promise<LettersReplayed> {
    this.#parts.permit(one);
    const replay = (own: AbortSignal) => replayLetters(one, selection, this.#letters(), own);
    return this.#afterwards(one, () => this.#occupy(one, replay), signal);
  }

  /** Forgets dead letters. @returns how many. @throws what the file system says */
  discard(one: RegisteredIntegration, selection: LetterSelection): Promise<number> {
    return discardLetters(one, selection, this.#letters());
  }

  /** Dead letters, oldest first; those that are to be delivered again are not among them. @throws what the file system says */
  async *letters(one: RegisteredIntegration): AsyncGenerator<LetterStatus> {
    const taken = this.#parts.ledger.letters.taken(one);
    for await (const letter of this.#parts.letters.list(one)) if (!taken.has(letter.id)) yield letterStatus(letter);
  }

  /** Has it run because of an event: durable once this returns, and never twice for the same `word`. @throws ReconcilerError of the ledger */
  wish(
    { platform, name }: { readonly platform: string; readonly name: string },
    word: string,
    trigger: JsonObject,
  ): void {
    this.#parts.ledger.syncs.wish({ platform, name }, { word, wish: trigger, at: this.#parts.timers.now() });
    this.look();
  }

  /** Ends what runs for such platforms; it is gone on with by whoever holds them. */
  abort(isTheirs: (platform: string) => boolean, reason: Error): void {
    for (const { platform, abort } of this.#running.values()) if (isTheirs(platform)) abort.abort(reason);
  }

  /** Resolves when nothing runs for such platforms any more. */
  async idle(isTheirs: (platform: string) => boolean): Promise<void> {
    await Promise.allSettled(
      [...this.#running.values()].filter(({ platform }) => isTheirs(platform)).map(({ done }) => done),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    this.abort(() => true, new Error('plumbline stops'));
    await this.idle(() => true);
  }

  /** Begins what is due. @returns when the next is */
  #beginDue(): number {
    const { ledger, metrics, timers, holds } = this.#parts;
    const all = ledger.integrations.list();
    metrics.integrations.keep(all);
    const now = timers.now();
    let next = Infinity;
    for (const one of all) {
      const state = ledger.syncs.state(one);
      const waiting = ledger.syncs.waiting(one);
      metrics.integrations.stands(one.platform, one.name, {
        waiting: waiting.records,
        ...(state.lastSuccess === undefined ? {} : { lastSuccess: state.lastSuccess }),
      });
      if (!holds(one.platform) || this.#running.has(wordOf(one)) || this.refusal(one) !== undefined) continue;
      const wish = ledger.syncs.nextWish(one);
      const plan = this.#planOf(one);
      const asked = dueTime({ plan, state, waiting, wish, now });
      if (asked === undefined) continue;
      const due = Math.max(asked, this.#resting.get(wordOf(one)) ?? 0);
      if (due > now) next = Math.min(next, due);
      else
        this.#begin(one, {
          trigger: triggerOf({ plan, state, wish, now }),
          ...(wish === undefined ? {} : { wish: wish.id }),
        });
    }
    return next;
  }

  #planOf(one: RegisteredIntegration): Plan {
    const { schedule } = one.runs;
    const known = this.#plans.get(wordOf(one));
    if (known !== undefined && known.schedule === schedule) return known;
    const plan: Plan = { schedule, from: this.#parts.timers.now() };
    this.#plans.set(wordOf(one), plan);
    return plan;
  }

  #letters(): ReplayParts {
    const { ledger, letters, check, timers } = this.#parts;
    return { letters, check, known: ledger.letters, now: () => timers.now() };
  }

  /** Begins once nothing of it runs, and follows that to its end; aborting ends it. @throws what it throws; the signal's reason */
  async #afterwards<T>(one: RegisteredIntegration, begin: () => Begun<T>, signal: AbortSignal): Promise<T> {
    for (let under = this.#running.get(wordOf(one)); under !== undefined; under = this.#running.get(wordOf(one)))
      await under.done.catch(() => undefined);
    signal.throwIfAborted();
    // Nothing may come in between: others wait as well.
    const { abort, done } = begin();
    const stop = (): void => abort.abort(signal.reason);
    signal.addEventListener('abort', stop);
    try {
      return await done;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #begin(one: RegisteredIntegration, what: { readonly trigger: JsonObject; readonly wish?: number }) {
    const run = randomUUID();
    this.#plans.set(wordOf(one), { schedule: one.runs.schedule, from: this.#parts.timers.now() });
    return this.#occupy(one, (signal) => this.#queue.add(() => performRun(one, { ...what, run, signal }, this.#parts)));
  }

  /** Nothing else of it begins until `work` has ended. */
  #occupy<T>(one: RegisteredIntegration, work: (signal: AbortSignal) => Promise<T>) {
    const abort = new AbortController();
    const done = work(abort.signal).finally(() => {
      this.#running.delete(wordOf(one));
      setImmediate(() => this.look());
    });
    // Whoever waits for it hears of it; what it left behind is gone on with.
    done.then(
      () => this.#resting.delete(wordOf(one)),
      () => this.#resting.set(wordOf(one), this.#parts.timers.now() + REST),
    );
    const running = { platform: one.platform, abort, done };
    this.#running.set(wordOf(one), running);
    return running;
  }
}

function wordOf({ platform, name }: { readonly platform: string; readonly name: string }): string {
  return `${platform}\n${name}`;
}
