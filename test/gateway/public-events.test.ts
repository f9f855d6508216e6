import { expect } from 'chai';
import { ReconcilerError } from '../../src/errors.ts';
import { hmac, openDoor, standardHeaders } from './doorstep.ts';
import type { Configured, Doorstep } from './doorstep.ts';

const SECRET = 'a-secret-between-the-two';
const EVENT = '{"event_type":"order.created","data":{"id":42,"amount":10}}';
const RECEIVED = { status: 200, body: { status: 'received' } };
const PLATFORM: Configured = { platforms: { prod: { scheme: 'standard-webhooks', secret: SECRET } } };
const BEARER: Configured = { platforms: { prod: { scheme: 'bearer', secret: SECRET } } };
const TOKEN = { authorization: `Bearer ${SECRET}` };

function standard(door: Doorstep, body: string, id?: string): Record<string, string> {
  return standardHeaders(body, { secret: SECRET, now: door.now, ...(id === undefined ? {} : { id }) });
}

async function answer(response: Promise<Response>): Promise<{ status: number; body: unknown }> {
  const got = await response;
  return { status: got.status, body: await got.json() };
}

describe('events of platforms', () => {
  it('are kept with id, source, subject and time, and then acknowledged', async () => {
    await using door = await openDoor(PLATFORM);
    expect(await answer(door.post('/webhooks/prod', standard(door, EVENT), EVENT))).to.deep.equal(RECEIVED);
    expect(door.events).to.deep.equal([
      {
        id: 'msg_1',
        source: 'platforms/prod',
        type: 'order.created',
        subject: 'order/42',
        time: door.now,
        platform: 'prod',
        data: { id: 42, amount: 10 },
      },
    ]);
  });

  it('that are sent again are acknowledged in the same words and kept once', async () => {
    await using door = await openDoor(PLATFORM);
    const first = standard(door, EVENT);
    expect(await answer(door.post('/webhooks/prod', first, EVENT))).to.deep.equal(RECEIVED);
    expect(await answer(door.post('/webhooks/prod', first, EVENT))).to.deep.equal(RECEIVED);
    expect(door.events).to.have.length(1);
    expect(await door.metrics()).to.include(
      'plumbline_events_received_total{source="platforms/prod",result="duplicate"} 1',
    );
  });

  it('are the sender’s to keep when there is no room or they cannot be written down', async () => {
    await using door = await openDoor(PLATFORM);
    door.full = new ReconcilerError('The bus is full.', 'backoff', { code: 'bus-full', retryAfter: 7_200 });
    const full = await door.post('/webhooks/prod', standard(door, EVENT), EVENT);
    expect([full.status, full.headers.get('retry-after')]).to.deep.equal([503, '8']);
    door.full = new ReconcilerError('The disk is full: /var/lib/plumbline.', 'backoff', { code: 'ledger-write' });
    const broken = await door.post('/webhooks/prod', standard(door, EVENT), EVENT);
    expect([broken.status, broken.headers.get('retry-after')]).to.deep.equal([503, '5']);
    expect(await broken.text()).not.to.include('disk');
    expect(door.log()).to.include('The disk is full');
    door.full = undefined;
    expect(await answer(door.post('/webhooks/prod', standard(door, EVENT), EVENT))).to.deep.equal(RECEIVED);
    expect(door.events).to.have.length(1);
  });

  it('are refused for good when the bus will never take them, so that nobody sends them for ever', async () => {
    await using door = await openDoor(PLATFORM);
    for (const [code, status] of [
      ['event-too-large', 413],
      ['event-invalid', 422],
    ] as const) {
      door.full = new ReconcilerError('This is no event.', 'never', { code, remedy: 'Send another one.' });
      const refused = await door.post('/webhooks/prod', standard(door, EVENT), EVENT);
      expect([refused.status, refused.headers.get('retry-after')]).to.deep.equal([status, null]);
    }
    expect(door.events).to.have.length(0);
  });

  it('of the types named make Plumbline look at the platform, also when they come twice, but not when they are not kept', async () => {
    const prod = { scheme: 'bearer', secret: SECRET, lookAgain: ['workflow.changed', 'access.*'] } as const;
    await using door = await openDoor({ platforms: { prod } });
    const send = (type: string, id: string) =>
      door.post('/webhooks/prod', { ...TOKEN, 'webhook-id': id }, JSON.stringify({ event_type: type, data: null }));
    door.full = new ReconcilerError('The bus is full.', 'backoff', { code: 'bus-full' });
    await send('workflow.changed', '1');
    expect(door.looks).to.deep.equal([]);
    door.full = undefined;
    for (const id of ['1', '1']) await send('workflow.changed', id);
    await send('access.role.changed', '2');
    await send('order.created', '3');
    expect(door.looks).to.deep.equal(Array(3).fill('platforms/prod'));
  });

  it('come to the shared address from the one platform whose secret verifies', async () => {
    const platforms: Configured['platforms'] = {
      prod: { scheme: 'standard-webhooks', secret: SECRET },
      test: { scheme: 'hmac-sha256', secret: 'tests', header: 'X-Test-Sign' },
      lab: { scheme: 'bearer', secret: 'labs' },
      copy: { scheme: 'bearer', secret: 'labs too' },
    };
    await using door = await openDoor({ platforms });
    const at = '/webhooks/lowcode';
    expect(await answer(door.post(at, standard(door, EVENT), EVENT))).to.deep.equal(RECEIVED);
    expect(await answer(door.post(at, { 'x-test-sign': hmac('tests', EVENT) }, EVENT))).to.deep.equal(RECEIVED);
    expect(await answer(door.post(at, { authorization: 'Bearer labs' }, EVENT))).to.deep.equal(RECEIVED);
    expect(door.events.map(({ platform }) => platform)).to.deep.equal(['prod', 'test', 'lab']);
    expect((await door.post(at, { authorization: 'Bearer lab' }, EVENT)).status, 'nobody').to.equal(401);
    door.environment['PLATFORM_copy'] = 'labs';
    door.now += 1_000;
    expect((await door.post(at, { authorization: 'Bearer labs' }, EVENT)).status, 'two').to.equal(401);
    expect(await door.metrics()).to.include('plumbline_gateway_refused_total{listener="public",reason="ambiguous"} 1');
    expect(door.events).to.have.length(3);
  });

  it('that nobody is known to have sent to the shared address are counted for what they are', async () => {
    const broken = { scheme: 'bearer', secret: '' } as const;
    await using nobody = await openDoor({});
    await using several = await openDoor({ platforms: { broken, prod: { scheme: 'bearer', secret: SECRET } } });
    for (const [door, reason] of [
      [nobody, 'unknown'],
      [several, 'signature'],
    ] as const) {
      expect((await door.post('/webhooks/lowcode', {}, EVENT)).status).to.equal(401);
      expect(await door.metrics()).to.include(
        `plumbline_gateway_refused_total{listener="public",reason="${reason}"} 1`,
      );
    }
  });
});

