import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { Triggered, TriggerRequest } from '../driver.ts';
import type { N8nApi } from './api.ts';
import { objectsOf, objectOf, textOf } from './shapes.ts';
import type { RawWorkflow } from './shapes.ts';
import { isWebhook, webhookCall } from './webhook-call.ts';

/** Characters of an answer that are handed on. */
const ANSWER_LIMIT = 64 * 1024;
/** Every status is an answer: what the workflow says is its own business. */
const ANSWERS = Array.from({ length: 500 }, (_, index) => 100 + index);

/**
 * Runs a workflow once, by calling one of its webhook nodes: n8n has no other way in.
 * @throws ReconcilerError `not-triggerable`, `not-found`, `outcome-unknown`, or as every request.
 */
export async function trigger(request: TriggerRequest, api: N8nApi, signal: AbortSignal): Promise<Triggered> {
  const workflow = await api.get('workflows', request.remote, signal);
  if (workflow === undefined || workflow.isArchived === true) {
    throw new ReconcilerError(`There is no workflow ${request.remote} on n8n.`, 'never', { code: 'not-found' });
  }
  const node = entryOf(workflow, request.entry);
  const call = webhookCall(node);
  if ('why' in call) throw untriggerable(workflow, call.why, call.remedy);
  const { method, route, params } = call;
  const isRead = method === 'GET';
  const answer = await api
    .open(
      {
        method,
        route,
        params,
        ...(isRead ? { query: queryOf(request.input) } : { body: request.input }),
        headers: { 'x-plumbline-correlation': request.correlation },
        idempotent: false,
        accept: ANSWERS,
      },
      signal,
    )
    .catch((error: unknown) => {
      if (!(error instanceof ReconcilerError) || error.code !== 'outcome-unknown') throw error;
      throw new ReconcilerError(error.message, 'never', { code: 'outcome-unknown', cause: error });
    });
  if (answer.status === 404 && /not registered/.test(answer.text))
    throw untriggerable(workflow, 'its webhook is not registered.', 'Publish the workflow again.');
  const body = answer.json ?? answer.text;
  const long = answer.text.length > ANSWER_LIMIT;
  return { answer: { status: answer.status, body: long ? answer.text.slice(0, ANSWER_LIMIT) : body } };
}

function entryOf(workflow: RawWorkflow, entry: string | undefined): JsonObject {
  const all = objectsOf(workflow.nodes).filter(isWebhook);
  const names = all.map((node) => `"${textOf(node['name']) ?? ''}"`).join(', ');
  if (all.length === 0)
    throw untriggerable(workflow, 'it has no webhook node.', 'Add a node of type Webhook that begins it.');
  const meant = entry === undefined ? all : all.filter((node) => node['name'] === entry);
  const [node, ...others] = meant;
  if (node === undefined)
    throw untriggerable(workflow, `it has no webhook node "${entry ?? ''}".`, `Name one of ${names}.`);
  if (others.length > 0) throw untriggerable(workflow, 'it has several webhook nodes.', `Name one of ${names}.`);
  if (!workflow.active) throw untriggerable(workflow, 'it is not active.', 'Set active: true.');
  const authentication = textOf(objectOf(node['parameters'])['authentication']) ?? 'none';
  if (authentication !== 'none')
    throw untriggerable(
      workflow,
      `its webhook wants ${authentication}, and n8n shows nobody the credential.`,
      'Add a webhook node without authentication, or call it from where the credential is known.',
    );
  return node;
}

function queryOf(input: JsonValue): Record<string, string> {
  return Object.fromEntries(
    Object.entries(objectOf(input)).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function untriggerable({ name }: RawWorkflow, why: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`The workflow "${name}" cannot be triggered: ${why}`, 'never', {
    code: 'not-triggerable',
    remedy,
  });
}
