import { expect } from 'chai';
import { stringify } from 'yaml';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { Place, ask, until } from '../daemon/fixture.ts';
import { RawDirectus } from '../drivers/directus/raw-directus.ts';
import { ADMIN_TOKEN } from '../drivers/directus/server.ts';
import { flow, webhook } from '../drivers/n8n/harness.ts';
import { startN8n } from '../drivers/n8n/server.ts';
import type { N8nServer } from '../drivers/n8n/server.ts';
import { VERSIONS } from './versions.ts';

const apiVersion = 'plumbline.dev/v1alpha1';
const PATIENCE = 60_000;
const REFERENCE = '${ref:Workflow/orders@automation.webhookUrl}';

/** A flow that answers with what the called one says. */
const CHECKOUT = {
  trigger: 'webhook',
  options: { method: 'GET', cacheEnabled: false, async: false, return: '$last' },
  operation: 'order',
  operations: [{ key: 'order', type: 'request', options: { method: 'POST', url: REFERENCE, body: '{"item":"tea"}' } }],
};

describe('A flow of a real Directus that calls a workflow of a real n8n', function () {
  this.timeout(600_000);
  let n8n: N8nServer;
  let directus: RawDirectus;
  let place: Place;
  let daemon: Daemon;

  const manifest = (name: string, spec: object) =>
    stringify({ apiVersion, kind: 'Workflow', metadata: { name }, spec });
  const orders = (path: string) =>
    manifest('orders', { title: 'Orders', active: true, definition: flow([webhook(path)]) });
  const token = (env: string) => ({ token: { valueFrom: { env } } });
  const configuration = () => {
    const of = (kind: string, name: string, spec: object) => stringify({ apiVersion, kind, metadata: { name }, spec });
    const git = (path: string) => ({ git: { url: `file://${place.repo}`, path } });
    return [
      of('Platform', 'automation', { driver: 'n8n', url: n8n.url, auth: token('N8N_KEY') }),
      of('Platform', 'backend', { driver: 'directus', url: directus.url, auth: token('DIRECTUS_TOKEN') }),
      of('Sync', 'automation', { source: git('n8n'), platform: 'automation', interval: '1h' }),
      of('Sync', 'backend', {
        source: git('directus'),
        platform: 'backend',
        interval: '1h',
        references: ['automation'],
      }),
    ].join('---\n');
  };

  before(async () => {
    // Directus calls nobody on its own machine unless it is told that it may.
    const settings = { IMPORT_IP_DENY_LIST: '169.254.169.254' };
    [n8n, directus] = await Promise.all([startN8n(), RawDirectus.start(VERSIONS.directusOpen, settings)]);
    place = await Place.create();
    await place.commit({
      'n8n/orders.yaml': orders('orders'),
      'directus/checkout.yaml': manifest('checkout', {
        title: 'Checkout',
        active: true,
        template: true,
        definition: CHECKOUT,
      }),
    });
    await place.configure(configuration());
    daemon = await place.start({
      environment: { ...process.env, N8N_KEY: n8n.apiKey, DIRECTUS_TOKEN: ADMIN_TOKEN },
    });
  });
  after(async () => {
    await daemon?.stop('test');
    await place?.remove();
    await directus?.[Symbol.asyncDispose]();
    await n8n?.stop();
  });

  const operations = () => remoteOperations(place.state);
  const requested = async () =>
    (await directus.rows('operations')).map(({ options }) => (options as { url?: string }).url);
  /** What the workflow on n8n says of how it was called, by way of the flow on Directus. */
  const called = (path: string) =>
    until(
      async () => {
        const [row] = (await directus.rows('flows')).filter(({ name }) => name === 'Checkout');
        const { status, text } = await ask(`${directus.url}/flows/trigger/${row?.id ?? ''}`);
        if (status === 200 && text.includes(`/webhook/${path}"`)) return true;
        const { syncs } = await operations().status({});
        const standing = syncs.map(({ sync, problems, withheld }) => ({ sync, problems, withheld }));
        throw new Error(`answered ${status} ${text.slice(0, 500)}; ${JSON.stringify(standing)}`);
      },
      `called at ${path}`,
      PATIENCE,
    );
  const ready = () =>
    until(
      async () => {
        const { syncs } = await operations().status({});
        return syncs.length === 2 && syncs.every(({ conditions }) => conditions[0]?.status === 'True');
      },
      'both in order',
      PATIENCE,
    );

  it('is given the production URL, and follows when its path changes in git', async () => {
    await called('orders');
    await ready();
    expect(await requested()).to.deep.equal([`${n8n.url}/webhook/orders`]);
    await place.commit({ 'n8n/orders.yaml': orders('shop/orders-v2') });
    await operations().reconcile({ sync: 'automation' });
    await called('shop/orders-v2');
    expect(await requested()).to.deep.equal([`${n8n.url}/webhook/shop/orders-v2`]);
    await ready();
    const plans = await Promise.all(['automation', 'backend'].map((sync) => operations().plan({ sync })));
    expect(plans.flat().map(({ plan }) => [plan?.stages, plan?.withheld])).to.deep.equal([
      [[], []],
      [[], []],
    ]);
    const changes = (await operations().history({ sync: 'backend' })).flatMap((pass) => pass.changes);
    expect(changes.map(({ verb, key }) => `${verb} ${key}`)).to.deep.equal([
      'update Workflow/checkout',
      'create Workflow/checkout',
    ]);
  });
});
