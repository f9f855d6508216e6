import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as immediate } from 'node:timers/promises';
import { expect } from 'chai';
import type { StatusResult } from '../../src/daemon/operations.ts';
import { call, login } from '../drivers/node-red/operator-node-red.ts';
import { Desk, type Running } from './binary.ts';

const REPOSITORY = join('.plumbline', 'demo', 'repo');
const FLOW = join(REPOSITORY, 'workflows', 'order-fulfillment.json');

/** One story, each test going on where the last one ended: what a new user does in the first minutes. */
describe('the demo', function () {
  this.timeout(120_000);
  let desk: Desk;
  let demo: Running;
  let editor = '';

  const begin = async (): Promise<void> => {
    demo = desk.start('demo', '--listen', '127.0.0.1:0');
    const guide = await demo.until('in sync', () => /editor +(http:\S+)[^]*Ctrl-C/.exec(demo.out) ?? undefined);
    editor = guide[1] ?? '';
  };
  /** What the flow answers to an order without an amount: a text that stands in git. */
  const complaint = async (): Promise<unknown> => {
    // Node-RED never answers a request that is under way while its nodes are replaced.
    const signal = AbortSignal.timeout(2000);
    const headers = { 'content-type': 'application/json' };
    const order = { method: 'POST', headers, body: '{"id": "A-1", "customer": "acme"}', signal };
    const answer = await fetch(`${editor}/orders`, order).catch(() => undefined);
    const json = (await answer?.json().catch(() => undefined)) as { error?: unknown } | undefined;
    return json?.error;
  };
  const edit = async (from: string, to: string): Promise<void> => {
    desk.write(FLOW, readFileSync(join(desk.dir, FLOW), 'utf8').replace(from, to));
    await desk.commit(REPOSITORY, to);
  };
  const interrupt = async (): Promise<void> => {
    demo.child.kill('SIGINT');
    expect(await demo.exit(), demo.err).to.equal(0);
    expect(demo.out).to.include('Stopped.');
  };

  before(async () => {
    desk = new Desk();
    await begin();
  });
  after(() => {
    demo?.child.kill('SIGKILL');
    desk?.remove();
  });

  it('shows two orders: one that a plugin refuses, one that runs, with its run and its webhook', async () => {
    expect(demo.out).to.match(/amount 12000 +refused, and never sent to Node-RED: .*12000 exceeds the limit of 10000/);
    const accepted = /amount 120 +accepted as ([0-9a-f-]{36}); the flow answered (.*)/.exec(demo.out);
    expect(JSON.parse(accepted?.[2] ?? 'null'), demo.out).to.include({ status: 'accepted', order: 'B-2' });
    const run = /its run +succeeded in \d+ ms, execution (\S+) on Node-RED/.exec(demo.out)?.[1];
    expect(demo.out).to.match(/its webhook +workflow\.succeeded came to the receiver, rightly signed/);
    const [{ executions }, { deliveries }] = await Promise.all([
      desk.json<{ executions: readonly Record<string, unknown>[] }>('executions', '--workflow', 'order-fulfillment'),
      desk.json<{ deliveries: readonly { state: string; event: { id: string } }[] }>('deliveries'),
    ]);
    const asked = executions.filter(({ correlationId }) => correlationId !== undefined);
    expect(
      asked.map(({ id, correlationId }) => [id, correlationId]),
      'the refused one never ran',
    ).to.deep.equal([[run, accepted?.[1]]]);
    expect(deliveries.some(({ state, event }) => state === 'done' && event.id.includes(String(run)))).to.equal(true);
  });

  it('syncs customers to a CRM and runs to analytics, by code of their own, and gives up what breaks the schema', async () => {
    await demo.until('synced', () =>
      /crm-sync +success at [0-9a-f]{10}: 2 of 3 customers are in the CRM/.test(demo.out),
    );
    await demo.until('counted', () => /analytics-sync +counted \d+ run\(s\), on their events/.test(demo.out));
    const { integrations } = await desk.json<{ integrations: readonly Record<string, string>[] }>('integrations');
    expect(integrations.map(({ integration, waiting }) => `${integration} ${waiting}`)).to.deep.equal([
      'analytics-sync 0',
      'crm-sync 0',
    ]);
    const letters = readFileSync(integrations[1]?.['deadLetters'] ?? '', 'utf8')
      .trim()
      .split('\n');
    expect(letters).to.have.length(1);
    expect(JSON.parse(letters[0] ?? '{}')).to.deep.include({
      key: 'C-3',
      reason: 'it breaks the schema: /email must match format "email"',
    });
  });

  it('brings up a flow that takes orders, and says where everything is', async () => {
    const answer = await call(editor, undefined, ['POST', '/orders', { id: 'A-1', customer: 'acme', amount: 120 }]);
    expect(answer.json).to.include({ status: 'accepted', order: 'A-1' });
    for (const place of ['repository', 'metrics', 'user maker', 'curl']) expect(demo.out).to.include(place);
    expect(demo.err).to.equal('');
  });

  it('puts an edit in force when it is committed, and tells what it did', async () => {
    await edit('amount must be a number above 0', 'the amount is missing');
    await demo.until('live', async () => (await complaint()) === 'the amount is missing');
    await demo.until('told', () => /applied +Updated Workflow\/order-fulfillment/.test(demo.out));
  });

  it('answers the status of a second shell', async () => {
    const status = await demo.until('ready', async () => {
      const told = await desk.json<StatusResult>('status');
      return told.syncs[0]?.conditions[0]?.status === 'True' ? told : undefined;
    });
    expect(status.syncs[0]?.counts).to.include({ drifted: 0, withheld: 0, problems: 0 });
  });

  it('reverts what a maker changes in the editor, keeps a copy, and names the maker', async () => {
    const password = readFileSync(join(desk.dir, '.plumbline', 'demo', 'secrets', 'maker-password'), 'utf8').trim();
    const token = await login(editor, 'maker', password);
    const { json } = await call(editor, token, ['GET', '/flows'], { 'Node-RED-API-Version': 'v2' });
    const { rev, flows } = json as { rev: string; flows: { name?: string; func?: string }[] };
    const changed = flows.map((node) =>
      node.name === 'Reserve stock' ? { ...node, func: `// quick fix\n${node.func}` } : node,
    );
    const sent = await call(editor, token, ['POST', '/flows', { rev, flows: changed }], {
      'Node-RED-API-Version': 'v2',
      'Node-RED-Deployment-Type': 'nodes',
    });
    expect(sent.status).to.equal(200);
    await demo.until('found', () => /drift-found +Workflow\/order-fulfillment .* by maker/.test(demo.out));
    await demo.until('reverted', () =>
      /drift-reverted +Reverted Workflow\/order-fulfillment, .* by maker .*archived as a\d/.test(demo.out),
    );
  });

  it('ends with 0 on Ctrl-C, and goes on where it was the next time, without a needless change', async () => {
    await interrupt();
    await begin();
    expect(demo.out).to.include(`Going on with the git repository ${REPOSITORY}.`);
    expect(demo.out, 'the story again').to.match(/amount 12000 +refused[^]*amount 120 +accepted[^]*rightly signed/);
    expect(demo.out).to.not.match(/^\S+ +(applied|drift)/m);
    expect(await complaint()).to.equal('the amount is missing');
  });

  it('killed in the middle of a write, it converges at the next start: nothing lost, nothing twice', async () => {
    const ledger = new DatabaseSync(join(desk.dir, '.plumbline', 'ledger.db'), { readOnly: true });
    const open = ledger.prepare('SELECT count(*) AS count FROM intent');
    await edit('the amount is missing', 'how much?');
    const deadline = Date.now() + 30_000;
    // Looked at as often as possible: the write takes some milliseconds only.
    while (Number(open.get()?.['count']) === 0) {
      expect(Date.now(), demo.out).to.be.lessThan(deadline);
      await immediate();
    }
    demo.child.kill('SIGKILL');
    await demo.exit();
    ledger.close();
    await begin();
    await demo.until('converged', async () => (await complaint()) === 'how much?');
    const { syncs } = await desk.json<StatusResult>('status');
    expect(syncs[0]?.conditions[0]?.status, JSON.stringify(syncs[0]?.withheld)).to.equal('True');
    const exported = await desk.run(
      'export',
      'node-red',
      '--out',
      'export',
      '-o',
      'json',
      '--config',
      '.plumbline/demo/plumbline.yaml',
    );
    expect(JSON.parse(exported.out))
      .to.have.property('counts')
      .that.includes({ Application: 1, Workflow: 2, Integration: 3 });
    await interrupt();
  });
});
