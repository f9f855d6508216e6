import { expect } from 'chai';
import { BY_HAND, CANARIES, GatewayPlace, OWNER, application, integration, webhook } from './gateway-place.ts';
import { ask, until } from './fixture.ts';

/** One story, each test going on where the last one ended: what comes in by hooks, and what goes out by webhooks. */
describe('the gateway of a daemon, with a git host, a platform and receivers', function () {
  this.timeout(90_000);
  let desk: GatewayPlace;
  const owner = () => desk.mint.store.list('applications')[0]?.body['owner'];
  const live = (value: string, what: string) => until(async () => owner() === value, what);
  const editByHand = (): void => {
    const [found] = desk.mint.store.list('applications');
    if (found !== undefined) desk.mint.store.change(found, { body: { owner: BY_HAND } }, { by: 'maker' });
  };
  const reconciled = (type: string, after = 0) =>
    until(
      async () =>
        desk
          .delivered('/watch')
          .slice(after)
          .find(({ event }) => event.type === `reconcile.${type}`),
      type,
    );

  before(async () => {
    desk = await GatewayPlace.create();
    await desk.push({
      'app.yaml': application('first'),
      'crm.yaml': integration('X-Key'),
      'webhooks/shop.yaml': webhook('shop', 'order.*', desk.receiver.url('/shop')),
      'webhooks/watch.yaml': webhook('watch', 'reconcile.*', desk.receiver.url('/watch')),
      'webhooks/gone.yaml': webhook('gone', 'order.*', desk.receiver.url('/gone')),
    });
    await desk.start();
    await live('first', 'the first pass');
    await desk.quiet();
  });
  after(() => desk?.[Symbol.asyncDispose]());

  it('looks at a Sync at once when a push to it is signed, and not at all when it is not', async () => {
    for (const signing of [undefined, 'another-secret']) {
      desk.signing = signing;
      const refused = await desk.push({ 'app.yaml': application(`pushed with ${signing}`) });
      expect(refused?.status).to.equal(401);
      expect(desk.looking, 'a pass').to.equal(false);
      expect(owner()).to.equal('first');
    }
    desk.signing = CANARIES.HOOK_SECRET;
    expect((await desk.push({ 'app.yaml': application(OWNER) }))?.text).to.equal('{"status":"received"}');
    await live(OWNER, 'the push live');
    expect((await desk.hook('no-such-sync')).status).to.equal(401);
  });

  it('tells a webhook of what a pass did, by field paths and never values', async () => {
    const { text } = await reconciled('applied');
    const changed = await desk.told(
      '/watch',
      ({ subject, data }) => subject === 'Application/orders' && data['paths'] !== undefined,
      'the change',
    );
    const attributes = { type: 'reconcile.applied', platform: 'prod', source: 'syncs/orders', specversion: '1.0' };
    expect(changed.event).to.deep.include(attributes);
    expect(changed.event.data).to.deep.include({ sync: 'orders', key: 'Application/orders', paths: ['/owner'] });
    expect(text + changed.text).not.to.include(OWNER);
  });

  it('delivers an event of the platform once to each who wants it: a webhook of git, signed, and a plugin', async () => {
    const answer = await desk.send('order.created', { id: 7, amount: 120 }, { id: 'msg_7' });
    expect([answer.status, answer.text]).to.deep.equal([200, '{"status":"received"}']);
    expect((await desk.send('order.created', { id: 7, amount: 120 }, { id: 'msg_7' })).status, 'again').to.equal(200);
    expect((await desk.send('customer.updated', { id: 1 })).status).to.equal(200);
    await desk.send('order.shipped', { id: 7 });
    await desk.told('/shop', ({ type }) => type === 'order.shipped', 'the second event of the order');
    expect(desk.delivered('/shop').map(({ event }) => [event.type, event.subject, event.data])).to.deep.equal([
      ['order.created', 'order/7', { id: 7, amount: 120 }],
      ['order.shipped', 'order/7', { id: 7 }],
    ]);
    await until(async () => (await desk.deliveries('handler=plugin/listener&state=done')).length === 2, 'the plugin');
    await until(async () => desk.place.log.includes('heard'), 'the plugin to say so');
    expect(desk.place.log).to.match(/plugin printed.*heard .*order\.created.*amount/);
    expect(desk.place.log).not.to.match(/heard .*customer\.updated/);
  });

  it('takes no event that is not signed, signed by another platform, or that only Plumbline may tell', async () => {
    const before = (await desk.deliveries('limit=1000')).length;
    expect((await desk.send('order.created', { id: 8 }, { secret: CANARIES.OTHER_SECRET })).status).to.equal(401);
    expect((await ask(`${desk.hooksUrl}/webhooks/prod`, {}, '{"event_type":"order.created"}')).status).to.equal(401);
    expect((await desk.send('order.created', { id: 8 }, { to: 'nowhere' })).status).to.equal(401);
    expect((await desk.send('reconcile.applied', {})).status).to.equal(422);
    expect((await desk.send('order.created', { id: 9 }, { to: 'lowcode' })).status, 'by the shared address').to.equal(
      200,
    );
    await desk.told('/shop', ({ subject }) => subject === 'order/9', 'the event after those');
    // To the two webhooks for orders, and to the plugin.
    expect(await desk.deliveries('limit=1000')).to.have.length(before + 3);
  });

  it('looks at a platform at once after events that say so, and not after others; tells of the drift it finds', async () => {
    await desk.quiet();
    const before = desk.delivered('/watch').length;
    editByHand();
    await desk.send('order.created', { id: 10 });
    expect(desk.looking, 'a pass').to.equal(false);
    expect(owner()).to.equal(BY_HAND);
    await desk.send('thing.changed', {});
    await live(OWNER, 'the drift reverted');
    const found = await reconciled('drift-found', before);
    const reverted = await reconciled('drift-reverted', before);
    for (const { event, text } of [found, reverted]) {
      expect(event.subject).to.equal('Application/orders');
      expect(event.data['paths']).to.deep.equal(['/owner']);
      for (const value of [OWNER, BY_HAND]) expect(text).not.to.include(value);
    }
  });

  it('tells a webhook of what is withheld, of passes that fail, and that they do again', async () => {
    const before = desk.delivered('/watch').length;
    const { operations } = desk.daemon?.workshop ?? {};
    await operations?.suspend({ sync: 'orders', reason: 'freeze' });
    await desk.push({ 'crm.yaml': integration('X-Other') });
    const withheld = await reconciled('withheld', before);
    expect(withheld.event).to.deep.include({ subject: 'Integration/crm' });
    expect(withheld.text).to.include('/settings/name').and.not.include('X-Other');
    await operations?.resume({ sync: 'orders' });
    await until(async () => desk.mint.store.list('connections')[0]?.body['settings'] !== undefined, 'resumed');
    await desk.quiet();
    desk.mint.rules.add({ path: /^\/api\//, times: 10_000, action: { do: 'reset', when: 'before' } });
    await desk.send('thing.changed', {});
    const failed = await reconciled('pass-failed', before).finally(() => desk.mint.rules.clear());
    expect(failed.event).to.deep.include({ subject: 'Sync/orders', platform: 'prod' });
    await desk.send('thing.changed', {});
    await reconciled('recovered', before);
    await desk.quiet();
  });

  it('tells a webhook that left git nothing any more, and gives up what waited for it', async () => {
    desk.refusing.add('/gone');
    await desk.send('order.created', { id: 20 });
    const waiting = await until(async () => {
      const [one] = await desk.deliveries('state=pending&type=order.created');
      return one !== undefined && one.attempts > 0 && one;
    }, 'a delivery that failed');
    await desk.push({ 'webhooks/gone.yaml': undefined });
    const dead = await until(
      async () => (await desk.deliveries(`state=dead&handler=${waiting.handler}`)).find(({ id }) => id === waiting.id),
      'a dead letter',
    );
    expect(dead.error).to.be.a('string').and.not.equal('');
    desk.refusing.clear();
    const before = desk.delivered('/gone').length;
    await desk.send('order.created', { id: 21 });
    await desk.told('/shop', ({ subject }) => subject === 'order/21', 'the event after it');
    expect(await desk.deliveries('state=pending')).to.deep.equal([]);
    expect(desk.delivered('/gone')).to.have.length(before);
  });

  it('puts plugins and events in force with the configuration, and takes them out with it', async () => {
    const sent = () => desk.send('customer.updated', { id: 99 }, { to: 'second', secret: CANARIES.OTHER_SECRET });
    expect((await sent()).status).to.equal(401);
    const second = `---
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: second}
spec: {driver: node-red, url: "http://127.0.0.1:9", events: {secret: {valueFrom: {env: OTHER_SECRET}}}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Plugin
metadata: {name: everything}
spec: {folder: plugins/everything, events: ["*"]}
`;
    await desk.writePlugin('everything', `console.log('noted ' + context.event.type); return context;`);
    await desk.configure('customer.*', second);
    expect(await desk.daemon?.reload()).to.equal(true);
    expect((await sent()).status).to.equal(200);
    await desk.send('customer.updated', { id: 30 });
    await desk.send('order.created', { id: 30 });
    await until(async () => /heard .*customer\.updated/.test(desk.place.log), 'the plugin with its new events');
    await until(async () => desk.place.log.includes('noted order.created'), 'the new plugin told');
    await desk.idle();
    const subjects = async (handler: string) =>
      (await desk.deliveries(`handler=plugin/${handler}&limit=1000`)).map(({ event }) => event.subject);
    expect(await subjects('everything')).to.have.members(['customer/99', 'customer/30', 'order/30']);
    const heard = await subjects('listener');
    expect(heard).to.include('customer/30');
    expect(heard, 'no more of orders, and nothing of another platform').not.to.include.oneOf([
      'order/30',
      'customer/99',
    ]);
    await desk.configure();
    expect(await desk.daemon?.reload()).to.equal(true);
    expect((await sent()).status, 'a platform that left').to.equal(401);
    await desk.send('order.created', { id: 31 });
    await until(async () => (await subjects('listener')).includes('order/31'), 'the plugin as it was');
    await desk.idle();
    expect(await subjects('everything'), 'a plugin that left').not.to.include('order/31');
  });

  it('serves on the public listener nothing of the private one, and the reverse', async () => {
    const { url = '', hooksUrl = '' } = desk.daemon ?? {};
    const statuses = async (base: string, paths: readonly string[], body?: string): Promise<Set<number>> =>
      new Set(await Promise.all(paths.map(async (path) => (await ask(`${base}${path}`, {}, body)).status)));
    const reads = ['/metrics', '/readyz', '/api/v1/status', '/api/v1/openapi.json', '/api/v1/deliveries', '/api', '/'];
    expect(await statuses(hooksUrl, reads)).to.have.all.keys(404);
    expect(await statuses(hooksUrl, ['/api/v1/tokens', '/api/v1/operations/apply'], '{}')).to.have.all.keys(404);
    expect(await statuses(url, ['/hooks/git/orders', '/webhooks/prod', '/webhooks/lowcode'], '{}')).to.have.all.keys(
      404,
    );
    expect(await statuses(url, ['/metrics', '/healthz'])).to.have.all.keys(200);
    expect(await statuses(hooksUrl, ['/healthz'])).to.have.all.keys(200);
  });

  it('shows in its metrics what came in and went out', async () => {
    const { text } = await ask(`${desk.daemon?.url}/metrics`);
    for (const line of [
      /^plumbline_events_received_total\{source="platforms\/prod",result="stored"\} [1-9]/m,
      /^plumbline_events_received_total\{source="platforms\/prod",result="duplicate"\} 1$/m,
      /^plumbline_deliveries_total\{kind="webhook",handler="[\w-]+",result="delivered"\} [1-9]/m,
      /^plumbline_deliveries_total\{kind="plugin",handler="listener",result="delivered"\} [1-9]/m,
      /^plumbline_plugin_calls_total\{plugin="listener",result="answered"\} [1-9]/m,
      /^plumbline_gateway_refused_total\{listener="public",reason="signature"\} [1-9]/m,
      /^plumbline_gateway_requests_total\{listener="public",route="\/hooks\/git\/:sync",code="202"\} [1-9]/m,
      /^plumbline_events_\w+\{state="pending"\} 0$/m,
      /^plumbline_events_\w+\{state="dead"\} 1$/m,
    ])
      expect(text).to.match(line);
  });

  it('lets no secret out: not in log, metrics, status, events, deliveries, webhooks or audit', async () => {
    const root = (await desk.api('/tokens', '{"name":"shop","scopes":["read"]}')).text;
    const { token } = JSON.parse(root) as { token: string };
    await ask(`${desk.daemon?.url}/api/v1/status`, { authorization: `Bearer ${token}` });
    const paths = ['/status', '/deliveries?limit=1000', '/audit?limit=1000', '/tokens', '/platforms/prod/webhooks'];
    const operations = ['events', 'history', 'tree', 'check', 'archived'].map((name) => `/operations/${name}`);
    const said = await Promise.all([
      ask(`${desk.daemon?.url}/metrics`),
      ...paths.map((path) => desk.api(path)),
      ...operations.map((path) => desk.api(path, '{}')),
    ]);
    expect(said.map(({ status }) => status)).to.deep.equal(said.map(() => 200));
    expect(desk.place.log.length).to.be.above(1000);
    const texts = [
      desk.place.log,
      ...said.map(({ text }) => text),
      ...desk.receiver.received.map(({ body }) => body.toString()),
    ];
    for (const secret of [...Object.values(CANARIES), token])
      for (const text of texts) expect(text.includes(secret), `${secret} in ${text.slice(0, 80)}`).to.equal(false);
  });
});
