import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { event } from '../../ledger/bus-samples.ts';
import { CallbackOffice, failureOf } from './office.ts';
import { Receiver } from './receiver.ts';
import type { Received } from './receiver.ts';

/** Makes the certificate that nobody vouches for. */
const OPENSSL = 'openssl';
const KEY = `whsec_${Buffer.from('a key of thirty-two bytes, or so').toString('base64')}`;

/** The headers as the independent package wants them. */
function headersOf({ headers }: Received): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

describe('A delivery to a webhook', () => {
  it('is a CloudEvent in structured mode', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    const sent = event('a', {
      time: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
      data: { text: 'Grüße, 世界 \u2028 \ud83d\ude80' },
    });
    await office.deliver(receiver.url('/hook?token=1'), sent);
    const [got] = receiver.received;
    expect(got?.url).to.equal('/hook?token=1');
    expect(got?.headers).to.include({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'plumbline',
    });
    expect(got?.headers).not.to.have.property('webhook-signature');
    expect(JSON.parse(String(got?.body))).to.deep.equal({
      specversion: '1.0',
      id: 'a',
      source: 'platforms/automation',
      type: 'order.created',
      subject: 'order/1',
      time: '2026-01-02T03:04:05.006Z',
      platform: 'automation',
      datacontenttype: 'application/json',
      data: { text: 'Grüße, 世界 \u2028 \ud83d\ude80' },
    });
  });

  for (const [form, secret, format] of [
    ['base64 after whsec_', KEY, undefined],
    ['plain text', 'just a password with a . in it', 'raw'],
  ] as const) {
    it(`is signed as Standard Webhooks has it, with a secret that is ${form}`, async () => {
      await using office = new CallbackOffice();
      await using receiver = await Receiver.start();
      await office.deliver(receiver.url(), event('a.b/c', { data: { text: 'Grüße' } }), { secret });
      const [got] = receiver.received;
      if (got === undefined) throw new Error('nothing came');
      const judge = new Webhook(secret, format === undefined ? undefined : { format });
      expect(judge.verify(got.body, headersOf(got))).to.deep.include({ id: 'a.b/c', data: { text: 'Grüße' } });
      const other = new Webhook(`whsec_${Buffer.from('another').toString('base64')}`);
      expect(() => other.verify(got.body, headersOf(got))).to.throw('No matching signature');
    });
  }

  it('has an id that stays over attempts and receivers, and differs by source', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    await office.deliver(receiver.url(), event('a'));
    await office.deliver(receiver.url(), event('a'));
    await office.deliver(receiver.url(), event('a', { source: 'syncs/orders' }));
    const [first, second, other] = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(first)
      .to.match(/^msg_[\w-]{32}$/)
      .and.equal(second)
      .and.not.equal(other);
  });

  it('is not sent unsigned when its secret is no key, or cannot be read', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    for (const secret of ['whsec_', 'whsec_%%%']) {
      const error = await failureOf(office.deliver(receiver.url(), event('a'), { secret }));
      expect(error).to.include({ code: 'bad-secret', retry: 'backoff' });
      expect(error.message).not.to.include('%');
    }
    office.ledger.webhooks.secretOf = () => undefined;
    expect(await failureOf(office.deliver(receiver.url(), event('a'), { secret: KEY }))).to.include({
      code: 'bad-secret',
    });
    expect(receiver.received).to.deep.equal([]);
  });

  it('goes to webhooks of its own platform whose pattern means its type, and only while they are active', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    office.allow.set('other', ['127.0.0.1']);
    const all = office.register(receiver.url());
    const orders = office.register(receiver.url(), { event: 'order.*' });
    office.register(receiver.url(), { event: 'customer.*' });
    office.register(receiver.url(), { platform: 'other' });
    office.register(receiver.url(), { platform: 'nowhere' });
    office.register(receiver.url(), { active: false });
    const wanting = office.callbacks.handlers().filter((handler) => handler.wants(event('a')));
    expect(wanting.map(({ name }) => name)).to.have.members([all.id, orders.id]);
    const handler = office.handler(all);
    const { platform, title, event: pattern, url } = all;
    office.ledger.webhooks.update(all.id, { platform, title, event: pattern, url, active: false, by: 'test' });
    expect(await failureOf(handler.handle(event('a'), new AbortController().signal))).to.include({ retry: 'never' });
    expect(receiver.received).to.deep.equal([]);
  });

  it('fails for anything but a 2xx, to be tried again, and for good when the receiver says that it is gone', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    const judged: unknown[] = [];
    for (const status of [200, 204, 299, 300, 302, 400, 401, 404, 410, 429, 500, 503]) {
      receiver.answer = (response) => response.writeHead(status, { 'retry-after': '120' }).end('canary');
      const outcome = await office.deliver(receiver.url(), event('a')).then(
        () => 'delivered',
        (error: { retry: string; retryAfter?: number; message: string }) => {
          expect(error.message).to.include(String(status)).and.not.include('canary');
          return `${error.retry} ${error.retryAfter ?? ''}`;
        },
      );
      judged.push([status, outcome]);
    }
    const again = 'backoff 120000';
    expect(judged).to.deep.equal([
      ...[200, 204, 299].map((status) => [status, 'delivered']),
      ...[300, 302, 400, 401, 404].map((status) => [status, again]),
      [410, 'never '],
      ...[429, 500, 503].map((status) => [status, again]),
    ]);
  });

  it('fails when no answer comes, and when nobody is there', async () => {
    await using office = new CallbackOffice(300);
    await using receiver = await Receiver.start();
    receiver.answer = () => undefined;
    const silent = await failureOf(office.deliver(receiver.url(), event('a')));
    expect(silent).to.include({ retry: 'backoff', code: 'callback-unreachable' });
    expect(silent.message).to.include('no answer in time');
    const gone = await Receiver.start();
    const url = gone.url();
    await gone[Symbol.asyncDispose]();
    expect((await failureOf(office.deliver(url, event('a')))).message).to.include('ECONNREFUSED');
  });

  it('is delivered by its status: an answer without end is neither read nor waited for', async () => {
    await using office = new CallbackOffice(1000);
    await using receiver = await Receiver.start();
    let written = 0;
    let closed = false;
    receiver.answer = (response) => {
      response.on('close', () => (closed = true));
      const flood = (): void => {
        if (closed) return;
        written++;
        if (response.write('x'.repeat(65_536))) setImmediate(flood);
        else response.once('drain', flood);
      };
      flood();
    };
    await office.deliver(receiver.url(), event('a'));
    await expectSoon(() => closed);
    expect(written).to.be.lessThan(200);
    receiver.answer = (response) => response.writeHead(200, { 'content-length': '10' }).write('x');
    await office.deliver(receiver.url(), event('b'));
  });

  it('ends when it is told to', async () => {
    await using office = new CallbackOffice(600_000);
    await using receiver = await Receiver.start();
    const abort = new AbortController();
    receiver.answer = () => abort.abort();
    const handler = office.handler(office.register(receiver.url()));
    expect(await failureOf(handler.handle(event('a'), abort.signal))).to.include({ retry: 'backoff' });
  });

  it('trusts no certificate that nobody vouches for', async () => {
    await using office = new CallbackOffice();
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-tls-'));
    const file = (name: string): string => join(folder, name);
    const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'rsa:2048'];
    const where = ['-keyout', file('key'), '-out', file('cert')];
    execFileSync(OPENSSL, ['req', '-x509', ...subject, ...where], { stdio: 'ignore' });
    let requests = 0;
    const server = createServer({ key: readFileSync(file('key')), cert: readFileSync(file('cert')) }, (_, response) => {
      requests++;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const error = await failureOf(office.deliver(url, event('a')));
      expect(error.message).to.include('SELF_SIGNED_CERT');
      expect(error.remedy).to.include('NODE_EXTRA_CA_CERTS');
      expect(requests).to.equal(0);
    } finally {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('tells nobody its secret, nor the path and query it goes to, nor what was answered', async () => {
    await using office = new CallbackOffice();
    await using receiver = await Receiver.start();
    receiver.answer = (response) => response.writeHead(500, { 'x-canary': 'canary-header' }).end('canary-answer');
    const url = receiver.url('/canary-path?token=canary-query');
    const secret = 'canary-signing-secret';
    const told: string[] = [];
    const failing = failureOf(office.deliver(url, event('a'), { secret }));
    told.push(inspect(await failing, { depth: 9 }));
    office.allow.set('automation', []);
    told.push(inspect(await failureOf(office.deliver(url, event('a'), { secret })), { depth: 9 }));
    told.push(inspect(office.callbacks, { depth: 9 }));
    told.push(inspect(await failureOf(office.deliver('http://user:canary-password@[::1]/', event('a'))), { depth: 9 }));
    const kept = readdirSync(office.directory).map((name) => readFileSync(join(office.directory, name), 'latin1'));
    expect(kept.join(), 'the register keeps the URL, and the secret sealed').not.to.include(secret);
    const leaks = told.flatMap((text) => text.match(/canary-\w+/g) ?? []);
    expect(leaks).to.deep.equal([]);
  });
});

async function expectSoon(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isSo() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  expect(isSo()).to.equal(true);
}
