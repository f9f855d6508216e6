import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { TriggerRequest, Triggered } from '../driver.ts';
import type { DirectusClient } from './client.ts';
import { CORRELATION } from './executions.ts';
import { isUuid } from './ids.ts';
import { isObject, objectOf, textOf, textsOf, wordOf } from './json.ts';

/** Bytes of an answer that are handed on. */
const ANSWER_LIMIT = 64 * 1024;

/**
 * Runs a flow once: one with a webhook by its address, a manual one as if somebody had chosen it on a collection.
 * @throws ReconcilerError `not-found`, `not-triggerable`, `outcome-unknown`, or as every request.
 */
export async function trigger(
  client: DirectusClient,
  request: TriggerRequest,
  signal: AbortSignal,
): Promise<Triggered> {
  const { remote, input, correlation } = request;
  const filter = JSON.stringify({ id: { _eq: remote } });
  const { rows } = isUuid(remote)
    ? await client.list('/flows', { fields: 'id,name,status,trigger,options', filter }, signal)
    : { rows: [] };
  const [flow] = rows;
  if (flow === undefined) {
    throw new ReconcilerError(`There is no flow ${remote} on the platform.`, 'never', {
      code: 'not-found',
      remedy: 'Apply the workflow first.',
    });
  }
  const method = methodOf(flow, input);
  const answer = await client.send({
    method,
    route: '/flows/trigger/:id',
    params: { id: remote },
    headers: { [CORRELATION]: correlation },
    ...(method === 'GET' ? { query: queryOf(input) } : { body: input }),
    // Even a GET runs the flow: once only.
    idempotent: false,
    accept: [400, 403, 404, 422],
    signal,
  });
  const text = answer.text.length > ANSWER_LIMIT;
  return { answer: { status: answer.status, body: text ? answer.text.slice(0, ANSWER_LIMIT) : (answer.json ?? null) } };
}

function methodOf(flow: JsonObject, input: JsonValue): 'GET' | 'POST' {
  const { trigger: kind, status } = flow;
  const options = objectOf(flow['options']);
  if (status !== 'active')
    throw notTriggerable(flow, 'is inactive', 'Set active: true on the Workflow, or activate it on the platform.');
  if (kind === 'webhook') return options['method'] === 'POST' ? 'POST' : 'GET';
  if (kind !== 'manual') {
    const what = kind === null || kind === undefined ? 'has no trigger' : `is set off by ${wordOf(kind)}`;
    throw notTriggerable(flow, what, 'Give it the trigger webhook or manual, or let a flow with one run it.');
  }
  const collections = textsOf(options['collections']);
  const chosen = isObject(input) ? textOf(input['collection']) : undefined;
  if (chosen === undefined || !collections.includes(chosen)) {
    const remedy = `Send {"collection": …, "keys": […]} with one of ${collections.join(', ') || 'the collections that the flow is on (it has none)'}.`;
    throw notTriggerable(flow, 'is run by hand on items of a collection, and the input names none of its own', remedy);
  }
  return 'POST';
}

function queryOf(input: JsonValue): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(objectOf(input)).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function notTriggerable(flow: JsonObject, why: string, remedy: string): ReconcilerError {
  return new ReconcilerError(
    `The flow "${textOf(flow['name']) ?? ''}" ${why}, so that it cannot be run from here.`,
    'never',
    {
      code: 'not-triggerable',
      remedy,
    },
  );
}
