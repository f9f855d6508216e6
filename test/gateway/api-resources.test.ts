import { expect } from 'chai';
import { ApiPlace } from './api-place.ts';
import { owned } from '../ledger/samples.ts';

describe('Tokens, webhooks, operations and deliveries over the API', () => {
  let place: ApiPlace;
  beforeEach(async () => {
    place = await ApiPlace.create();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  describe('tokens', () => {
    it('are made, listed without their secret, rotated and revoked', async () => {
      const body = {
        name: 'orders',
        scopes: ['trigger:node-red/order-fulfillment'],
        expiresAt: '2027-06-01T00:00:00Z',
      };
      const made = await place.ask('POST', '/tokens', { body });
      expect(made.status).to.equal(201);
      const { token, ...record } = made.json;
      expect(token).to.match(/^plb_[a-z0-9]{12}_[\w-]{43}$/);
      expect(record).to.include({ name: 'orders', createdBy: 'token file of the state directory' });
      expect((await place.ask('GET', '/tokens')).json).to.deep.equal({ tokens: [record] });
      expect((await place.trigger({ token: String(token) })).status).to.equal(202);
      const path = `/tokens/${String(record['id'])}`;
      expect((await place.ask('DELETE', path)).status).to.equal(204);
      expect((await place.trigger({ token: String(token) })).status).to.equal(401);
      const rotated = await place.ask('POST', `${path}/rotate`, {});
      expect([rotated.status, rotated.code]).to.deep.equal([409, 'token-revoked']);
      expect((await place.ask('DELETE', '/tokens/nobody')).status).to.equal(404);
    });

    it('are refused with scopes that nobody has, in the past, or with a grace that is none', async () => {
      const scopes = ['write', 'read:*', 'read:A', 'trigger:a/b/c', 'admin:', 'read ', 'trigger:a/../b', 'READ'];
      for (const scope of scopes) {
        const refused = await place.ask('POST', '/tokens', { body: { name: 'x', scopes: [scope] } });
        expect(refused.status, scope).to.equal(400);
      }
      const past = { name: 'x', scopes: ['read'], expiresAt: '2026-01-01T00:00:00Z' };
      expect((await place.ask('POST', '/tokens', { body: past })).status).to.equal(400);
      const { record } = place.issue(['read']);
      const long = await place.ask('POST', `/tokens/${record.id}/rotate`, { body: { grace: '721h' } });
      expect(long.status).to.equal(400);
    });

    it('are the business of those who may do everything, or a token could give itself more', async () => {
      const { record } = place.issue(['read']);
      for (const scope of ['read', 'trigger', 'admin:node-red', 'admin:node-red/invoices']) {
        const token = place.token(scope);
        const answers = [
          await place.ask('POST', '/tokens', { token, body: { name: 'x', scopes: ['admin'] } }),
          await place.ask('GET', '/tokens', { token }),
          await place.ask('POST', `/tokens/${record.id}/rotate`, { token }),
          await place.ask('DELETE', `/tokens/${record.id}`, { token }),
        ];
        expect(
          answers.map(({ status }) => status),
          scope,
        ).to.deep.equal([403, 403, 403, 403]);
      }
    });
  });

  describe('webhooks', () => {
    const path = '/platforms/node-red/webhooks';
    const body = { event: 'order.created', callback_url: 'https://shop.example.com/hook' };

    it('are registered with a secret that is told once, listed without it, and taken away', async () => {
      const token = place.token('admin:node-red');
      const made = await place.ask('POST', path, { token, body });
      expect(made.status).to.equal(201);
      const { secret, ...webhook } = made.json;
      expect(webhook).to.include({ ...body, signed: true, active: true, changedBy: 'for admin:node-red' });
      expect(Buffer.from(String(secret).slice('whsec_'.length), 'base64')).to.have.lengthOf(32);
      const id = String(webhook['id']);
      expect(place.ledger.webhooks.secretOf(id)?.reveal()).to.equal(secret);
      expect((await place.ask('GET', path, { token })).json).to.deep.equal({ webhooks: [webhook] });
      expect((await place.ask('DELETE', `${path}/${id}`, { token })).status).to.equal(204);
      expect((await place.ask('DELETE', `${path}/${id}`, { token })).status).to.equal(404);
    });

    it('are signed with the secret that was given, which is not told back', async () => {
      const given = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
      const made = await place.ask('POST', path, { body: { ...body, secret: given } });
      expect(made.json).to.not.have.property('secret');
      expect(place.ledger.webhooks.secretOf(String(made.json['id']))?.reveal()).to.equal(given);
    });

    it('belong to a platform: no token and no path reaches those of another', async () => {
      const made = await place.ask('POST', path, { body });
      const id = String(made.json['id']);
      const other = place.token('admin:other');
      expect((await place.ask('GET', path, { token: other })).status).to.equal(403);
      expect((await place.ask('DELETE', `${path}/${id}`, { token: other })).status).to.equal(403);
      expect((await place.ask('DELETE', `/platforms/other/webhooks/${id}`, { token: other })).status).to.equal(404);
      expect((await place.ask('POST', '/platforms/nowhere/webhooks', { body })).status).to.equal(404);
      expect(place.ledger.webhooks.list()).to.have.lengthOf(1);
    });

    it('cannot be taken away here when git governs them; the answer names the manifest', async () => {
      const made = await place.ask('POST', path, { body });
      const id = String(made.json['id']);
      const own = owned('Webhook/orders-to-shop', { remote: id, file: 'hooks.yaml' });
      place.ledger.journal({ sync: 'orders', platform: 'node-red' }).record([{ record: 'own', owned: own }]);
      const refused = await place.ask('DELETE', `${path}/${id}`);
      expect([refused.status, refused.code]).to.deep.equal([409, 'governed-by-git']);
      expect(refused.text).to.contain('Webhook/orders-to-shop of the Sync orders (hooks.yaml)');
      const [listed] = (await place.ask('GET', path)).json['webhooks'] as [{ manifest: string }];
      expect(listed.manifest).to.contain('hooks.yaml');
    });

    it('are refused with an event or a URL that cannot be one', async () => {
      const wrong = [
        { ...body, event: 'Order Created' },
        { ...body, callback_url: 'ftp://shop.example.com' },
        { ...body, callback_url: 'https://user:password@shop.example.com' },
        { ...body, callback_url: '/hook' },
        { ...body, secret: 'short' },
        { event: body.event },
      ];
      for (const one of wrong) expect((await place.ask('POST', path, { body: one })).status).to.equal(400);
    });
  });

  describe('operations', () => {
    it('that read need read, all others admin, both without a limit', async () => {
      const may = async (scope: string): Promise<readonly number[]> => {
        const token = place.token(scope);
        const asked = ['status', 'reconcile', 'apply'].map((name) =>
          place.ask('POST', `/operations/${name}`, { token, body: {} }),
        );
        const sync = await place.ask('POST', '/syncs/orders/reconcile', { token });
        return [...(await Promise.all(asked)), sync].map(({ status }) => status);
      };
      expect(await may('admin')).to.deep.equal([200, 200, 200, 202]);
      expect(await may('read')).to.deep.equal([200, 403, 403, 403]);
      expect(await may('trigger')).to.deep.equal([403, 403, 403, 403]);
      expect(await may('read:node-red')).to.deep.equal([403, 403, 403, 403]);
      expect(await may('admin:node-red')).to.deep.equal([403, 403, 403, 403]);
    });

    it('get their arguments checked, and nothing else is an operation', async () => {
      const wrong = await place.ask('POST', '/operations/apply', { body: { sink: 'orders' } });
      expect([wrong.status, wrong.code]).to.deep.equal([400, 'invalid-arguments']);
      expect((await place.ask('POST', '/operations/constructor', { body: {} })).status).to.equal(404);
      expect(place.operations).to.deep.equal([]);
      const queued = await place.ask('POST', '/syncs/orders/reconcile');
      expect(queued.json).to.deep.equal({ queued: [{ sync: 'orders', platform: 'node-red' }] });
      expect(place.operations).to.deep.equal([{ name: 'reconcile', args: { sync: 'orders' } }]);
    });
  });

  it('shows deliveries of the bus, of one platform to who may do everything there, and delivers again', async () => {
    const token = place.token('admin:node-red');
    expect((await place.ask('GET', '/deliveries', { token })).status).to.equal(403);
    expect((await place.ask('GET', '/deliveries?platform=node-red&state=dead', { token })).json).to.deep.equal({
      deliveries: [],
    });
    const body = { dead: 'webhook/1' };
    expect((await place.ask('POST', '/deliveries/replay', { token, body })).status).to.equal(403);
    expect((await place.ask('POST', '/deliveries/replay', { body })).json).to.deep.equal({ replayed: 2, skipped: 1 });
    expect((await place.ask('POST', '/deliveries/replay', { body: { ...body, events: ['1'] } })).status).to.equal(400);
  });
});
