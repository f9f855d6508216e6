import { expect } from 'chai';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';
import type { N8nClient } from './client.ts';
import { firstStatus, statusAfter } from '../../../src/report/status.ts';
import { N8nDesk, changesIn, suppliesIn, troubles } from './desk.ts';
import { flow, node, webhook } from './harness.ts';
import type { N8nServer } from './server.ts';

export interface Ground {
  readonly server: () => N8nServer;
  readonly client: () => N8nClient;
}

/** A manifest with its definition beside it. */
export function manifest(kind: string, name: string, spec: object): string {
  return JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind, metadata: { name }, spec });
}

export function calls(name: string, target: string): JsonObject {
  const workflowId = { __rl: true, mode: 'list', value: '', cachedResultName: target };
  return node(name, 'executeWorkflow', { workflowId }, { typeVersion: 1.2 });
}

const CALLED = node('Called', 'executeWorkflowTrigger', { inputSource: 'passthrough' }, { typeVersion: 1.1 });

/** References by name, resolved on the platform and set right when it changes. */
export function describeReferences({ server, client }: Ground): void {
  let desk: N8nDesk;
  beforeEach(async () => {
    await client().clear();
    desk = new N8nDesk(server());
  });
  afterEach(() => desk[Symbol.asyncDispose]());

  it('credentials and sub-workflows are found by name, whatever their ids are here', async () => {
    desk.env['ORDERS_KEY'] = 'secret-1';
    const secrets = { value: { valueFrom: { env: 'ORDERS_KEY' } } };
    const crm = { title: 'CRM', type: 'httpHeaderAuth', settings: { name: 'X-Api-Key' }, secrets };
    desk.write('crm.yaml', manifest('Integration', 'crm', crm));
    const ask = node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { id: 'elsewhere', name: 'CRM' } } });
    desk.write('order.json', { name: 'Order', ...flow([webhook('order'), ask, calls('Then', 'Notify')]) });
    desk.write('notify.json', { name: 'Notify', ...flow([CALLED]) });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const [credential] = await client().list('credentials');
    const ids = new Map((await client().list('workflows')).map(({ name, id }) => [name, id]));
    const order = await client().workflow(ids.get('Order') ?? '');
    expect(nodeIn(order, 'Ask')['credentials']).to.deep.equal({ httpHeaderAuth: { id: credential?.id, name: 'CRM' } });
    expect(targetOf(order, 'Then')).to.equal(ids.get('Notify'));
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('workflows that call each other, and themselves, are written in one pass', async () => {
    const off = { disabled: true };
    const nodes = [webhook('ping'), { ...calls('To b', 'Pong'), ...off }, { ...calls('To a', 'Ping'), ...off }];
    desk.write('a.json', { name: 'Ping', ...flow([CALLED, ...nodes]) });
    desk.write(
      'a.yaml',
      manifest('Workflow', 'a', { title: 'Ping', active: true, definitionFrom: { file: 'a.json' } }),
    );
    desk.write('b.json', { name: 'Pong', ...flow([CALLED, calls('To a', 'Ping')]) });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const ids = new Map((await client().list('workflows')).map(({ name, id }) => [name, id]));
    const [ping, pong] = await Promise.all(['Ping', 'Pong'].map((name) => client().workflow(ids.get(name) ?? '')));
    expect(ping?.['active'], 'it runs, with what it calls').to.equal(true);
    expect(targetOf(ping, 'To b')).to.equal(ids.get('Pong'));
    expect(targetOf(ping, 'To a')).to.equal(ids.get('Ping'));
    expect(targetOf(pong, 'To a')).to.equal(ids.get('Ping'));
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('what leads nowhere is written by name where it does not run, and set right once it can be', async () => {
    const ask = node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name: 'Later' } } });
    desk.write('order.json', { name: 'Order', ...flow([webhook('order'), ask, calls('Then', 'Later too')]) });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(changesIn(await desk.pass('plan')), 'nothing can be done yet').to.deep.equal([]);
    const data = { name: 'X', value: 'y' };
    const made = await client().call('POST', '/credentials', { name: 'Later', type: 'httpHeaderAuth', data });
    expect(changesIn(await desk.pass()), 'the credential').to.deep.equal(['update Workflow/order']);
    const called = await client().call('POST', '/workflows', { name: 'Later too', ...flow([CALLED]) });
    expect(changesIn(await desk.pass()), 'the workflow').to.deep.equal(['update Workflow/order']);
    const order = (await client().list('workflows')).find(({ name }) => name === 'Order');
    expect(nodeIn(order, 'Ask')['credentials']).to.deep.equal({ httpHeaderAuth: { id: made['id'], name: 'Later' } });
    expect(targetOf(order, 'Then')).to.equal(called['id']);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('what does not run and leads nowhere is named before it is written, and listed until it is supplied, at no request', async () => {
    const requests: string[] = [];
    const onRequest = ({ method, route }: { method: string; route: string }): void =>
      void requests.push(`${method} ${route}`);
    await using watched = new N8nDesk(server(), { onRequest });
    const uses = (name: string, more: object = {}): JsonObject =>
      node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name } }, ...more });
    watched.write('order.json', { name: 'Order', ...flow([webhook('order'), uses('Later'), calls('Then', 'Too')]) });
    watched.write('idle.json', { name: 'Idle', ...flow([webhook('idle'), uses('Never', { disabled: true })]) });
    const credential =
      'order.json Workflow/order: the node "Ask" uses the httpHeaderAuth credential "Later", which is not on n8n.';
    const called = 'order.json Workflow/order: the node "Then" names the workflow "Too", which is not on n8n.';
    expect(suppliesIn(await watched.pass('plan')), 'before any write').to.deep.equal([credential, called]);
    const first = await watched.pass();
    expect(troubles(first)).to.deep.equal([]);
    expect(suppliesIn(first)).to.deep.equal([credential, called]);
    requests.length = 0;
    const quiet = await watched.pass();
    expect(quiet.result).to.equal('in-sync');
    expect(suppliesIn(quiet), 'a quiet pass tells it too').to.deep.equal([credential, called]);
    expect(requests).to.deep.equal(['GET /api/v1/tags', 'GET /api/v1/credentials', 'GET /api/v1/workflows']);
    const status = statusAfter(firstStatus(quiet, 0), quiet);
    expect(status.supply.map(({ key, message }) => `order.json ${key}: ${message}`)).to.have.members([
      called,
      credential,
    ]);
    expect(status.counts.supply).to.equal(2);

    watched.write('other.json', { name: 'Other', ...flow([CALLED]) });
    const commit = await watched.pass('apply', 'commit');
    expect(commit.look).to.equal('commit');
    expect(suppliesIn(commit), 'a commit about something else does not forget it').to.deep.equal([credential, called]);

    const data = { name: 'X', value: 'y' };
    await client().call('POST', '/credentials', { name: 'Later', type: 'httpHeaderAuth', data });
    expect(suppliesIn(await watched.pass()), 'one is supplied').to.deep.equal([called]);
    const too = await client().call('POST', '/workflows', { name: 'Too', ...flow([CALLED]) });
    expect(suppliesIn(await watched.pass()), 'so is the other').to.deep.equal([]);
    expect(suppliesIn(await watched.pass())).to.deep.equal([]);
    await client().call('DELETE', `/workflows/${too['id'] as string}`);
    expect(suppliesIn(await watched.pass()), 'and it is told when it goes').to.deep.equal([called]);
  });

  it('a credential that git gives no values is told as one to be filled in, until somebody has', async () => {
    desk.write('crm.yaml', manifest('Integration', 'crm', { title: 'CRM', type: 'httpHeaderAuth' }));
    const empty = 'crm.yaml Integration/crm: git gives no values for it, and nobody has filled it in on the platform.';
    expect(suppliesIn(await desk.pass('plan'))).to.deep.equal([empty]);
    expect(suppliesIn(await desk.pass())).to.deep.equal([empty]);
    expect(suppliesIn(await desk.pass())).to.deep.equal([empty]);
    const [crm] = await client().list('credentials');
    const data = { name: 'X-Api-Key', value: 'filled in by hand' };
    await client().call('PATCH', `/credentials/${crm?.id ?? ''}`, { data });
    const filled = await desk.pass();
    expect([changesIn(filled), suppliesIn(filled)]).to.deep.equal([[], []]);
  });

  it('what git names by an id is left by that id, whether this instance knows it or not', async () => {
    const known = await client().call('POST', '/workflows', { name: 'Known', ...flow([CALLED]) });
    const byId = (name: string, id: JsonValue): JsonObject =>
      node(name, 'executeWorkflow', { workflowId: id }, { id: name });
    desk.write('order.json', {
      name: 'Order',
      ...flow([CALLED, byId('here', known['id'] ?? ''), byId('elsewhere', 'x1')]),
    });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('what leads nowhere and is to run is refused in the plan, with the node (law 13)', async () => {
    const ask = node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name: 'Nobody' } } });
    desk.write('order.json', flow([webhook('order'), ask]));
    desk.write('order.yaml', manifest('Workflow', 'order', { active: true, definitionFrom: { file: 'order.json' } }));
    const { plan } = await desk.pass();
    expect(plan?.withheld.map(({ because }) => because)).to.deep.equal([
      'it is active, and the node "Ask" uses the httpHeaderAuth credential "Nobody", which is not on n8n.',
    ]);
    expect(plan?.withheld[0]?.change.origin?.file).to.equal('order.yaml');
    expect(await client().titles('Workflow')).to.deep.equal([]);
  });

  it('what a disabled node names keeps nothing from running, there or not, as n8n itself sees it', async () => {
    const idle = { ...calls('Then', 'Nobody'), disabled: true };
    desk.write('order.json', flow([webhook('order'), idle]));
    desk.write('order.yaml', manifest('Workflow', 'order', { active: true, definitionFrom: { file: 'order.json' } }));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const [order] = await client().list('workflows');
    expect(order?.['active']).to.equal(true);
    const quiet = await desk.pass();
    expect([changesIn(quiet), suppliesIn(quiet), quiet.plan?.withheld]).to.deep.equal([[], [], []]);
  });

  it('a credential that something running uses is not deleted under it', async () => {
    desk.env['ORDERS_KEY'] = 'secret-1';
    const secrets = { value: { valueFrom: { env: 'ORDERS_KEY' } } };
    const spec = { title: 'CRM', type: 'httpHeaderAuth', settings: { name: 'X' }, secrets };
    desk.write('crm.yaml', manifest('Integration', 'crm', spec));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const [crm] = await client().list('credentials');
    const credentials = { httpHeaderAuth: { id: crm?.id ?? '', name: 'CRM' } };
    const theirs = flow([
      webhook('theirs'),
      node('Ask', 'httpRequest', { url: 'http://127.0.0.1:9/' }, { credentials }),
    ]);
    const made = await client().call('POST', '/workflows', { name: 'Theirs', ...theirs });
    await client().call('POST', `/workflows/${made['id'] as string}/activate`, {});
    desk.write('other.json', { name: 'Other', ...flow([CALLED]) });
    desk.delete('crm.yaml');
    const { plan } = await desk.pass();
    expect(plan?.withheld.map(({ because }) => because)).to.deep.equal(['the active workflow "Theirs" uses it.']);
    expect(await client().titles('Integration')).to.deep.equal(['CRM']);
  });
}

export function nodeIn(workflow: JsonObject | undefined, name: string): JsonObject {
  const nodes = (workflow?.['nodes'] ?? []) as readonly JsonObject[];
  return nodes.find((one) => one['name'] === name) ?? {};
}

function targetOf(workflow: JsonObject | undefined, name: string): JsonValue | undefined {
  const parameters = nodeIn(workflow, name)['parameters'] as JsonObject | undefined;
  return (parameters?.['workflowId'] as JsonObject | undefined)?.['value'];
}
