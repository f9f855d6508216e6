import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ReconcilerError, messageOf } from '../../errors.ts';
import { contentHash } from '../../manifest/canonical.ts';
import type { JsonValue } from '../../manifest/manifest.ts';
import type { Owners } from '../../ledger/owners.ts';
import type { KeyedRun, RunState, Wish } from '../../ledger/run.ts';
import type { Runs } from '../../ledger/runs.ts';
import type { PluginRefusal } from '../../plugins/refusal.ts';
import type { GatewayReports } from '../../report/gateway-report.ts';
import type { Log } from '../../report/log.ts';
import type { Triggered } from '../../drivers/driver.ts';
import type { ConnectedPlatforms } from './platforms.ts';
import { nothing, refused, route } from './route.ts';
import type { Answer, Call, Route } from './route.ts';
import { cannot, notBegun, refusedBy, unknown } from './trigger-answers.ts';
import { ErrorBody, PathName, TriggerAnswer, TriggerRequest } from './shapes.ts';

/** What is asked about before a workflow is run. */
export interface TriggerWish {
  readonly platform: string;
  readonly workflow: string;
  readonly input: JsonValue;
  readonly entry?: string;
}

/** Asks whoever has a say. @returns the refusals, none when it may run. @throws ReconcilerError when nobody could say: then it does not run. */
export type CheckTrigger = (wish: TriggerWish, signal: AbortSignal) => Promise<readonly PluginRefusal[]>;

export interface TriggerParts {
  readonly runs: Runs;
  readonly owners: Owners;
  readonly platforms: ConnectedPlatforms;
  readonly checkTrigger: CheckTrigger;
  readonly reports: GatewayReports;
  readonly log: Log;
  /** Ends what is under way when the daemon stops. */
  readonly signal: AbortSignal;
}

/** Milliseconds for everything from the plugins to the platform's answer. */
const LONGEST = 30_000;
const REPLAYED = { 'idempotency-replayed': 'true' } as const;

const Params = z.strictObject({ platform: PathName, workflow: PathName });
const Headers = z.object({
  'Idempotency-Key': z
    .string()
    .regex(/^[!-~]{1,200}$/)
    .optional()
    .describe('Makes repeating safe: within 24 hours the same token, workflow and key get the first answer again.'),
});
type TriggerCall = Call<typeof Params, undefined, typeof TriggerRequest>;

/** The wish as it is carried out. */
interface Order {
  readonly wish: Wish;
  readonly input: JsonValue;
  readonly entry: { readonly entry?: string };
}

/** Runs workflows on demand. */
export class TriggerRoute {
  readonly route: Route;
  readonly #parts: TriggerParts;
  /** Calls with a key that have not been answered yet. */
  readonly #underWay = new Set<string>();

  constructor(parts: TriggerParts) {
    this.#parts = parts;
    this.route = route({
      method: 'POST',
      path: '/platforms/:platform/workflows/:workflow/trigger',
      id: 'triggerWorkflow',
      summary: 'Run a workflow once',
      description:
        'The workflow is named as in git and has to be owned by a Sync on the platform. 202 says that the platform took it; ask for the execution with the correlation id. 502 outcome-unknown: it may have begun, look at the execution before you ask again. After 409, 422 and 503 nothing was begun, and the Idempotency-Key is free again.',
      needs: ({ platform, workflow }) => ({ right: 'trigger', ...named({ platform, workflow }) }),
      params: Params,
      headers: Headers,
      body: TriggerRequest,
      answers: { 202: TriggerAnswer, 409: ErrorBody, 422: ErrorBody, 502: ErrorBody },
      handle: (call) => this.#handle(call),
    });
  }

