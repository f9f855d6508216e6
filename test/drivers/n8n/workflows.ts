import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { FaultProxy } from '../fault-proxy.ts';
import { observe } from '../contract-steps.ts';
import { N8nDesk, changesIn, troubles } from './desk.ts';
import { connectN8n, flow, node, webhook } from './harness.ts';
import { calls, manifest, nodeIn } from './references.ts';
import type { Ground } from './references.ts';

const EXPORTS = fileURLToPath(new URL('exports', import.meta.url));

/** Workflows over their life: written, edited, published, pruned. */
export function describeWorkflows({ server, client }: Ground): void {
  let desk: N8nDesk;
  beforeEach(async () => {
    await client().clear();
    desk = new N8nDesk(server());
  });
  afterEach(() => desk[Symbol.asyncDispose]());

  const order = (parameters: JsonObject = {}, settings?: JsonObject): JsonObject =>
    flow([webhook('order'), node('Set', 'noOp', parameters)], settings);
  const active = manifest('Workflow', 'order', {
    title: 'Order',
    active: true,
    definitionFrom: { file: 'order.json' },
  });
  const only = async (): Promise<JsonObject> => {
    const [one] = (await client().list('workflows')).filter(({ isArchived }) => isArchived !== true);
    return client().workflow(one?.id ?? '');
  };
  const call = async (path: string): Promise<number> =>
    (await fetch(`${server().url}/webhook/${path}`, { method: 'POST' })).status;

  it('raw exports with every oddity that real ones have are applied, and planned again there is nothing to do (law 1)', async () => {
    const requests: string[] = [];
    const onRequest = ({ method, route }: { method: string; route: string }): void =>
      void requests.push(`${method} ${route}`);
    await using raw = new N8nDesk(server(), { folder: EXPORTS, onRequest });
    const first = await raw.pass();
    expect(troubles(first).map((one) => one.slice(0, 20))).to.deep.equal(['twice-named.json: 2 ']);
    expect(first.outcomes).to.have.length(18);
    expect(changesIn(await raw.pass('plan'))).to.deep.equal([]);
    requests.length = 0;
    expect((await raw.pass()).result).to.equal('in-sync');
    expect(requests, 'a quiet pass only lists (law 10)').to.deep.equal([
      'GET /api/v1/tags',
      'GET /api/v1/credentials',
      'GET /api/v1/workflows',
    ]);
  });

  it('who is called what is looked up before many are written: among its own writes a listing would miss some', async () => {
    const requests: string[] = [];
    const onRequest = ({ method, route }: { method: string; route: string }): void =>
      void requests.push(`${method} ${route}`);
    await using many = new N8nDesk(server(), { onRequest });
    for (let number = 0; number < 40; number++)
      many.write(`w${number}.json`, { name: `W${number}`, ...flow([calls('Then', `Elsewhere ${number}`)]) });
    const { outcomes } = await many.pass();
    expect(outcomes.filter(({ status }) => status === 'applied')).to.have.length(40);
    const writes = [requests.indexOf('POST /api/v1/workflows'), requests.lastIndexOf('POST /api/v1/workflows')];
    expect(requests.slice(...writes)).to.not.include('GET /api/v1/workflows');
  });

  it('a workflow that is to run answers its webhook when its outcome is told, and does not after it left git', async () => {
    desk.write('order.json', order());
    desk.write('order.yaml', active);
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(await call('order')).to.equal(200);
    const { id } = await only();
    desk.write('other.json', { name: 'Other', ...flow([node('Start', 'manualTrigger')]) });
    await desk.pass();
    desk.delete('order.yaml');
    desk.delete('order.json');
    expect(changesIn(await desk.pass())).to.deep.equal(['delete Workflow/order']);
    expect(await call('order')).to.equal(404);
    const left = await client().workflow(id as string);
    expect([left['isArchived'], left['active']], 'archived, not deleted (law 14)').to.deep.equal([true, false]);
    expect((await client().call('GET', '/executions'))['data']).to.have.length(1);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('settings that leave git are cleared on n8n, which merges them, and stay so', async () => {
    desk.write(
      'order.json',
      order({}, { executionOrder: 'v1', timezone: 'Europe/Berlin', saveManualExecutions: false, executionTimeout: 60 }),
    );
    desk.write('order.yaml', active);
    expect(troubles(await desk.pass())).to.deep.equal([]);
    desk.write('order.json', order({}, { executionOrder: 'v1' }));
    expect(changesIn(await desk.pass())).to.deep.equal(['update Workflow/order']);
    const { settings } = (await only()) as { settings: JsonObject };
    expect(settings).to.not.have.property('timezone');
    expect(settings).to.not.have.property('executionTimeout');
    expect(settings['saveManualExecutions']).to.equal(true);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('ids that n8n made for webhooks survive an update', async () => {
    const nodes = [node('Hook', 'webhook', { path: 'kept' }, { typeVersion: 2 })];
    desk.write('order.json', { name: 'Order', ...flow(nodes) });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const made = nodeIn(await only(), 'Hook')['webhookId'];
    expect(made).to.be.a('string');
    desk.write('order.json', { name: 'Order', ...flow([...nodes, node('Set', 'noOp')]) });
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(nodeIn(await only(), 'Hook')['webhookId']).to.equal(made);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it("what is saved in the editor is drift: seen with the note intact, archived and reverted; the editor's own additions are none", async () => {
    desk.write('order.json', order());
    desk.write('order.yaml', active);
    await desk.pass();
    const { id, settings, nodes, connections } = await only();
    const path = `/rest/workflows/${id as string}`;
    const saved = { ...(settings as JsonObject), callerPolicy: 'workflowsFromSameOwner', availableInMCP: false };
    await server().editor('PATCH', path, { settings: saved, nodes, connections });
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
    await server().editor('PATCH', path, { nodes: [...(nodes as JsonObject[]), node('Mine', 'noOp')], connections });
    const report = await desk.pass();
    expect(changesIn(report)).to.deep.equal(['update Workflow/order']);
    expect(report.plan?.stages[0]?.[0]?.cause).to.equal('drift');
    expect(Object.keys(report.archived)).to.deep.equal(['Workflow/order']);
    expect(nodeIn(await only(), 'Mine')).to.deep.equal({});
    expect(await call('order'), 'it runs again').to.equal(200);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('an update that n8n saves and cannot publish leaves running what ran, and is told and seen until it is right', async () => {
    const taken = await client().call('POST', '/workflows', { name: 'Taken', ...flow([webhook('taken')]) });
    await client().call('POST', `/workflows/${taken['id'] as string}/activate`, {});
    desk.write('order.json', order());
    desk.write('order.yaml', active);
    expect(troubles(await desk.pass())).to.deep.equal([]);
    desk.write(
      'order.json',
      flow(
        [webhook('order'), webhook('taken', { path: 'taken' })].map((one, at) => ({
          ...one,
          name: `Hook ${at}`,
          id: `hook-${at}`,
        })),
      ),
    );
    const [trouble] = troubles(await desk.pass());
    expect(trouble).to.match(/^failed Workflow\/order: .*refused \((400|409)\)/);
    expect(await call('order'), 'the version before still runs').to.equal(200);
    expect(changesIn(await desk.pass('plan')), 'the draft is not mistaken for what runs').to.deep.equal([
      'update Workflow/order',
    ]);
    desk.write('order.json', order({ mended: true }));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('an updated workflow answers at its new address when its outcome is told, and the gap meanwhile is measured', async () => {
    desk.write('order.yaml', active);
    desk.write('order.json', flow([webhook('moved-0'), node('Set', 'noOp')]));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    for (let round = 1; round <= 5; round++) {
      desk.write('order.json', flow([webhook(`moved-${round}`), node('Set', 'noOp')]));
      expect(troubles(await desk.pass())).to.deep.equal([]);
      expect(await call(`moved-${round}`), `round ${round}`).to.equal(200);
      expect(await call(`moved-${round - 1}`), 'the old address is gone').to.equal(404);
    }
    const deaf: number[] = [];
    const over = new AbortController();
    const caller = (async () => {
      while (!over.signal.aborted) if ((await call('moved-5')) !== 200) deaf.push(performance.now());
    })();
    desk.write('order.json', flow([webhook('moved-5'), node('Set', 'noOp', { other: true })]));
    const { outcomes } = await desk.pass();
    over.abort();
    await caller;
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['applied']);
    const gap = (deaf.at(-1) ?? 0) - (deaf[0] ?? 0);
    console.log(`        a webhook that kept its address: ${deaf.length} calls unanswered within ${gap.toFixed(0)} ms`);
  });

  it('a schedule goes on while its workflow is updated, and the longest pause meanwhile is measured', async () => {
    const rule = { interval: [{ field: 'seconds', secondsInterval: 1 }] };
    const beat = node('Beat', 'scheduleTrigger', { rule }, { typeVersion: 1.2 });
    desk.write('order.yaml', active);
    desk.write('order.json', flow([beat, node('Set', 'noOp')]));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const { id } = await only();
    const runs = async (): Promise<readonly number[]> => {
      const { data } = await client().call('GET', `/executions?workflowId=${id as string}&limit=250`);
      return (data as { readonly startedAt: string }[])
        .map(({ startedAt }) => Date.parse(startedAt))
        .toSorted((one, other) => one - other);
    };
    const since = async (moment: number, count: number): Promise<void> => {
      while ((await runs()).filter((at) => at > moment).length < count) await pause(200);
    };
    await since(0, 2);
    const begin = Date.now();
    desk.write('order.json', flow([beat, node('Set', 'noOp', { other: true })]));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const end = Date.now();
    await since(end, 2);
    const all = await runs();
    const gaps = all.slice(1).map((at, index) => ({ at, gap: at - (all[index] ?? at) }));
    const longest = Math.max(...gaps.filter(({ at }) => at >= begin).map(({ gap }) => gap));
    console.log(
      `        a schedule of every second, updated within ${end - begin} ms: at most ${longest} ms between two runs`,
    );
    expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
  });

  it('an application is a tag of its workflows; tags of people stay', async () => {
    const theirs = await client().call('POST', '/tags', { name: 'mine' });
    desk.write('app.yaml', manifest('Application', 'order-desk', { title: 'Order desk' }));
    const spec = { title: 'Order', definitionFrom: { file: 'order.json' } };
    desk.write('order.json', order());
    desk.write('order.yaml', manifest('Workflow', 'order', { ...spec, application: 'order-desk' }));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    const { id, tags } = await only();
    expect((tags as JsonObject[]).map(({ name }) => name)).to.deep.equal(['Order desk']);
    const both = [...(tags as JsonObject[]), theirs].map((tag) => ({ id: tag['id'] ?? '' }));
    await client().call('PUT', `/workflows/${id as string}/tags`, both);
    expect(changesIn(await desk.pass('plan')), "people's tags are no difference").to.deep.equal([]);
    desk.write('order.yaml', manifest('Workflow', 'order', spec));
    expect(troubles(await desk.pass())).to.deep.equal([]);
    expect(((await only())['tags'] as JsonObject[]).map(({ name }) => name)).to.deep.equal(['mine']);
    const refused = async (given: object): Promise<readonly string[]> => {
      desk.write('app.yaml', manifest('Application', 'order-desk', given));
      const { plan } = await desk.pass();
      return (plan?.withheld ?? []).map(({ change, code, because }) => `${change.key} ${code}: ${because}`);
    };
    expect((await refused({ title: 'Bestellungen' }))[0]).to.match(/does not read like "order-desk"/);
    expect((await refused({ title: 'Order desk of the team in Berlin' }))[0]).to.match(/more than the 24 characters/);
    expect(await refused({ title: 'Order desk', environment: 'production', version: '2', owner: 'ops' })).to.deep.equal(
      [
        'Application/order-desk refused-by-platform: an Application is a tag on n8n, which has a name and no room for ' +
          'anything else: "environment", "version", "owner" would be lost.',
      ],
    );
    expect(await refused({ title: 'Order desk' })).to.deep.equal([]);
  });

  it('a listing beside which something is deleted misses nothing (the cursor is an offset)', async function () {
    this.timeout(120_000);
    await using driver = connectN8n(server().url, server().apiKey);
    const all = Array.from({ length: 260 }, (_, index) => ({
      name: `W${index}`,
      ...flow([node('Start', 'manualTrigger')]),
    }));
    await Promise.all(
      [0, 1, 2, 3].map(async (lane) => {
        for (const body of all.filter((_, index) => index % 4 === lane))
          await client().call('POST', '/workflows', body);
      }),
    );
    const before = await observe(driver, { kinds: ['Workflow'] });
    // Each page shows the last row of the page before once more: one row less is not enough to lose one.
    const gone = before.objects.slice(0, 2).map(({ remote }) => remote);
    await using proxy = await FaultProxy.start(server().url);
    await using beside = connectN8n(proxy.url, server().apiKey);
    proxy.rules.add({
      path: /\/workflows$/,
      nth: 2,
      action: {
        do: 'hold',
        at: 'before',
        tell: (held) =>
          void Promise.all(gone.map((id) => client().call('DELETE', `/workflows/${id}`))).then(() => held.release()),
      },
    });
    const { objects, listed } = await observe(beside, { kinds: ['Workflow'] });
    const live = new Set(await client().titles('Workflow'));
    expect(listed.get('Workflow')?.complete).to.equal(true);
    expect([...live].filter((title) => !objects.some((one) => one.title === title))).to.deep.equal([]);
    expect(live.size).to.equal(258);
  });
}
