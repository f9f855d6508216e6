import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { AuditTrail } from '../../src/gateway/api/trail.ts';
import type { AuditRecord } from '../../src/ledger/audit.ts';
import { createLog } from '../../src/report/log.ts';
import { ApiPlace, ROOT } from './api-place.ts';
import type { Asked } from './api-place.ts';

const CANARY = 'kanarienvogel-4711-geheim';

describe('The audit of the API, and what goes out of it', () => {
  let place: ApiPlace;
  beforeEach(async () => {
    place = await ApiPlace.create();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const records = async (query = ''): Promise<readonly Record<string, unknown>[]> =>
    (await place.ask('GET', `/audit${query}`)).json['records'] as readonly Record<string, unknown>[];

  it('has every call, let in or turned away: when, who, what about, what came of it, from where', async () => {
    const { token, record } = place.issue(['trigger:node-red/order-fulfillment']);
    const { json } = await place.trigger({ token });
    await place.trigger({ token, workflow: 'invoices' });
    await place.ask('GET', `/platforms/node-red/executions/${String(json['correlationId'])}`, { token });
    await place.trigger({ token: '' });
    await place.ask('GET', '/no/such/route');
    const route = '/platforms/:platform/workflows/:workflow/trigger';
    const who = { token: record.id, name: record.name, address: '127.0.0.1', times: 1, at: '2027-01-01T00:00:00.000Z' };
    const about = { platform: 'node-red', workflow: 'order-fulfillment', correlationId: json['correlationId'] };
    const bare = (await records()).map(({ id: _id, ...rest }) => rest);
    expect(bare).to.have.deep.members([
      { ...who, refused: false, method: 'POST', route, ...about, status: 202 },
      { ...who, refused: true, method: 'POST', route, platform: 'node-red', workflow: 'invoices', status: 403 },
      {
        ...who,
        refused: false,
        method: 'GET',
        route: '/platforms/:platform/executions/:id',
        platform: 'node-red',
        correlationId: json['correlationId'],
        status: 200,
      },
      {
        at: who.at,
        times: 1,
        address: who.address,
        refused: true,
        method: 'POST',
        route,
        platform: 'node-red',
        workflow: 'order-fulfillment',
        status: 401,
      },
      {
        ...who,
        token: 'root',
        name: 'token file of the state directory',
        refused: false,
        method: 'GET',
        route: 'none',
        status: 404,
      },
    ]);
  });

  it('is written down when the daemon stops', async () => {
    await place.trigger();
    await place.restart();
    expect(place.ledger.audit.list()).to.have.lengthOf(1);
  });

  it('names the owner of a token that is not taken any more', async () => {
    const { token, record } = place.issue(['read']);
    place.ledger.tokens.revoke(record.id);
    await place.ask('GET', '/status', { token });
    expect((await records('?refused=true'))[0]).to.include({ token: record.id, status: 401 });
    expect(await records('?refused=false')).to.not.deep.include({ status: 401 });
  });

  it('counts equal refused calls together, so that a flood pushes out nothing', async () => {
    await place.trigger();
    for (let count = 0; count < 60; count += 1) await place.ask('GET', '/status', { token: `x${count}` });
    const refused = await records('?refused=true');
    expect(refused.map(({ status, times }) => [status, times])).to.have.deep.members([
      [401, 30],
      [429, 30],
    ]);
    expect((await records()).some(({ status }) => status === 202)).to.equal(true);
  });

  it('keeps a flood of refused calls from everywhere within bounds, in memory and in the ledger', () => {
    const trail = new AuditTrail(
      place.ledger.audit,
      createLog({ level: 'error', format: 'json', redact: (text) => text }),
    );
    const call: AuditRecord = {
      at: 1,
      refused: true,
      times: 1,
      method: 'GET',
      route: '/status',
      status: 401,
      address: '',
    };
    for (let count = 0; count < 10_000; count += 1)
      trail.add({ ...call, address: `10.0.${count >> 8}.${count & 255}` });
    trail.flush();
    const kept = place.ledger.audit.list({ limit: 5000 });
    expect(kept).to.have.lengthOf(501);
    expect(kept.reduce((sum, { times }) => sum + times, 0)).to.equal(10_000);
  });

  it('is for those who may do everything', async () => {
    const answers = await Promise.all(
      ['read', 'trigger', 'admin:node-red'].map((scope) => place.ask('GET', '/audit', { token: place.token(scope) })),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal([403, 403, 403]);
    expect((await place.ask('GET', '/audit', { token: place.token('admin') })).status).to.equal(200);
  });

  it('tells no token and nothing of an input, in log, audit, metrics, errors or the files of the ledger', async () => {
    place.secrets.hold(CANARY);
    const { token } = place.issue(['admin']);
    const secret = token.slice('plb_'.length + 12 + 1);
    const answers: Asked[] = [];
    const ask = async (...args: Parameters<ApiPlace['ask']>): Promise<void> =>
      void answers.push(await place.ask(...args));
    place.runner.says = { echo: CANARY };
    answers.push(
      await place.trigger({ token, body: { input: { password: CANARY } }, headers: { 'idempotency-key': 'k' } }),
    );
    answers.push(
      await place.trigger({ token, body: { input: { password: CANARY } }, headers: { 'idempotency-key': 'k' } }),
    );
    place.checkTrigger = async () => [{ plugin: 'loud', message: `Not ${CANARY}.`, remedy: 'None.' }];
    answers.push(await place.trigger({ token, body: { input: CANARY } }));
    answers.push(await place.trigger({ token, body: `{"input": "${CANARY}` }));
    await ask('GET', `/status?token=${token}&${secret}=1`, { token });
    await ask('GET', `/${secret}`, { token: '' });
    await ask('GET', `/platforms/${secret}/executions/${secret}`, { token });
    await ask('POST', '/operations/apply', { token, body: { sync: 1, [CANARY]: CANARY } });
    await ask('POST', '/operations/apply', { token, body: '{}', headers: { 'content-type': 'text/plain' } });
    await ask('GET', '/tokens', { token });
    await ask('GET', '/audit', { token });
    await place.ask('GET', '/status', { token: `${ROOT}x` });
    const files = readdirSync(place.dir)
      .filter((name) => name.startsWith('ledger'))
      .map((name) => readFileSync(join(place.dir, name)).toString('latin1'));
    const out = {
      log: place.log,
      metrics: await place.metrics.text(),
      answers: answers.map(({ text }) => text).join('\n'),
      ledger: files.join('\n'),
    };
    for (const [where, text] of Object.entries(out))
      for (const word of [CANARY, secret, ROOT]) expect(text.includes(word), `${where} tells ${word}`).to.equal(false);
    expect(answers[0]?.json['answer']).to.deep.equal({ status: 200, body: { echo: '[secret]' } });
  });

  describe('attacks on the body', () => {
    it('refuses one that is too large before it reads it, and one that is too deep before anybody walks through it', async () => {
      const large = await place.trigger({ body: JSON.stringify({ input: 'x'.repeat(1024 * 1024) }) });
      expect([large.status, large.code]).to.deep.equal([413, 'too-large']);
      const deep = await place.trigger({ body: `{"input":${'['.repeat(200_000)}${']'.repeat(200_000)}}` });
      expect([deep.status, deep.code]).to.deep.equal([400, 'malformed']);
      const brackets = await place.trigger({ body: { input: `"${'['.repeat(1000)}\\` } });
      expect(brackets.status).to.equal(202);
      expect(place.runner.runs).to.have.lengthOf(1);
    });

    it('hands names that JavaScript gives a meaning to on as data, and takes them for no field of its own', async () => {
      const input = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1}';
      const answer = await place.trigger({ body: `{"input":${input}}`, headers: { 'idempotency-key': 'p' } });
      expect(answer.status).to.equal(202);
      expect(place.runner.runs[0]?.text).to.contain(`"input":${input}`);
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
      const own = await place.trigger({ body: '{"__proto__":{"input":1},"input":2}' });
      const made = await place.ask('POST', '/tokens', { body: '{"__proto__":{"name":"x","scopes":["admin"]}}' });
      expect([own.status, made.status]).to.deep.equal([400, 400]);
    });

    it('refuses what is not JSON in UTF-8, is not said to be JSON, or has fields that nobody reads', async () => {
      expect((await place.trigger({ body: '{"input":' })).status).to.equal(400);
      expect((await place.trigger({ body: '{}', headers: { 'content-type': 'text/plain' } })).status).to.equal(415);
      expect((await place.trigger({ body: { input: 1, inputs: 2 } })).code).to.equal('invalid-arguments');
      expect((await place.trigger({ body: [] })).status).to.equal(400);
      expect(place.runner.requests).to.equal(0);
    });
  });
});
