import { expect } from 'chai';
import { startOperatorNodeRed, type OperatorNodeRed } from '../drivers/node-red/operator-node-red.ts';
import { Desk } from './binary.ts';

const configuration = (url: string, dir: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: plant}
spec: {driver: node-red, url: "${url}"}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: callers}
spec: {source: {git: {url: "file://${dir}/callers"}}, platform: plant, references: [orders]}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${dir}/orders"}}, platform: plant}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: reports}
spec: {source: {git: {url: "file://${dir}/reports"}}, platform: plant, references: [orders]}
`;

const URL_OF_ORDERS = '${ref:Workflow/orders.webhookUrl}';
const PLACE = { x: 100, y: 80, wires: [[]] };
const flow = (id: string, name: string, nodes: readonly object[]): string =>
  JSON.stringify([{ id, type: 'tab', label: name }, ...nodes]);
const orders = (path: string): string =>
  flow('0a00000000000001', 'Orders', [
    {
      id: '0a00000000000002',
      type: 'http in',
      z: '0a00000000000001',
      name: 'Take',
      method: 'get',
      url: path,
      ...PLACE,
    },
  ]);
const caller = (name: string): Record<string, string> => ({
  [`${name}/${name}.yaml`]: `apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: ${name}}
spec: {title: ${name}, template: true, definitionFrom: {file: ${name}.json}}
`,
  [`${name}/${name}.json`]: flow('0b00000000000001', name, [
    { id: '0b00000000000002', type: 'http request', z: '0b00000000000001', name: 'Call', url: URL_OF_ORDERS, ...PLACE },
  ]),
});

describe('apply without a daemon, of Syncs that refer to each other', function () {
  this.timeout(90_000);
  let nodeRed: OperatorNodeRed;
  const desk = new Desk();
  before(async () => {
    nodeRed = await startOperatorNodeRed('{}');
    desk.write('plumbline.yaml', configuration(nodeRed.url, desk.dir));
    for (const [file, text] of Object.entries({ ...caller('callers'), ...caller('reports') })) desk.write(file, text);
    desk.write('orders/orders.json', orders('/orders'));
    for (const folder of ['callers', 'orders', 'reports']) await desk.commit(folder, 'First');
  });
  after(async () => {
    await nodeRed?.stop();
    desk.remove();
  });

  it('brings all of them in order at once, whichever comes first, and shows what follows before it is applied', async () => {
    const first = await desk.run('apply', '--yes');
    expect(first.code, first.out + first.err).to.equal(0);
    expect(first.out).to.not.match(/does not hold any more/);
    expect(first.out.match(/applied create Workflow\/(callers|orders|reports)/g)).to.have.length(3);
    expect(first.err.match(/create Workflow\/callers/g), 'as what waits, then as what is done').to.have.length(2);
    const quiet = await desk.run('plan', '--detailed-exitcode');
    expect(quiet.code, quiet.out).to.equal(0);
    desk.write('orders/orders.json', orders('/orders/v2'));
    await desk.commit('orders', 'Move');
    const moved = await desk.run('apply', '--yes');
    expect(moved.code, moved.out + moved.err).to.equal(0);
    const left = await desk.run('plan', '--detailed-exitcode');
    expect(left.code, left.out).to.equal(0);
  });
});
