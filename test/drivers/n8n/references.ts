import { expect } from 'chai';
import type { JsonObject, JsonValue } from '../../../src/manifest/manifest.ts';
import type { N8nClient } from './client.ts';
import { N8nDesk, changesIn, troubles } from './desk.ts';
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
