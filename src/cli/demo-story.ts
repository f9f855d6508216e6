import { setTimeout as pause } from 'node:timers/promises';
import { ReconcilerError, messageOf } from '../errors.ts';
import { remoteApi } from '../daemon/remote-api.ts';
import { remoteOperations } from '../daemon/remote-operations.ts';
import type { RemoteApi } from '../daemon/remote-api.ts';
import { ExecutionJson, TriggerAnswer } from '../gateway/api/shapes.ts';
import type { Context } from './context.ts';
import type { Received } from './demo-receiver.ts';
import type { DemoServices } from './demo-services.ts';
import { told } from './trigger.ts';

const PLATFORM = '/platforms/node-red';
const TRIGGER = `${PLATFORM}/workflows/order-fulfillment/trigger`;
/** Milliseconds: between two looks, and that the story goes on at all. */
const LOOK_EVERY = 300;
const PATIENCE = 20_000;

export interface Telling {
  readonly context: Context;
  /** Fires when the demo ends. */
  readonly signal: AbortSignal;
  /** Resolves when the receiver was told of the run of that correlation. */
  readonly delivered: (correlationId: string) => Promise<Received>;
}

/**
 * Shows the way in and out on two orders: one that a plugin refuses, one that runs; reads its execution back, and tells of
 * the webhook that came of it. Whatever goes wrong is told, and ends the story only.
 */
export async function tellOrders(stateDir: string, telling: Telling): Promise<void> {
  const { context, signal } = telling;
  const { bold, dim } = context.colours;
  try {
    const api = remoteApi(stateDir);
    context.print(`${bold('Two orders, by the trigger API')} ${dim(`POST /api/v1${TRIGGER}`)}`);
    context.print(`  amount 12000  ${await refusedOrder(api)}`);
    const { correlationId, answer } = await soldOrder(api, signal);
    context.print(`  amount 120    accepted as ${correlationId}; the flow answered ${JSON.stringify(answer?.body)}`);
    const run = await readBack(api, correlationId, signal);
    context.print(`  its run       ${told(run)}, execution ${run.id} on Node-RED`);
    const received = await telling.delivered(correlationId);
    context.print(`  its webhook   ${received.type} came to the receiver, rightly signed\n`);
  } catch (error) {
    if (signal.aborted) return;
    context.print(`  the story ends here: ${messageOf(error)}`);
  }
}

/**
 * Shows the two Integrations that run code of their own: one that was asked for, and one that ran on the event of the order before.
 * Whatever goes wrong is told, and ends the story only.
 */
export async function tellSyncs(
  stateDir: string,
  services: Pick<DemoServices, 'numbers'>,
  { context, signal }: Pick<Telling, 'context' | 'signal'>,
): Promise<void> {
  const { bold, dim } = context.colours;
  try {
    const operations = remoteOperations(stateDir);
    context.print(`${bold('Two Integrations, by code of their own,')} ${dim('as plumbline integrations tells')}`);
    const { result, commit } = await operations.run({ integration: 'crm-sync' });
    const { people, customers } = services.numbers;
    context.print(
      `  crm-sync        ${result} at ${commit.slice(0, 10)}: ${people} of ${customers} customers are in the CRM`,
    );
    const deadline = Date.now() + PATIENCE;
    while (services.numbers.events === 0 && Date.now() < deadline) await pause(LOOK_EVERY, undefined, { signal });
    const { events } = services.numbers;
    context.print(
      `  analytics-sync  ${events === 0 ? 'has counted no run yet' : `counted ${events} run(s), on their events`}\n`,
    );
  } catch (error) {
    if (!signal.aborted) context.print(`  the story ends here: ${messageOf(error)}`);
  }
}

async function refusedOrder(api: RemoteApi): Promise<string> {
  try {
    await api('POST', TRIGGER, { input: { id: 'B-1', customer: 'acme', amount: 12_000 } });
  } catch (error) {
    if (error instanceof ReconcilerError && error.code === 'refused-by-plugin')
      return `refused, and never sent to Node-RED: ${messageOf(error)}`;
    throw error;
  }
  return 'was not refused: the plugin order-limit is not in force';
}

/** The flow takes orders once Node-RED has started it, which may be a moment after it was deployed. */
async function soldOrder(api: RemoteApi, signal: AbortSignal) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    try {
      return TriggerAnswer.parse(await api('POST', TRIGGER, { input: { id: 'B-2', customer: 'acme', amount: 120 } }));
    } catch (error) {
      const early = error instanceof ReconcilerError && error.code === 'not-triggerable';
      if (!early || Date.now() > deadline) throw error;
      await pause(LOOK_EVERY, undefined, { signal });
    }
  }
}

async function readBack(api: RemoteApi, id: string, signal: AbortSignal) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const run = ExecutionJson.parse(await api('GET', `${PLATFORM}/executions/${id}`));
    if (run.endedAt !== undefined || Date.now() > deadline) return run;
    await pause(LOOK_EVERY, undefined, { signal });
  }
}
