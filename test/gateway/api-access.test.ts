import { expect } from 'chai';
import { ApiPlace, ROOT } from './api-place.ts';
import type { Asked } from './api-place.ts';

const HOUR = 3600 * 1000;

describe('Who may call the API', () => {
  let place: ApiPlace;
  beforeEach(async () => {
    place = await ApiPlace.create();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const status = (token: string, headers = {}): Promise<Asked> => place.ask('GET', '/status', { token, headers });
  const told = ({ status, text }: Asked): string => `${status} ${text}`;

  it('answers everybody without a valid token the same, whatever is wrong with it and whatever is asked for', async () => {
    const revoked = place.issue(['admin']);
    place.ledger.tokens.revoke(revoked.record.id);
    const expired = place.issue(['admin'], { expiresAt: place.now + 1 });
    const rotated = place.issue(['admin']);
    place.ledger.tokens.rotate(rotated.record.id, 0);
    place.now += 1;
    const good = place.token('admin');
    const wrong = [
      '',
      'x',
      ROOT.slice(1),
      `${ROOT}x`,
      revoked.token,
      expired.token,
      rotated.token,
      `plb_aaaaaaaaaaaa_${'A'.repeat(43)}`,
      `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`,
      good.toUpperCase(),
    ];
    const answers = await Promise.all(wrong.map((token) => status(token)));
    const elsewhere = [
      await place.ask('GET', '/nowhere', { token: '' }),
      await place.ask('POST', '/operations/apply', { token: 'x', body: {} }),
      await place.ask('GET', '/platforms/node-red/executions/run-1', { token: '' }),
      await status(good, { origin: 'http://evil.example' }),
      await status(ROOT, { origin: 'null' }),
    ];
    expect(new Set([...answers, ...elsewhere].map(told)).size).to.equal(1);
    expect(answers[0]?.status).to.equal(401);
    expect(answers[0]?.headers['www-authenticate']).to.equal('Bearer');
    expect((await status(good)).status).to.equal(200);
    expect((await status(ROOT)).status).to.equal(200);
  });

  it('takes no token from a query, a cookie, or another scheme', async () => {
    const token = place.token('admin');
    const answers = [
      await place.ask('GET', `/status?token=${token}`, { token: '' }),
      await place.ask('GET', `/status?access_token=${token}`, { token: '' }),
      await place.ask('GET', '/status', { token: '', headers: { cookie: `token=${token}` } }),
      await place.ask('GET', '/status', { token: '', headers: { authorization: `Basic ${token}` } }),
      await place.ask('GET', '/status', { token: '', headers: { 'x-api-key': token } }),
    ];
    expect(answers.map((answer) => answer.status)).to.deep.equal([401, 401, 401, 401, 401]);
  });

  it('takes the secret before a rotation for as long as was said, and no longer', async () => {
    const { token, record } = place.issue(['read']);
    const { json } = await place.ask('POST', `/tokens/${record.id}/rotate`, { body: { grace: '1h' } });
    const fresh = String(json['token']);
    expect(fresh)
      .to.match(new RegExp(`^plb_${record.id}_[\\w-]{43}$`))
      .and.not.equal(token);
    expect([(await status(token)).status, (await status(fresh)).status]).to.deep.equal([200, 200]);
    place.now += HOUR;
    expect([(await status(token)).status, (await status(fresh)).status]).to.deep.equal([401, 200]);
  });

  it('slows guessing down per address, and lets who has a token in all the same', async () => {
    const good = place.token('read');
    const guesses: Asked[] = [];
    for (let count = 0; count < 40; count += 1)
      guesses.push(await status(`plb_aaaaaaaaaaaa_${String(count).padStart(43, 'A')}`));
    expect(guesses.filter((one) => one.status === 401)).to.have.lengthOf(30);
    const late = guesses.at(-1);
    expect([late?.status, late?.headers['retry-after']]).to.deep.equal([429, '2']);
    expect((await status(good)).status).to.equal(200);
    place.now += 2000;
    expect((await status('x')).status).to.equal(401);
    expect(await place.metrics.text()).to.contain(
      'plumbline_gateway_refused_total{listener="private",reason="rate"} 10',
    );
  });

  it('says 403 and the scope that is needed, whether what was asked for exists or not', async () => {
    const token = place.token('trigger:node-red/invoices', 'read:other');
    const denied = async (platform: string, workflow: string): Promise<string> => {
      const { status, json } = await place.trigger({ token, platform, workflow });
      const { message } = json['error'] as { message: string };
      return `${status} ${message.replace('The token may not do this: it needs the scope ', '')}`;
    };
    expect(await denied('node-red', 'order-fulfillment')).to.equal('403 trigger:node-red/order-fulfillment.');
    expect(await denied('node-red', 'no-such')).to.equal('403 trigger:node-red/no-such.');
    expect(await denied('no-such', 'invoices')).to.equal('403 trigger:no-such/invoices.');
    expect((await place.trigger({ token, workflow: 'invoices' })).status).to.equal(202);
    expect((await place.ask('GET', '/status', { token })).code).to.equal('scope');
    expect((await place.ask('GET', '/status?platform=other', { token })).status).to.equal(200);
    expect((await place.ask('GET', '/status?platform=other&platform=node-red', { token })).status).to.equal(403);
    expect((await place.ask('POST', '/operations/apply', { token, body: {} })).status).to.equal(403);
    expect((await place.ask('GET', '/openapi.json', { token })).status).to.equal(200);
    expect(place.operations.map(({ name }) => name)).to.deep.equal(['status']);
  });

  it('lets no spelling of a name out of its scope', async () => {
    const token = place.token('trigger:node-red/invoices', 'read:node-red/invoices');
    const spellings = [
      'node-red/workflows/Invoices/trigger',
      'Node-Red/workflows/invoices/trigger',
      'node-red%2Finvoices/workflows/order-fulfillment/trigger',
      'node-red/workflows/invoices%2F..%2Forder-fulfillment/trigger',
      'node-red/workflows/invoices%00/trigger',
      'node-red/workflows/invoices%20/trigger',
      'node-red/workflows/%69nvoices%2Forder-fulfillment/trigger',
      'node-red/workflows/invoice%C5%BF/trigger',
      'node-red/workflows/..%2F..%2Fother/trigger',
      'node-red/workflows/*/trigger',
      'other/workflows/invoices/trigger',
      'node-red:x/workflows/invoices/trigger',
    ];
    for (const spelling of spellings) {
      const answer = await place.ask('POST', `/platforms/${spelling}`, { token, body: { input: 1 } });
      expect(answer.status, spelling).to.be.oneOf([403, 404]);
    }
    const answer = await place.ask('POST', '/platforms/node-red/workflows/%69nvoices/trigger', { token, body: {} });
    expect(answer.status).to.equal(202);
    expect(place.runner.runs.map(({ execution }) => execution.workflow)).to.deep.equal(['remote-invoices']);
  });

  it('tells a token nothing of runs that it may not see, but always of those it asked for itself', async () => {
    const own = place.token('trigger:node-red/order-fulfillment');
    const other = place.token('trigger:node-red/order-fulfillment', 'read:node-red/invoices');
    const correlation = String((await place.trigger({ token: own })).json['correlationId']);
    const seen = async (token: string, id: string, platform = 'node-red'): Promise<string> =>
      told(await place.ask('GET', `/platforms/${platform}/executions/${id}`, { token }));
    expect(await seen(own, correlation)).to.match(/^200 /);
    const before = place.runner.requests;
    const nowhere = await seen(other, 'run-99');
    expect(nowhere).to.match(/^404 /);
    expect(await seen(other, correlation)).to.equal(nowhere);
    expect(await seen(other, 'run-1')).to.equal(nowhere);
    expect(place.runner.requests).to.equal(before + 1);
    expect(await seen(other, correlation, 'other')).to.match(/^403 /);
    expect(await seen(place.token('read'), correlation, 'other')).to.match(/^404 /);
    expect(await seen(place.token('read:node-red/order-fulfillment'), correlation)).to.match(/^200 /);
    expect((await place.ask('GET', '/platforms/node-red/executions', { token: other })).status).to.equal(403);
    expect(
      (await place.ask('GET', '/platforms/node-red/executions?workflow=invoices', { token: other })).status,
    ).to.equal(200);
  });

  it('shows a run that only the platform knows of to those who may read its workflow, or the platform where no Sync owns it', async () => {
    const run = { status: 'running', startedAt: place.now } as const;
    const put = (id: string, workflow: string): void =>
      void place.runner.runs.push({ text: '', execution: { ...run, id, workflow } });
    put('by-hand', 'remote-order-fulfillment');
    put('unowned', 'remote-of-nobody');
    const statuses = async (scope: string): Promise<readonly number[]> => {
      const token = place.token(scope);
      const asked = ['by-hand', 'unowned', 'none'].map((id) =>
        place.ask('GET', `/platforms/node-red/executions/${id}`, { token }),
      );
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    expect(await statuses('read:node-red/invoices')).to.deep.equal([404, 404, 404]);
    expect(await statuses('read:node-red/order-fulfillment')).to.deep.equal([200, 404, 404]);
    expect(await statuses('read:node-red')).to.deep.equal([200, 200, 404]);
    expect(await statuses('trigger:node-red')).to.deep.equal([404, 404, 404]);
  });

  it('does not tell a limited token the names of other platforms', async () => {
    const token = place.token('read:missing', 'read:node-red');
    expect((await place.ask('GET', '/status?platform=missing')).text).to.contain('secret-platform');
    for (const platform of ['missing', 'node-red']) {
      const { text } = await place.ask('GET', `/status?platform=${platform}`, { token });
      expect(text, platform).to.not.contain('secret-platform');
    }
  });

  it('limits each token by itself, what it reads and what it does apart, and as its record says', async () => {
    const plain = place.token('trigger', 'read');
    const slow = place.issue(['read', 'trigger'], { rates: { read: { perSecond: 0.1, burst: 2 } } }).token;
    const results: number[] = [];
    for (let count = 0; count < 45; count += 1)
      results.push((await place.trigger({ token: plain, workflow: 'none' })).status);
    expect(results.filter((one) => one === 404)).to.have.lengthOf(40);
    expect(results.slice(40)).to.deep.equal([429, 429, 429, 429, 429]);
    expect((await status(plain)).status).to.equal(200);
    expect([(await status(slow)).status, (await status(slow)).status]).to.deep.equal([200, 200]);
    const late = await status(slow);
    expect([late.status, late.code, late.headers['retry-after']]).to.deep.equal([429, 'too-often', '10']);
    expect((await place.trigger({ token: slow, workflow: 'none' })).status).to.equal(404);
    place.now += 10_000;
    expect((await status(slow)).status).to.equal(200);
  });

  it('writes down when a token was used, once a minute', async () => {
    const { token, record } = place.issue(['read']);
    const used = (): number | undefined => place.ledger.tokens.list().find(({ id }) => id === record.id)?.usedAt;
    await status(token);
    const first = place.now;
    place.now += 59_999;
    await status(token);
    expect(used()).to.equal(first);
    place.now += 1;
    await status(token);
    expect(used()).to.equal(place.now);
  });
});
