import { expect } from 'chai';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { Place, until } from './fixture.ts';

const CONFIGURATION = (repo: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: orders}
spec: {driver: node-red, hosted: {port: 0}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: shop}
spec: {driver: node-red, hosted: {port: 0}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${repo}", path: orders}}, platform: orders, interval: 1h}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: shop}
spec: {source: {git: {url: "file://${repo}", path: shop}}, platform: shop, interval: 1h, references: [orders]}
`;

const tab = (id: string, label: string) => `{id: ${id}, type: tab, label: "${label}", disabled: false, info: ""}`;
const entry = (url: string, next: string) =>
  `{id: in, type: http in, z: t, name: "", url: ${url}, method: get, upload: false, swaggerDoc: "", x: 100, y: 100, wires: [[${next}]]}`;
const RESPONSE =
  '{id: out, type: http response, z: t, name: "", statusCode: "", headers: {}, x: 400, y: 100, wires: []}';

const ORDERS = (path: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: orders}
spec:
  definition:
    - ${tab('t', 'Orders')}
    - ${entry(path, 'say')}
    - {id: say, type: function, z: t, name: say, func: "msg.payload = 'orders at ${path}'; return msg;", outputs: 1, timeout: 0, noerr: 0, initialize: "", finalize: "", libs: [], x: 250, y: 100, wires: [[out]]}
    - ${RESPONSE}
`;

const SHOP = `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: checkout}
spec:
  template: true
  definition:
    - ${tab('t', 'Checkout')}
    - ${entry('/checkout', 'call')}
    - {id: call, type: http request, z: t, name: call, method: GET, ret: txt, paytoqs: ignore, url: "\${ref:Workflow/orders.webhookUrl}", tls: "", persist: false, proxy: "", insecureHTTPParser: false, authType: "", senderr: false, headers: [], x: 250, y: 100, wires: [[out]]}
    - ${RESPONSE}
`;

describe('A flow of one Node-RED that calls a flow of another', function () {
  this.timeout(120_000);
  let place: Place;
  let daemon: Daemon;

  before(async () => {
    place = await Place.create();
    await place.commit({ 'orders/orders.yaml': ORDERS('/orders'), 'shop/checkout.yaml': SHOP });
    await place.configure(CONFIGURATION(place.repo));
    daemon = await place.start();
  });
  after(async () => {
    await daemon?.stop('test');
    await place?.remove();
  });

  const answers = (text: string) =>
    until(
      async () => {
        const url = await daemon.workshop.engine.platforms.url('shop');
        if (url === undefined) return false;
        // A call that is under way when its flow is deployed anew is never answered.
        const answer = await fetch(`${url}/checkout`, { signal: AbortSignal.timeout(5_000) });
        return (await answer.text()) === text;
      },
      text,
      60_000,
    );
  const ready = () =>
    until(async () => {
      const { syncs } = await remoteOperations(place.state).status({});
      return syncs.length === 2 && syncs.every(({ conditions }) => conditions[0]?.status === 'True');
    }, 'both in order');

  it('is given its URL, and follows when that changes in git', async () => {
    await answers('orders at /orders');
    await ready();
    await place.commit({ 'orders/orders.yaml': ORDERS('/v2/orders') });
    // Only the Sync of the called flow is looked at: the other follows by itself.
    await remoteOperations(place.state).reconcile({ sync: 'orders' });
    await answers('orders at /v2/orders');
    await ready();
    const plans = await Promise.all(['orders', 'shop'].map((sync) => remoteOperations(place.state).plan({ sync })));
    expect(plans.flat().flatMap(({ plan }) => [plan?.stages, plan?.withheld])).to.deep.equal([[], [], [], []]);
  });
});