describe('what an event says', () => {
  const send = async (door: Doorstep, body: unknown, headers: Record<string, string> = {}) =>
    answer(
      door.post('/webhooks/prod', { ...TOKEN, ...headers }, typeof body === 'string' ? body : JSON.stringify(body)),
    );

  it('is about the subject given, else about the object whose id is in the data', async () => {
    await using door = await openDoor(BEARER);
    const type = 'customer.updated';
    await send(door, { event_type: type, data: { id: 'c-1' }, subject: 'tenant/7' });
    await send(door, { event_type: type, data: { id: 'c-1' } });
    await send(door, { event_type: type, data: { id: true } });
    await send(door, { event_type: type, data: [1] });
    await send(door, { event_type: type });
    expect(door.events.map(({ subject }) => subject)).to.deep.equal([
      'tenant/7',
      'customer/c-1',
      undefined,
      undefined,
      undefined,
    ]);
    expect(new Set(door.events.map(({ id }) => id)).size, 'a UUID each').to.equal(5);
  });

  it('of one object with an overlong id keeps one subject, and two objects have two', async () => {
    await using door = await openDoor(BEARER);
    for (const end of ['a', 'a', 'b'])
      await send(door, { event_type: 'order.created', data: { id: `${'x'.repeat(300)}${end}` } });
    const [first, again, other] = door.events.map(({ subject }) => subject ?? '');
    expect([first === again, first === other, (first ?? '').length <= 200]).to.deep.equal([true, false, true]);
  });

  it('is known by the id that is signed before one that is not', async () => {
    const platforms: Configured['platforms'] = {
      signed: { scheme: 'standard-webhooks', secret: SECRET },
      mac: { scheme: 'hmac-sha256', secret: SECRET },
      prod: { scheme: 'bearer', secret: SECRET },
    };
    await using door = await openDoor({ platforms });
    const body = '{"event_type":"order.created","data":null,"id":"in-body"}';
    await door.post('/webhooks/signed', standard(door, body, 'in-header'), body);
    await door.post('/webhooks/mac', { 'x-signature': hmac(SECRET, body), 'webhook-id': 'in-header' }, body);
    await door.post('/webhooks/prod', { ...TOKEN, 'webhook-id': 'in-header' }, body);
    expect(door.events.map(({ id }) => id)).to.deep.equal(['in-header', 'in-body', 'in-header']);
  });

  it('may be a CloudEvent, structured or in headers, whose id is unique for its own source only', async () => {
    await using door = await openDoor(BEARER);
    const event = {
      specversion: '1.0',
      type: 'order.created',
      id: '1',
      source: '/a',
      subject: 'order/9',
      data: { n: 1 },
    };
    expect(await send(door, event, { 'content-type': 'application/cloudevents+json' })).to.deep.equal(RECEIVED);
    const attributes = { 'ce-specversion': '1.0', 'ce-type': 'order.created', 'ce-id': '1' };
    await send(door, { n: 2 }, { ...attributes, 'ce-source': '/b', 'ce-subject': 'order/Zo%C3%AB' });
    await send(door, event);
    expect(door.events.map(({ id, subject, data }) => ({ id, subject, data }))).to.deep.equal([
      { id: '/a#1', subject: 'order/9', data: { n: 1 } },
      { id: '/b#1', subject: 'order/Zoë', data: { n: 2 } },
    ]);
  });

  it('may not stand in headers that no signature covers', async () => {
    await using door = await openDoor(PLATFORM);
    const attributes = { 'ce-specversion': '1.0', 'ce-type': 'order.deleted', 'ce-id': '1', 'ce-source': '/a' };
    const response = await door.post('/webhooks/prod', { ...standard(door, EVENT), ...attributes }, EVENT);
    expect([response.status, door.events.length]).to.deep.equal([422, 0]);
  });

  const refused: readonly (readonly [string, unknown, number, RegExp])[] = [
    ['no JSON', '{"event_type"', 400, /not JSON/],
    ['nothing', '', 400, /not JSON/],
    ['no object', '[1]', 422, /not an object/],
    ['no type', { data: 1 }, 422, /words with dots/],
    ['a type in capitals', { event_type: 'Order.Created' }, 422, /words with dots/],
    ['a type with an empty word', { event_type: 'order..created' }, 422, /words with dots/],
    ['an overlong type', { event_type: 'a'.repeat(201) }, 422, /words with dots/],
    ['a pattern', { event_type: 'order.*' }, 422, /words with dots/],
    ['a type of Plumbline’s passes', { event_type: 'reconcile.applied' }, 422, /Plumbline itself/],
    ['a type of Plumbline’s own', { event_type: 'plumbline.started' }, 422, /Plumbline itself/],
    ['a run that Plumbline tells about', { event_type: 'workflow.failed' }, 422, /Plumbline itself/],
    ['a subject that is no text', { event_type: 'a', subject: 1 }, 422, /subject/],
    ['an empty subject', { event_type: 'a', subject: '' }, 422, /subject/],
    ['an id with a line break', { event_type: 'a', id: 'a\nb' }, 422, /id/],
    ['an overlong id', { event_type: 'a', id: 'x'.repeat(201) }, 422, /id/],
    ['a field without meaning', { event_type: 'a', priority: 'high' }, 422, /no meaning/],
    ['a CloudEvent of another version', { specversion: '0.3', type: 'a', id: '1', source: '/' }, 422, /version 1.0/],
    ['a CloudEvent without a source', { specversion: '1.0', type: 'a', id: '1' }, 422, /source/],
    [
      'bytes in a CloudEvent',
      { specversion: '1.0', type: 'a', id: '1', source: '/', data_base64: 'AA' },
      422,
      /data_base64/,
    ],
  ];
  for (const [what, body, status, message] of refused) {
    it(`is refused with the reason when it is ${what}`, async () => {
      await using door = await openDoor(BEARER);
      const got = await send(door, body);
      expect(got.status).to.equal(status);
      expect(JSON.stringify(got.body)).to.match(message).and.to.include('"remedy"');
      expect(door.events).to.deep.equal([]);
      expect(await door.metrics()).to.include(
        'plumbline_events_received_total{source="platforms/prod",result="refused"} 1',
      );
    });
  }
});
