import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { objectOf, textOf } from './shapes.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];

const WEBHOOK = 'n8n-nodes-base.webhook';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** How a webhook node is called in production. */
export interface WebhookCall {
  readonly method: Method;
  readonly route: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Why a webhook node cannot be called from outside without knowing more. */
export type Uncallable = { readonly why: string; readonly remedy: string };

export function isWebhook(node: JsonObject): boolean {
  return node['type'] === WEBHOOK && node['disabled'] !== true;
}

/** The production URL of a webhook node, as far as the node itself tells it. */
export function webhookCall(node: JsonObject): WebhookCall | Uncallable {
  const parameters = objectOf(node['parameters']);
  const wanted = parameters['httpMethod'] ?? 'GET';
  const first = Array.isArray(wanted) ? (wanted as readonly JsonValue[])[0] : wanted;
  const method = METHODS.find((one) => one === first);
  const path = textOf(parameters['path']) ?? textOf(node['webhookId']) ?? '';
  if (method === undefined || path.startsWith('='))
    return { why: 'its method or path is computed.', remedy: 'Write both out in the webhook node.' };
  if (/(^|\/):/.test(path))
    return { why: `its path "${path}" has parts that vary.`, remedy: 'Add a webhook node with a fixed path.' };
  const parts = path.split('/').filter((part) => part !== '');
  // Each part is a parameter of its own: a path never becomes part of what metrics call a route.
  const names = parts.map((_, index) => `part${LETTERS[index] ?? 'z'}`);
  return {
    method,
    route: `/webhook/${names.map((name) => `:${name}`).join('/')}`,
    params: Object.fromEntries(parts.map((part, index) => [names[index] ?? '', part])),
  };
}