  async #handle(call: TriggerCall): Promise<Answer> {
    const { owners, platforms } = this.#parts;
    const { platform, workflow } = call.params;
    const owned = platforms.names().includes(platform) ? owners.of(platform, `Workflow/${workflow}`) : undefined;
    if (owned === undefined) return nothing();
    const key = Headers.shape['Idempotency-Key'].safeParse(call.header('idempotency-key'));
    if (!key.success) {
      const message = 'Idempotency-Key is not 1 to 200 letters, digits and signs.';
      return refused(400, { code: 'invalid-arguments', message, remedy: 'Send a UUID for each wish.' });
    }
    const input = (call.body.input ?? null) as JsonValue;
    const entry = call.body.entry === undefined ? {} : { entry: call.body.entry };
    const wish = { correlation: randomUUID(), platform, workflow, remote: owned.remote, token: call.caller.id };
    if (key.data === undefined) return this.#run({ wish, input, entry }, call);
    const digest = contentHash({ input, ...entry });
    return this.#once({ wish: { ...wish, key: key.data, digest }, input, entry }, key.data, call);
  }

  /** Runs it unless it was run for this key. */
  async #once(order: Order, key: string, call: TriggerCall): Promise<Answer> {
    const { token, platform, workflow, digest } = order.wish;
    const slot = JSON.stringify([token, platform, workflow, key]);
    if (this.#underWay.has(slot)) {
      const message = 'A call with this Idempotency-Key is under way.';
      const remedy = 'Wait for its answer; the same call then gets it too.';
      return refused(409, { code: 'idempotency-key-in-use', message, remedy, retry: 'backoff', retryAfter: 1000 });
    }
    const first = this.#parts.runs.keyed({ token, platform, workflow, key });
    if (first !== undefined) return replay(first, digest, call);
    this.#underWay.add(slot);
    try {
      return await this.#run(order, call);
    } finally {
      this.#underWay.delete(slot);
    }
  }

  async #run({ wish, input, entry }: Order, call: TriggerCall): Promise<Answer> {
    const { runs, platforms, checkTrigger, reports, signal: stopped } = this.#parts;
    const { platform, workflow, correlation, remote } = wish;
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(LONGEST)]);
    const [refusal, ...more] = await checkTrigger({ platform, workflow, input, ...entry }, signal);
    if (refusal !== undefined) {
      reports.trigger(platform, workflow, 'refused');
      return refusedBy([refusal, ...more]);
    }
    const driver = await platforms.driver(platform, signal);
    if (driver.trigger === undefined) {
      reports.trigger(platform, workflow, 'not-triggerable');
      return cannot(driver.name);
    }
    // From here on the intent is written down: whatever happens next, the run can be asked for.
    runs.begin(wish);
    call.about(correlation);
    try {
      const triggered = await driver.trigger({ remote, input, correlation, ...entry }, signal);
      return this.#accepted(wish, triggered);
    } catch (error) {
      return this.#failed(wish, error);
    }
  }

  #accepted(wish: Wish, { execution, answer }: Triggered): Answer {
    const body = {
      correlationId: wish.correlation,
      status: 'accepted',
      ...(execution === undefined ? {} : { execution }),
      ...(answer === undefined ? {} : { answer }),
    };
    const settled = { status: 202, body };
    this.#settle(wish, 'accepted', { reply: settled, ...(execution === undefined ? {} : { execution }) });
    return settled;
  }

  #failed(wish: Wish, error: unknown): Answer {
    const { reports, runs, log } = this.#parts;
    const { platform, workflow, correlation } = wish;
    const code = error instanceof ReconcilerError ? error.code : undefined;
    if (error instanceof ReconcilerError && code !== 'outcome-unknown') {
      reports.trigger(platform, workflow, code === 'not-triggerable' ? 'not-triggerable' : 'failed');
      try {
        runs.withdraw(correlation, messageOf(error));
      } catch (fault) {
        log.error('run not written down', { platform, workflow, correlation, error: fault });
      }
      return notBegun(error, correlation);
    }
    const answer = unknown(correlation, messageOf(error));
    this.#settle(wish, 'unknown', { reply: { status: 502, body: answer.body }, error: messageOf(error) });
    return answer;
  }

  /** The platform has answered: a ledger that takes nothing now must not make the answer another one. */
  #settle(wish: Wish, state: RunState, settlement: Parameters<Runs['settle']>[2]): void {
    const { reports, runs, log } = this.#parts;
    const { platform, workflow, correlation } = wish;
    reports.trigger(platform, workflow, state);
    try {
      runs.settle(correlation, state, settlement);
    } catch (error) {
      log.error('run not written down', { platform, workflow, correlation, error });
    }
  }
}

function replay({ run, digest: first, reply }: KeyedRun, digest: string | undefined, call: TriggerCall): Answer {
  const { correlation = '', state, execution } = run;
  call.about(correlation);
  if (digest !== first) {
    const message = 'This Idempotency-Key was sent with another input before.';
    return refused(422, { code: 'idempotency-key-reused', message, remedy: 'Send another key for another wish.' });
  }
  if (reply !== undefined) return { ...reply, headers: REPLAYED };
  if (state === 'unknown' || state === 'intended')
    return { ...unknown(correlation, 'The daemon was ended before the platform answered.'), headers: REPLAYED };
  const body = { correlationId: correlation, status: 'accepted', ...(execution === undefined ? {} : { execution }) };
  return { status: 202, body, headers: REPLAYED };
}

function named({ platform, workflow }: { platform: string | undefined; workflow: string | undefined }) {
  return { ...(platform === undefined ? {} : { platform }), ...(workflow === undefined ? {} : { workflow }) };
}
