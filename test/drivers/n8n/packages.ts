import { expect } from 'chai';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { FaultProxy } from '../fault-proxy.ts';
import type { Action } from '../fault-rules.ts';
import { N8nDesk, changesIn, troubles } from './desk.ts';
import { connectN8n, flow, node, webhook } from './harness.ts';
import { calls, manifest } from './references.ts';
import type { Ground } from './references.ts';

const IMPORT = '/api/v1/n8n-packages/import';
const BETA = ['package-import'];

/** New workflows in packages, where n8n's beta import may be used. */
export function describePackages({ server, client }: Ground): void {
  let proxy: FaultProxy;
  beforeEach(async () => {
    await client().clear();
    proxy = await FaultProxy.start(server().url);
  });
  afterEach(() => proxy[Symbol.asyncDispose]());

  const emptyDesk = (apiKey: string = server().apiKey, beta: readonly string[] = BETA): N8nDesk =>
    new N8nDesk({ url: proxy.url, apiKey }, { beta });
  const fill = (desk: N8nDesk): N8nDesk => {
    for (let number = 1; number <= 9; number++)
      desk.write(`plain-${number}.json`, { name: `Plain ${number}`, ...flow([node('Start', 'manualTrigger')]) });
    return desk;
  };
  const deskWith = (apiKey?: string, beta?: readonly string[]): N8nDesk => fill(emptyDesk(apiKey, beta));
  const creates = (): readonly string[] =>
    proxy.writes
      .filter(({ method }) => method === 'POST')
      .map(({ path }) => path.replace(/\/[^/]+\/activate$/, '/:id'));
  const named = async (name: string): Promise<JsonObject> => {
    const [one, ...more] = (await client().list('workflows')).filter((workflow) => workflow.name === name);
    expect(more, `one workflow "${name}"`).to.have.length(0);
    return client().workflow(one?.id ?? '');
  };

  it('they are as they would be one by one: references, tags, what runs, markers; what a package would lose goes by itself', async () => {
    await using desk = emptyDesk();
    const ask = node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name: 'Not there' } } });
    desk.write('orders.yaml', manifest('Application', 'orders', { title: 'Orders' }));
    await desk.pass();
    fill(desk);
    const order = flow([webhook('packed'), node('Ok', 'noOp', {}, { notes: 'kept', retryOnFail: true })]);
    desk.write('order.json', order);
    const details = { title: 'Order', application: 'orders', active: true, definitionFrom: { file: 'order.json' } };
    desk.write('order.yaml', manifest('Workflow', 'order', details));
    desk.write('asks.json', { name: 'Asks', ...flow([node('Start', 'manualTrigger'), { ...ask, disabled: true }]) });
    desk.write('calls.json', { name: 'Calls', ...flow([node('Start', 'manualTrigger'), calls('To', 'Plain 1')]) });
    const pinned = { pinData: { Start: [{ json: { kept: true } }] } };
    desk.write('pinned.json', { name: 'Pinned', ...flow([node('Start', 'manualTrigger')]), ...pinned });
    const first = await desk.pass();
    expect(troubles(first)).to.deep.equal([]);
    expect(first.outcomes).to.have.length(13);
    const paths = creates();
    expect(paths.filter((path) => path === IMPORT)).to.have.length(1);
    expect(
      paths.filter((path) => path === '/api/v1/workflows'),
      'one with pinned data, and one that calls another of them',
    ).to.have.length(2);
    expect(changesIn(await desk.pass('plan')), 'law 1').to.deep.equal([]);
    expect((await fetch(`${server().url}/webhook/packed`, { method: 'POST' })).status).to.equal(200);
    const written = await named('Order');
    expect((written['tags'] as readonly JsonObject[]).map(({ name }) => name)).to.deep.equal(['Orders']);
    expect((await named('Pinned'))['pinData']).to.deep.equal(pinned.pinData);
    expect(JSON.stringify((await named('Calls'))['nodes'])).to.contain(JSON.stringify((await named('Plain 1'))['id']));
    expect(await client().list('credentials'), 'nothing is made that git does not name').to.deep.equal([]);
    expect(JSON.stringify((await named('Plain 3'))['settings'])).to.contain('Workflow/plain-3');
  });

  it('without the word in spec.beta, and for a few workflows, none is used', async () => {
    await using desk = deskWith(server().apiKey, []);
    await desk.pass();
    expect(creates()).not.to.contain(IMPORT);
    expect(creates()).to.have.length(9);
    await client().clear();
    await using few = emptyDesk();
    few.write('one.json', { name: 'One', ...flow([node('Start', 'manualTrigger')]) });
    proxy.forget();
    await few.pass();
    expect(creates()).to.deep.equal(['/api/v1/workflows']);
  });

  const refusals: readonly (readonly [string, Action])[] = [
    ['n8n refuses it', { do: 'status', code: 400, body: '{"message":"Package failed validation"}' }],
    ['n8n has no such route', { do: 'status', code: 404 }],
    [
      'the licence does not cover it',
      { do: 'status', code: 403, body: '{"message":"Your license does not allow it"}' },
    ],
  ];
  for (const [what, action] of refusals)
    it(`${what}: each of its workflows is created by itself (law 8)`, async () => {
      await using desk = deskWith();
      proxy.rules.add({ path: /n8n-packages\/import$/, action });
      expect(troubles(await desk.pass())).to.deep.equal([]);
      expect(creates().filter((path) => path === '/api/v1/workflows')).to.have.length(9);
      expect(await client().list('workflows')).to.have.length(9);
    });

  it('a package that was refused half-way leaves nothing twice', async () => {
    await using desk = deskWith();
    // All of it is written; then n8n says no, as it does when one of the later ones fails.
    proxy.rules.add({ path: /n8n-packages\/import$/, action: { do: 'status', code: 400, late: true } });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(creates()).to.deep.equal([IMPORT]);
    expect(await client().list('workflows')).to.have.length(9);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  for (const when of ['before', 'after'] as const)
    it(`the connection breaks ${when} n8n has it: nothing is sent again before it was looked, and nothing is there twice (law 6)`, async () => {
      await using desk = deskWith();
      proxy.rules.add({ path: /n8n-packages\/import$/, nth: 1, action: { do: 'reset', when } });
      const first = await desk.pass();
      expect(first.outcomes.map(({ status }) => status)).to.deep.equal(Array.from({ length: 9 }, () => 'failed'));
      expect(creates()).to.deep.equal([IMPORT]);
      expect(troubles(await desk.pass())).to.deep.equal([]);
      expect(await client().list('workflows')).to.have.length(9);
      expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
    });

  it('a key without "workflow:import" is told of by check, and each is created by itself', async () => {
    const scopes = ((await server().editor('GET', '/rest/api-keys/scopes')) as string[]).filter(
      (scope) => scope !== 'workflow:import',
    );
    const key = await server().keyWith(scopes);
    await using driver = connectN8n(server().url, key, { beta: BETA });
    const { notes } = await driver.probe(new AbortController().signal);
    expect(notes.join('\n')).to.contain('lacks "workflow:import"');
    await using desk = deskWith(key);
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(await client().list('workflows')).to.have.length(9);
  });
}
