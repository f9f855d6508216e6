import { setTimeout as pause } from 'node:timers/promises';
import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { N8nApi } from './api.ts';
import { isRefusal, notConfirmed, unread } from './errors.ts';
import { textOf } from './shapes.ts';
import type { RawWorkflow } from './shapes.ts';
import { isLive } from './view.ts';
import { isWebhook, webhookCall } from './webhook-call.ts';

/** Milliseconds that a published workflow may take until its triggers run: n8n works off a queue, about 7 a second. */
const LIVE_WITHIN = 30_000;
/** Milliseconds between two looks. */
const LOOK_EVERY = 100;
/** Nodes that surely register something when their workflow is published; others may well count as no trigger. */
const REGISTERS = /^n8n-nodes-base\.(webhook|formTrigger|scheduleTrigger|cron|interval)$/;

/** Publishes what is saved, or the version that is named. Doing it twice does no more than doing it once. */
export async function publish(id: string, api: N8nApi, signal: AbortSignal, version?: string): Promise<void> {
  const body = version === undefined ? {} : { versionId: version };
  const route = '/api/v1/workflows/:id/activate';
  await api.send({ method: 'POST', route, params: { id }, body, idempotent: true }, signal);
}

export async function unpublish(id: string, api: N8nApi, signal: AbortSignal): Promise<void> {
  const route = '/api/v1/workflows/:id/deactivate';
  await api.send({ method: 'POST', route, params: { id }, body: {}, idempotent: true }, signal);
}

/**
 * Waits until a published workflow really runs: n8n answers 130 to 290 ms before its webhooks and schedules do.
 * @throws ReconcilerError `not-confirmed` when it does not in time, `outcome-unknown` when it cannot be read.
 */
export async function untilLive(id: string, api: N8nApi, signal: AbortSignal): Promise<RawWorkflow> {
  const deadline = Date.now() + LIVE_WITHIN;
  for (;;) {
    const found = await readBack(id, api, signal);
    if (!found.active) throw notConfirmed(`the workflow "${found.name}" is not active`);
    const counted = !registers(found) || (found.triggerCount ?? 0) > 0;
    if (isLive(found) && counted && !(await isDeaf(found, api, signal))) return found;
    if (Date.now() > deadline) throw notConfirmed(`the triggers of the workflow "${found.name}" do not run`);
    await pause(LOOK_EVERY, undefined, { signal }).catch((cause: unknown) => {
      throw new ReconcilerError('Stopped while waiting for the triggers.', 'backoff', { code: 'aborted', cause });
    });
  }
}

/** What stands there after a write. @throws ReconcilerError `not-confirmed` when there is nothing. */
export async function readBack(id: string, api: N8nApi, signal: AbortSignal): Promise<RawWorkflow> {
  const found = await api.get('workflows', id, signal).catch((error: unknown) => {
    throw unread(`The workflow ${id}`, error);
  });
  if (found === undefined) throw notConfirmed(`the workflow ${id} is not there`);
  return found;
}

/**
 * Replaces a workflow. n8n saves the draft before it publishes it: when it refuses the second, the first has happened, and what
 * ran before may run no more. Then the version that ran is published again; the draft shows as a difference in the next pass.
 */
export async function replace(before: RawWorkflow, body: JsonObject, api: N8nApi, signal: AbortSignal): Promise<void> {
  const { id } = before;
  try {
    await api.send({ method: 'PUT', route: '/api/v1/workflows/:id', params: { id }, body }, signal);
  } catch (error) {
    if (isRefusal(error) && before.active) await republish(before, api, signal);
    throw error;
  }
}

async function republish(before: RawWorkflow, api: N8nApi, signal: AbortSignal): Promise<void> {
  const version = textOf(before.activeVersionId ?? undefined);
  try {
    const now = await api.get('workflows', before.id, signal);
    if (now === undefined || now.active || version === undefined) return;
    await publish(before.id, api, signal, version);
  } catch {
    // The refusal itself is what is told; that it does not run is seen, and mended, by the next pass.
  }
}

/**
 * Whether n8n says of a webhook of the workflow that it does not listen. The count of triggers does not tell: it stands while they are
 * exchanged. Asked as a browser asks before it calls another site, which runs nothing; no answer to that is no complaint.
 */
async function isDeaf({ nodes }: RawWorkflow, api: N8nApi, signal: AbortSignal): Promise<boolean> {
  for (const node of nodes.filter(isWebhook)) {
    const call = webhookCall(node);
    if ('why' in call) continue;
    const { method, route, params } = call;
    const headers = { origin: 'http://localhost', 'access-control-request-method': method };
    const accept = [200, 204, 400, 401, 403, 404, 405, 500];
    const asked = await api.open({ method: 'OPTIONS', route, params, headers, accept, idempotent: true }, signal);
    const allowed = asked.headers['access-control-allow-methods'];
    if (allowed !== undefined && !allowed.split(/\s*,\s*/).includes(method)) return true;
  }
  return false;
}

function registers({ nodes }: RawWorkflow): boolean {
  return nodes.some((node) => node['disabled'] !== true && REGISTERS.test(textOf(node['type']) ?? ''));
}
