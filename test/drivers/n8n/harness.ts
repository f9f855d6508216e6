import { N8nDriver } from '../../../src/drivers/n8n/n8n.ts';
import type { Connection } from '../../../src/drivers/driver.ts';
import type { JsonObject, JsonValue, Key, Kind } from '../../../src/manifest/manifest.ts';
import type { DriverHarness, RunningPlatform, Sample } from '../contract-harness.ts';
import { secretValue } from '../contract-steps.ts';
import { N8nClient } from './client.ts';
import { startN8n } from './server.ts';

const LIMITS = { concurrency: 4, requestsPerSecond: 10_000, timeout: 30_000 };

/** A driver connected with this key. */
export function connectN8n(url: string, key: string, more: Partial<Connection> = {}): N8nDriver {
  const token = secretValue(key);
  const auth = { token: () => Promise.resolve(token) };
  return new N8nDriver({ platform: 'test', url, auth, limits: LIMITS, onRequest: () => undefined, ...more });
}

interface Details {
  readonly changed?: JsonObject;
  readonly dependsOn?: readonly Key[];
  readonly secrets?: Readonly<Record<string, string>>;
  readonly open?: readonly string[];
}

function sample(key: Key, spec: JsonObject & { readonly title: string }, details: Details = {}): Sample {
  const { changed = {}, dependsOn = [], secrets = {}, open = [] } = details;
  const kind = key.slice(0, key.indexOf('/')) as Kind;
  return { key, kind, title: spec.title, spec, changed: { ...spec, ...changed }, dependsOn, secrets, open };
}

/** A node as n8n writes it. */
export function node(name: string, type: string, parameters: JsonObject = {}, more: JsonObject = {}): JsonObject {
  const id = `${name.replaceAll(/\W/g, '').toLowerCase().padEnd(8, '0').slice(0, 8)}-0000-4000-8000-000000000000`;
  return { id, name, type: `n8n-nodes-base.${type}`, typeVersion: 1, position: [0, 0], parameters, ...more };
}

/** Nodes in a row, each connected to the next. */
export function flow(nodes: readonly JsonObject[], settings: JsonObject = { executionOrder: 'v1' }): JsonObject {
  const connections: Record<string, JsonValue> = {};
  nodes.forEach(({ name }, index) => {
    const next = nodes[index + 1]?.['name'];
    if (typeof name === 'string' && next !== undefined)
      connections[name] = { main: [[{ node: next, type: 'main', index: 0 }]] };
  });
  return { nodes, connections, settings };
}

export function webhook(path: string, more: JsonObject = {}): JsonObject {
  const parameters = { path, httpMethod: 'POST', responseMode: 'lastNode', ...more };
  return node('Webhook', 'webhook', parameters, { typeVersion: 2, webhookId: `hook-${path}` });
}

const SAMPLES: readonly Sample[] = [
  sample('Application/orders', { title: 'Orders' }),
  sample(
    'Integration/crm',
    { title: 'CRM', type: 'httpHeaderAuth', settings: { name: 'X-Api-Key' } },
    { changed: { settings: { name: 'X-Key' } }, secrets: { value: 'crm-secret-1' }, open: ['/settings'] },
  ),
  sample(
    'Workflow/plain',
    { title: 'Plain', definition: flow([node('Start', 'manualTrigger')]) },
    { changed: { version: '2' }, open: ['/active'] },
  ),
  sample(
    'Workflow/notify',
    {
      title: 'Notify',
      definition: flow([node('Called', 'executeWorkflowTrigger', {}, { typeVersion: 1 }), node('Done', 'noOp')]),
    },
    {
      changed: { definition: flow([node('Called', 'executeWorkflowTrigger'), node('End', 'noOp')]) },
      open: ['/active'],
    },
  ),
  sample(
    'Workflow/fulfil',
    {
      title: 'Fulfil',
      application: 'orders',
      version: '1.5.2',
      active: true,
      definition: flow(
        [
          webhook('fulfil'),
          node(
            'Ask',
            'httpRequest',
            { url: 'http://127.0.0.1:9/', authentication: 'genericCredentialType', genericAuthType: 'httpHeaderAuth' },
            { typeVersion: 4.2, credentials: { httpHeaderAuth: { name: 'CRM' } } },
          ),
          node(
            'Tell',
            'executeWorkflow',
            { workflowId: { __rl: true, mode: 'list', value: '', cachedResultName: 'Notify' } },
            { typeVersion: 1.2, disabled: true },
          ),
        ],
        { executionOrder: 'v1', timezone: 'Europe/Berlin', saveManualExecutions: false },
      ),
    },
    {
      changed: {
        definition: flow([webhook('fulfil'), node('Ask', 'httpRequest', { url: 'http://127.0.0.1:9/now' })]),
      },
      dependsOn: ['Application/orders', 'Integration/crm', 'Workflow/notify'],
    },
  ),
];

function workflow(key: Key, title: string, text: string): Sample {
  const definition = flow([node('Start', 'manualTrigger'), node('Note', 'stickyNote', { content: text })]);
  return sample(key, { title, active: false, definition });
}

/** What the contract needs to know of n8n; servers are started as the suite asks for them. */
export const n8nHarness: DriverHarness = {
  start,
  samples: SAMPLES,
  workflow,
  moreThanAPage: 260,
  poisoned: sample('Workflow/bad', {
    title: 'Bad',
    definition: flow([node('Twice', 'noOp'), node('Twice', 'noOp', {}, { id: 'other' })]),
  }),
  refused: sample('Workflow/dangling', {
    title: 'Dangling',
    active: true,
    definition: flow([
      webhook('dangling'),
      node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name: 'Nobody' } } }),
    ]),
  }),
  emptySuccess: { code: 200, body: JSON.stringify({ id: 'ghost', name: 'Ghost', nodes: [], settings: {} }) },
  shortTimeout: 2_000,
  listing: /^\/api\/v1\/(workflows|credentials|tags)$/,
  skip: {
    events: 'n8n tells nobody through its API when something changes',
    'client-ids': 'n8n makes its ids by itself',
  },
};

async function start(): Promise<RunningPlatform> {
  const server = await startN8n();
  const client = new N8nClient(server.url, server.apiKey);
  const narrow = await server.keyWith(['workflow:list', 'workflow:read', 'credential:list', 'tag:list']);
  return {
    url: server.url,
    connect: ({ url = server.url, narrowed = false, limits = {}, onRequest = () => undefined } = {}) =>
      connectN8n(url, narrowed ? narrow : server.apiKey, { limits: { ...LIMITS, ...limits }, onRequest }),
    clear: () => client.clear(),
    hands: {
      kinds: ['Integration', 'Workflow'],
      make: (made) => client.make(made),
      edit: (kind, remote) => client.edit(kind, remote),
      copy: async (_kind, remote) => {
        // What the editor's "Duplicate" does: everything but ids is sent again, settings included.
        const { name, nodes, connections, settings } = await client.workflow(remote);
        const body = { name: `${JSON.stringify(name)} copy`, nodes, connections, settings };
        const copy = (await server.editor('POST', '/rest/workflows', body)) as { readonly id: string };
        return copy.id;
      },
    },
    truth: (kind) => client.titles(kind),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
