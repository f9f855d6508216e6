import { expect } from 'chai';
import type { Execution } from '../../../src/drivers/driver.ts';
import type { N8nDriver } from '../../../src/drivers/n8n/n8n.ts';
import { ReconcilerError } from '../../../src/errors.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { never } from '../contract-steps.ts';
import { connectN8n, flow, node, webhook } from './harness.ts';
import type { Ground } from './references.ts';

/** Runs of workflows: counted, found again, begun. */
export function describeRuns({ server, client }: Ground): void {
  let driver: N8nDriver;
  beforeEach(async () => {
    await client().clear();
    driver = connectN8n(server().url, server().apiKey);
  });
  afterEach(() => driver[Symbol.asyncDispose]());

  async function published(name: string, definition: JsonObject): Promise<string> {
    const made = await client().call('POST', '/workflows', { name, ...definition });
    const id = made['id'] as string;
    await client().call('POST', `/workflows/${id}/activate`, {});
    await until(async () => ((await client().workflow(id))['triggerCount'] as number) > 0);
    return id;
  }
  const hit = (path: string): Promise<Response> => fetch(`${server().url}/webhook/${path}`, { method: 'POST' });
  const fails = node('Fail', 'stopAndError', { errorMessage: 'as it should' });

  it('are counted once each, whatever is deleted or retried between the looks', async () => {
    const good = await published('Good', flow([webhook('good'), node('Done', 'noOp')]));
    const bad = await published('Bad', flow([webhook('bad'), fails]));
    let { cursor } = await driver.executions(undefined, never);
    const seen: Execution[] = [];
    const look = async (): Promise<void> => {
      const page = await driver.executions(cursor, never);
      cursor = page.cursor;
      seen.push(...page.executions.filter(({ status }) => status !== 'running'));
    };
    for (const path of ['good', 'bad', 'good']) await hit(path);
    await until(async () => {
      await look();
      return seen.length >= 3;
    });
    const failed = seen.find(({ status }) => status === 'error');
    await client().call('DELETE', `/executions/${seen[0]?.id ?? ''}`);
    await client().call('POST', `/executions/${failed?.id ?? ''}/retry`, {});
    await hit('good');
    await until(async () => {
      await look();
      return seen.length >= 5;
    });
    await look();
    expect(new Set(seen.map(({ id }) => id)).size, 'each once').to.equal(seen.length);
    expect(
      seen.map(({ workflow, status }) => `${workflow === good ? 'good' : workflow === bad ? 'bad' : '?'} ${status}`),
    ).to.have.members(['good success', 'bad error', 'good success', 'bad error', 'good success']);
    expect(seen.some(({ trial }) => trial)).to.equal(false);
    for (const { startedAt, endedAt } of seen) expect(endedAt ?? 0).to.be.at.least(startedAt);
  });

  it('that somebody tries out in the editor are told as such', async () => {
    const start = node('Start', 'manualTrigger');
    const made = await client().call('POST', '/workflows', { name: 'Tried', ...flow([start, node('Done', 'noOp')]) });
    const { cursor } = await driver.executions(undefined, never);
    const id = made['id'] as string;
    const workflowData = await client().workflow(id);
    await server().editor('POST', `/rest/workflows/${id}/run`, {
      workflowData,
      triggerToStartFrom: { name: 'Start' },
    });
    const ended: Execution[] = [];
    await until(async () => {
      const { executions } = await driver.executions(cursor, never);
      ended.push(...executions.filter(({ status }) => status !== 'running'));
      return ended.length > 0;
    });
    expect(ended[0]).to.include({ workflow: id, status: 'success', trial: true });
  });

  it('that are under way are told when they end, although later ones ended before', async () => {
    const slow = await published(
      'Slow',
      flow([
        webhook('slow', { responseMode: 'onReceived' }),
        node('Wait', 'wait', { amount: 3, unit: 'seconds' }, { typeVersion: 1.1, webhookId: 'wait-1' }),
      ]),
    );
    const quick = await published('Quick', flow([webhook('quick'), node('Done', 'noOp')]));
    let { cursor } = await driver.executions(undefined, never);
    const ended: string[] = [];
    await hit('slow');
    await hit('quick');
    await until(async () => {
      const page = await driver.executions(cursor, never);
      cursor = page.cursor;
      ended.push(...page.executions.filter(({ status }) => status !== 'running').map(({ workflow }) => workflow));
      return ended.length >= 2;
    });
    expect(ended).to.deep.equal([quick, slow]);
  });

  it('that people begin are answered, and found again by what they were called with', async () => {
    const id = await published(
      'Echo',
      flow([
        webhook('echo'),
        node('Back', 'set', { values: { string: [{ name: 'said', value: '={{ $json.body.word }}' }] }, options: {} }),
      ]),
    );
    const correlation = crypto.randomUUID();
    let { cursor } = await driver.executions(undefined, never);
    const { answer } = await driver.trigger({ remote: id, input: { word: 'hello' }, correlation }, never);
    expect(answer?.status).to.equal(200);
    expect(answer?.body).to.deep.include({ said: 'hello' });
    let run: Execution | undefined;
    await until(async () => {
      const page = await driver.executions(cursor, never);
      cursor = page.cursor;
      run ??= page.executions.find(({ workflow }) => workflow === id);
      return run !== undefined;
    });
    expect((await driver.execution(run?.id ?? '', never))?.correlation).to.equal(correlation);
    expect(await driver.execution('999999', never)).to.equal(undefined);
  });

  it('cannot be begun where nothing listens: the error says what to add', async () => {
    const make = async (name: string, definition: JsonObject): Promise<string> =>
      (await client().call('POST', '/workflows', { name, ...definition }))['id'] as string;
    const refused = async (remote: string, entry?: string): Promise<string> => {
      const request = { remote, input: {}, correlation: 'c', ...(entry === undefined ? {} : { entry }) };
      const error: unknown = await driver.trigger(request, never).catch((thrown: unknown) => thrown);
      if (!(error instanceof ReconcilerError)) throw new Error('it was begun');
      return `${error.code ?? ''}: ${error.message} ${error.remedy ?? ''}`;
    };
    expect(await refused(await make('Bare', flow([node('Start', 'manualTrigger')])))).to.match(
      /^not-triggerable: .*no webhook node.*Add a node/,
    );
    expect(await refused(await make('Off', flow([webhook('off')])))).to.match(/not active/);
    const two = [webhook('one'), { ...webhook('two'), name: 'Second', id: 'second' }];
    expect(await refused(await make('Two', flow(two)))).to.match(/several webhook nodes.*"Webhook", "Second"/);
    const locked = await make('Locked', flow([webhook('locked', { authentication: 'headerAuth' })]));
    await client()
      .call('POST', `/workflows/${locked}/activate`, {})
      .catch(() => undefined);
    expect(await refused(locked)).to.match(/not-triggerable/);
    expect(await refused('nowhere')).to.match(/^not-found/);
  });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
