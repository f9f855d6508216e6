import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { carryOver, describeCorpus } from './carry-over.ts';
import { N8nClient } from './client.ts';
import { N8nDesk, changesIn, suppliesIn, troubles } from './desk.ts';
import { flow, node, webhook } from './harness.ts';
import { calls, manifest, nodeIn } from './references.ts';
import type { Ground } from './references.ts';
import { promote } from './promotion.ts';
import { startN8n } from './server.ts';
import type { N8nServer } from './server.ts';

const EXPORTS = fileURLToPath(new URL('exports', import.meta.url));

/** What goes from one instance to another: exports of what is lived in, and one repository for several. */
export function describeInstances({ server, client }: Ground): void {
  let second: N8nServer;
  let other: N8nClient;
  before(async function () {
    this.timeout(600_000);
    second = await startN8n();
    other = new N8nClient(second.url, second.apiKey);
  });
  after(() => second[Symbol.asyncDispose]());
  beforeEach(async () => {
    await client().clear();
    await other.clear();
  });

  it('an export of what people made plans to adoptions without a difference, and gives the same on an empty instance', async () => {
    const data = { name: 'X-Api-Key', value: 'theirs' };
    const crm = await client().call('POST', '/credentials', { name: 'CRM', type: 'httpHeaderAuth', data });
    const notify = flow([
      node('Called', 'executeWorkflowTrigger', { inputSource: 'passthrough' }, { typeVersion: 1.1 }),
    ]);
    const called = await client().call('POST', '/workflows', { name: 'Notify', ...notify });
    const ask = node(
      'Ask',
      'httpRequest',
      { url: 'http://127.0.0.1:9/' },
      { typeVersion: 4.2, credentials: { httpHeaderAuth: { id: crm['id'] ?? '', name: 'an old name of it' } } },
    );
    const then = calls('Then', 'Notify');
    const bound = {
      ...then,
      parameters: {
        workflowId: { __rl: true, mode: 'list', value: called['id'] ?? '', cachedResultName: 'Someone — Notify' },
      },
    };
    const order = flow([webhook('order'), ask, bound], { executionOrder: 'v1', errorWorkflow: called['id'] ?? '' });
    const made = await client().call('POST', '/workflows', { name: 'Order: fulfil', ...order });
    const tag = await client().call('POST', '/tags', { name: 'Order desk' });
    await client().call('PUT', `/workflows/${made['id'] as string}/tags`, [{ id: tag['id'] ?? '' }]);

    await using origin = new N8nDesk(server());
    origin.terms = { gracePeriod: 0, adopt: 'matching' };
    const files = await origin.export();
    expect(files).to.have.members([
      'applications/order-desk.yaml',
      'integrations/crm.yaml',
      'workflows/notify.yaml',
      'workflows/notify.json',
      'workflows/order-fulfil.yaml',
      'workflows/order-fulfil.json',
    ]);
    const texts = files.map((file) => origin.read(file)).join('\n');
    for (const id of [crm['id'], called['id'], made['id'], tag['id']]) expect(texts).to.not.include(id);
    const plan = await origin.pass('plan');
    expect(troubles(plan)).to.deep.equal([]);
    const changes = plan.plan?.stages.flat() ?? [];
    expect(changes.map(({ verb }) => verb)).to.deep.equal(['adopt', 'adopt', 'adopt', 'adopt']);
    for (const change of changes) if (change.verb === 'adopt') expect(change.diff, change.key).to.deep.equal([]);
    expect(troubles(await origin.pass())).to.deep.equal([]);
    expect(changesIn(await origin.pass('plan'))).to.deep.equal([]);

    await using copy = new N8nDesk(second);
    for (const file of files) copy.write(file, origin.read(file));
    copy.terms = { gracePeriod: 0 };
    const applied = await copy.pass();
    expect(troubles(applied)).to.deep.equal([]);
    const open = [
      'integrations/crm.yaml Integration/crm: git gives no values for it, and nobody has filled it in on the platform.',
    ];
    expect(suppliesIn(applied), 'what a person has to supply is listed').to.deep.equal(open);
    expect([changesIn(await copy.pass()), suppliesIn(await copy.pass())]).to.deep.equal([[], open]);
    expect(suppliesIn(await origin.pass()), 'the origin has its values').to.deep.equal([]);
    expect(origin.read('integrations/crm.yaml')).to.match(
      /^# The platform keeps its values to itself\. .*spec\.secrets/,
    );
    await using again = new N8nDesk(second);
    await again.export();
    for (const file of files) expect(again.read(file), file).to.equal(origin.read(file));
  });

  it('exports with every oddity that real ones have, applied here, exported and applied there, are the same (printed file by file)', async () => {
    const fates = await carryOver(server(), second, EXPORTS);
    expect(
      fates.filter(({ refused }) => refused.length > 0).map(({ file }) => file),
      'n8n itself could not run it',
    ).to.deep.equal(['twice-named.json']);
  });

  describeCorpus(server, () => second);

  it('what runs on staging is promoted to production by moving a branch, and each keeps what is its own', async function () {
    this.timeout(300_000);
    await promote(server(), second);
  });

  it('one repository serves two instances with ids, secrets, variables and active flags of their own', async () => {
    const secrets = { value: { valueFrom: { env: 'ORDERS_KEY' } } };
    const files: Record<string, string | object> = {
      'crm.yaml': manifest('Integration', 'crm', {
        title: 'CRM',
        type: 'httpHeaderAuth',
        settings: { name: 'X-Api-Key' },
        secrets,
      }),
      'notify.json': {
        name: 'Notify',
        ...flow([node('Called', 'executeWorkflowTrigger', { inputSource: 'passthrough' }, { typeVersion: 1.1 })]),
      },
      'order.json': flow([
        webhook('order'),
        node(
          'Ask',
          'httpRequest',
          { url: '${crmUrl}/orders' },
          { typeVersion: 4.2, disabled: true, credentials: { httpHeaderAuth: { name: 'CRM' } } },
        ),
        { ...calls('Then', 'Notify'), disabled: true },
      ]),
      'order.yaml': manifest('Workflow', 'order', {
        active: false,
        template: true,
        definitionFrom: { file: 'order.json' },
      }),
      'overlays/production/order.yaml': manifest('Workflow', 'order', { active: true }),
    };
    await using staging = new N8nDesk(server());
    await using production = new N8nDesk(second);
    for (const [file, content] of Object.entries(files))
      for (const desk of [staging, production]) desk.write(file, content);
    staging.env['ORDERS_KEY'] = 'staging-secret';
    production.env['ORDERS_KEY'] = 'production-secret';
    staging.variables = { crmUrl: 'https://staging.example.com' };
    production.variables = { crmUrl: 'https://crm.example.com' };
    production.overlays = ['overlays/production'];
    for (const desk of [staging, production]) {
      expect(troubles(await desk.pass())).to.deep.equal([]);
      expect(changesIn(await desk.pass('plan'))).to.deep.equal([]);
    }
    const [here, there] = await Promise.all([client(), other].map(orderOf));
    expect([here?.['active'], there?.['active']]).to.deep.equal([false, true]);
    expect(urlOf(here)).to.equal('https://staging.example.com/orders');
    expect(urlOf(there)).to.equal('https://crm.example.com/orders');
    expect(nodeIn(here, 'Ask')['credentials']).to.not.deep.equal(nodeIn(there, 'Ask')['credentials']);
    expect((await fetch(`${second.url}/webhook/order`, { method: 'POST' })).status).to.equal(200);
    expect((await fetch(`${server().url}/webhook/order`, { method: 'POST' })).status).to.equal(404);

    production.env['ORDERS_KEY'] = 'rotated';
    expect(changesIn(await production.pass()), 'a rotated secret is one write').to.deep.equal([
      'update Integration/crm',
    ]);
    expect(changesIn(await production.pass())).to.deep.equal([]);
    expect(changesIn(await staging.pass())).to.deep.equal([]);
  });
}

async function orderOf(of: N8nClient): Promise<JsonObject> {
  const row = (await of.list('workflows')).find(({ name }) => name === 'order');
  return of.workflow(row?.id ?? '');
}

function urlOf(workflow: JsonObject | undefined): unknown {
  return (nodeIn(workflow, 'Ask')['parameters'] as JsonObject)['url'];
}
