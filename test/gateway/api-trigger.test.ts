import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { ApiPlace } from './api-place.ts';
import type { Asked } from './api-place.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('Triggering a workflow over the API', () => {
  let place: ApiPlace;
  beforeEach(async () => {
    place = await ApiPlace.create();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const correlationOf = ({ json }: Asked): string =>
    String(json['correlationId'] ?? (json['error'] as Record<string, unknown>)['correlationId']);
  const execution = (id: string, token?: string): Promise<Asked> =>
    place.ask('GET', `/platforms/node-red/executions/${id}`, token === undefined ? {} : { token });
  const counted = async (result: string): Promise<boolean> =>
    (await place.metrics.text()).includes(
      `plumbline_triggers_total{platform="node-red",workflow="order-fulfillment",result="${result}"} 1`,
    );

  it('runs what git calls by that name, and answers 202 with a correlation id, the execution and what the workflow said', async () => {
    place.runner.says = { done: true };
    const answer = await place.trigger({ body: { input: { order: 42 }, entry: 'start' } });
    expect(answer.status).to.equal(202);
    expect(answer.json).to.include({ status: 'accepted', execution: 'run-1' });
    expect(answer.json['answer']).to.deep.equal({ status: 200, body: { done: true } });
    const [run] = place.runner.runs;
    expect(JSON.parse(run?.text ?? '')).to.deep.equal({
      workflow: 'remote-order-fulfillment',
      correlation: correlationOf(answer),
      input: { order: 42 },
      entry: 'start',
    });
    expect(correlationOf(answer)).to.match(UUID);
    expect(await counted('accepted')).to.equal(true);
  });

  it('runs only what a Sync owns on that platform; a workflow, a platform and a name that are not there look the same', async () => {
    const answers = [
      await place.trigger({ workflow: 'unknown' }),
      await place.trigger({ platform: 'unknown' }),
      await place.trigger({ platform: 'other', workflow: 'invoices' }),
    ];
    expect(answers.map(({ status }) => status)).to.deep.equal([404, 404, 404]);
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1);
    expect(place.runner.requests).to.equal(0);
  });

  it('never sends the platform an input that a plugin refuses, and says which plugin and why', async () => {
    place.checkTrigger = async ({ workflow, input }) =>
      workflow === 'order-fulfillment' && Number((input as { amount?: number }).amount) > 10_000
        ? [{ plugin: 'order-limit', message: 'The amount exceeds 10,000.', remedy: 'Order less.' }]
        : [];
    const refused = await place.trigger({ body: { input: { amount: 10_001 } } });
    expect([refused.status, refused.code]).to.deep.equal([422, 'refused-by-plugin']);
    expect(refused.json['error']).to.include({ plugin: 'order-limit', message: 'The amount exceeds 10,000.' });
    expect(place.runner.requests).to.equal(0);
    expect(await counted('refused')).to.equal(true);
    expect((await place.trigger({ body: { input: { amount: 10_000 } } })).status).to.equal(202);
  });

  it('runs nothing when a plugin cannot tell: that is a failure here, not one of the input', async () => {
    const error = new ReconcilerError('It hangs.', 'backoff', { code: 'plugin-timeout' });
    place.checkTrigger = async () => [{ plugin: 'hanging', message: 'It cannot tell.', remedy: 'Mend it.', error }];
    const failed = await place.trigger();
    expect([failed.status, failed.code, failed.headers['retry-after']]).to.deep.equal([503, 'plugin-failed', '5']);
    place.checkTrigger = () => Promise.reject(error);
    expect((await place.trigger()).status).to.equal(503);
    expect(place.runner.requests).to.equal(0);
  });

  it('says 409 with the reason and what to add where nothing can start the workflow, and where no driver can', async () => {
    place.runner.mode = 'refuse';
    const refused = await place.trigger();
    expect([refused.status, refused.code]).to.deep.equal([409, 'not-triggerable']);
    expect(refused.json['error']).to.include({ remedy: 'Add a start node.' });
    place.own('plain', 'order-fulfillment');
    const plain = await place.trigger({ platform: 'plain' });
    expect([plain.status, plain.code]).to.deep.equal([409, 'not-triggerable']);
    place.runner.mode = 'gone';
    expect((await place.trigger()).status).to.equal(409);
    expect((await execution(correlationOf(refused))).json).to.include({ status: 'not-started' });
  });

  it('says 503 when the platform is down', async () => {
    place.own('dead', 'order-fulfillment');
    const down = await place.trigger({ platform: 'dead' });
    expect([down.status, down.code]).to.deep.equal([503, 'platform-unreachable']);
  });

  it('says 502 with the correlation id when nobody knows whether it began, and never asks twice', async () => {
    place.runner.mode = 'lose';
    const lost = await place.trigger();
    expect([lost.status, lost.code]).to.deep.equal([502, 'outcome-unknown']);
    expect((lost.json['error'] as { remedy: string }).remedy).to.contain(correlationOf(lost));
    expect(place.runner.runs).to.have.lengthOf(1);
    expect((await execution(correlationOf(lost))).json).to.include({ status: 'unknown' });
    place.ledger.runs.saw(
      'node-red',
      place.runner.runs.map(({ execution }) => execution),
    );
    expect((await execution(correlationOf(lost))).json).to.include({ status: 'running', id: 'run-1' });
  });

  it('writes the intent down before it asks the platform: killed in between, it is known as unknown afterwards', async () => {
    place.runner.mode = 'hold';
    const key = { 'idempotency-key': 'first' };
    const underWay = place.trigger({ headers: key }).catch(() => undefined);
    while (place.runner.runs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const { correlation = '' } = place.runner.runs[0]?.execution ?? {};
    expect(place.ledger.runs.find('node-red', correlation)?.state).to.equal('intended');
    // What a start does first when the process before it was killed here.
    expect(place.ledger.runs.recover()).to.equal(1);
    expect((await execution(correlation)).json).to.include({ status: 'unknown' });
    place.runner.release();
    await underWay;
  });

  it('follows an execution by correlation or id until it has ended, and then asks the platform no more', async () => {
    const answer = await place.trigger();
    const correlation = correlationOf(answer);
    expect((await execution(correlation)).json).to.include({
      id: 'run-1',
      status: 'running',
      workflow: 'order-fulfillment',
    });
    place.runner.end(0, 'error', 'no stock');
    const ended = (await execution('run-1')).json;
    expect(ended).to.include({ correlationId: correlation, status: 'failed', error: 'no stock' });
    expect(ended).to.include({ startedAt: '2027-01-15T08:00:00.000Z', endedAt: '2027-01-15T08:00:01.000Z' });
    const asked = place.runner.requests;
    expect((await execution(correlation)).json).to.deep.equal(ended);
    expect(place.runner.requests).to.equal(asked);
  });

  it('says accepted until the platform tells which execution it is', async () => {
    place.runner.tells = false;
    const answer = await place.trigger();
    expect(answer.json).to.not.have.property('execution');
    expect((await execution(correlationOf(answer))).json).to.include({ id: correlationOf(answer), status: 'accepted' });
    place.runner.end(0, 'success');
    place.ledger.runs.saw(
      'node-red',
      place.runner.runs.map((run) => run.execution),
    );
    expect((await execution(correlationOf(answer))).json).to.include({ id: 'run-1', status: 'succeeded' });
  });

  it('lists recent runs of a workflow, asked for and seen, newest first', async () => {
    await place.trigger();
    await place.trigger({ workflow: 'invoices' });
    const seen = { id: 'seen', workflow: 'remote-invoices', status: 'success', startedAt: 1, endedAt: 2 } as const;
    place.ledger.runs.saw('node-red', [seen]);
    const list = async (query: string) =>
      ((await place.ask('GET', `/platforms/node-red/executions${query}`)).json['executions'] as { id: string }[]).map(
        ({ id }) => id,
      );
    expect(await list('')).to.deep.equal(['seen', 'run-2', 'run-1']);
    expect(await list('?workflow=invoices&limit=1')).to.deep.equal(['seen']);
    expect(await list('?workflow=order-fulfillment')).to.deep.equal(['run-1']);
    expect((await place.ask('GET', '/platforms/node-red/executions?limit=0')).status).to.equal(400);
  });

  describe('with an Idempotency-Key', () => {
    const keyed = (key: string, more: object = {}): Promise<Asked> =>
      place.trigger({ headers: { 'idempotency-key': key }, ...more });

    it('gives the first answer again for a day, also after a restart, and runs nothing again', async () => {
      place.runner.says = 'done';
      const first = await keyed('one');
      await place.restart();
      place.runner.says = 'something else';
      const again = await keyed('one');
      expect([again.status, again.text]).to.deep.equal([202, first.text]);
      expect(again.headers['idempotency-replayed']).to.equal('true');
      expect(first.headers['idempotency-replayed']).to.equal(undefined);
      expect(place.runner.runs).to.have.lengthOf(1);
      place.now += 24 * 3600 * 1000 + 1;
      expect((await keyed('one')).json['correlationId']).to.not.equal(correlationOf(first));
      expect(place.runner.runs).to.have.lengthOf(2);
    });

    it('says 409 while the first call is under way', async () => {
      place.runner.mode = 'hold';
      const first = keyed('one');
      while (place.runner.runs.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const second = await keyed('one');
      expect([second.status, second.code]).to.deep.equal([409, 'idempotency-key-in-use']);
      place.runner.release();
      expect((await first).status).to.equal(202);
      expect(place.runner.runs).to.have.lengthOf(1);
    });

    it('counts per token and workflow, and not for another input', async () => {
      await keyed('one');
      const other = await keyed('one', { body: { input: { order: 43 } } });
      expect([other.status, other.code]).to.deep.equal([422, 'idempotency-key-reused']);
      await keyed('one', { workflow: 'invoices' });
      await keyed('one', { token: place.token('trigger') });
      expect(place.runner.runs).to.have.lengthOf(3);
    });

    it('is free again where surely nothing ran, and stands where something may have', async () => {
      place.runner.mode = 'refuse';
      expect((await keyed('one')).status).to.equal(409);
      place.checkTrigger = async () => [{ plugin: 'limit', message: 'No.', remedy: 'Less.' }];
      expect((await keyed('one')).status).to.equal(422);
      place.checkTrigger = async () => [];
      place.runner.mode = 'lose';
      const lost = await keyed('one');
      place.runner.mode = 'answer';
      const again = await keyed('one');
      expect([lost.status, again.status, again.text]).to.deep.equal([502, 502, lost.text]);
      expect(place.runner.runs).to.have.lengthOf(1);
    });

    it('has to be one', async () => {
      expect((await keyed('x'.repeat(201))).status).to.equal(400);
      expect((await keyed(randomUUID())).status).to.equal(202);
    });
  });
});
