import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { Desk } from '../../cli/binary.ts';
import { N8nClient } from './client.ts';
import { flow, node, webhook } from './harness.ts';
import { calls, nodeIn } from './references.ts';
import type { N8nServer } from './server.ts';

/** What the README shows under "Promotion": the repository, but for what n8n's editor gives. */
const FILES: Readonly<Record<string, string>> = {
  'crm.yaml': `apiVersion: plumbline.dev/v1alpha1
kind: Integration
metadata: { name: crm }
spec:
  title: CRM
  type: httpHeaderAuth
  settings: { name: X-Api-Key }
  secrets: { value: { valueFrom: { env: CRM_KEY_STAGING } } }
`,
  'order.yaml': `apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: { name: order }
spec:
  title: Order
  active: false
  template: true
  definitionFrom: { file: order.json }
`,
  'overlays/production/crm.yaml': `apiVersion: plumbline.dev/v1alpha1
kind: Integration
metadata: { name: crm }
spec: { secrets: { value: { valueFrom: { env: CRM_KEY_PRODUCTION } } } }
`,
  'overlays/production/order.yaml': `apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: { name: order }
spec: { active: true }
`,
};

/** A sub-workflow as n8n's editor gives it: it needs no manifest. */
const NOTIFY = {
  name: 'Notify',
  ...flow([node('Called', 'executeWorkflowTrigger', { inputSource: 'passthrough' }, { typeVersion: 1.1 })]),
};

/** The order as n8n's editor gives it; what differs from place to place is a variable. */
function order(note: string): JsonObject {
  const ask = { url: '${crmUrl}/orders', authentication: 'genericCredentialType', genericAuthType: 'httpHeaderAuth' };
  const credentials = { httpHeaderAuth: { id: 'made-elsewhere', name: 'CRM' } };
  return flow([
    webhook('order'),
    node('Look up', 'httpRequest', ask, { typeVersion: 4.2, disabled: true, credentials }),
    { ...calls('Then', 'Notify'), disabled: true },
    node('Done', 'noOp', {}, { notes: note }),
  ]);
}

function configurationFor(staging: string, production: string, repository: string): string {
  const platform = (name: string, url: string): string => `apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: { name: ${name} }
spec:
  driver: n8n
  url: ${url}
  auth: { token: { valueFrom: { env: N8N_${name.toUpperCase()} } } }
`;
  const sync = (name: string, branch: string, more: string): string => `apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: { name: ${name} }
spec:
  source: { git: { url: "file://${repository}", ref: { branch: ${branch} } } }
  platform: ${name}
  secrets: { env: [CRM_KEY_*] }
${more}`;
  return [
    platform('staging', staging),
    platform('production', production),
    sync('staging', 'main', '  variables: { crmUrl: "https://crm.staging.example.com" }\n'),
    sync(
      'production',
      'production',
      '  overlays: [overlays/production]\n  variables: { crmUrl: "https://crm.example.com" }\n',
    ),
  ].join('---\n');
}

/** One repository and two real servers, with the binary and real git: what a team does. Returns all that the commands said. */
export async function promote(staging: N8nServer, production: N8nServer): Promise<string> {
  const desk = new Desk({
    N8N_STAGING: staging.apiKey,
    N8N_PRODUCTION: production.apiKey,
    CRM_KEY_STAGING: 'canary-staging',
    CRM_KEY_PRODUCTION: 'canary-production',
  });
  try {
    const git = (...args: readonly string[]): void => {
      const person = ['-c', 'user.name=Dana Devs', '-c', 'user.email=dana@example.com'];
      execFileSync('git', ['-C', `${desk.dir}/orders`, ...person, ...args], { stdio: 'pipe' });
    };
    const commit = (note: string, message: string): void => {
      desk.write('orders/order.json', JSON.stringify(order(note), undefined, 2));
      git('add', '-A');
      git('commit', '-qm', message);
    };
    for (const [file, text] of Object.entries(FILES)) desk.write(`orders/${file}`, text);
    desk.write('orders/notify.json', JSON.stringify(NOTIFY, undefined, 2));
    desk.write('plumbline.yaml', configurationFor(staging.url, production.url, `${desk.dir}/orders`));
    git('init', '-q', '-b', 'main');
    commit('first', 'Take orders');
    git('branch', 'production');
    await goesWell(desk, 'apply', '--yes');
    const [here, there] = [staging, production].map(({ url, apiKey }) => new N8nClient(url, apiKey));
    await expectPlaces(here, there);

    commit('second', 'Say when an order is done');
    await goesWell(desk, 'apply', 'staging', '--yes');
    expect([await noteIn(here), await noteIn(there)], 'production waits').to.deep.equal(['second', 'first']);
    git('branch', '-f', 'production', 'main');
    const plan = await goesWell(desk, 'plan', 'production');
    expect(plan)
      .to.match(/update Workflow\/order "Order" {2}changed in git/)
      .and.not.match(/staging/);
    await goesWell(desk, 'apply', 'production', '--yes');
    expect([await noteIn(here), await noteIn(there)]).to.deep.equal(['second', 'second']);
    await expectPlaces(here, there);
    const answers = [staging, production].map(async ({ url }) => fetch(`${url}/webhook/order`, { method: 'POST' }));
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([404, 200]);
    const quiet = await goesWell(desk, 'plan', '--detailed-exitcode');
    expect(quiet.match(/Nothing to do/g)).to.have.length(2);
    expect(desk.said).to.not.match(/canary/);
    return desk.said;
  } finally {
    desk.remove();
  }
}

/** What has to differ differs, and only that. */
async function expectPlaces(here: N8nClient | undefined, there: N8nClient | undefined): Promise<void> {
  const [staging, production] = [await orderOf(here), await orderOf(there)];
  expect([staging['active'], production['active']]).to.deep.equal([false, true]);
  expect(staging['id']).to.not.equal(production['id']);
  expect([urlIn(staging), urlIn(production)]).to.deep.equal([
    'https://crm.staging.example.com/orders',
    'https://crm.example.com/orders',
  ]);
  const credentials = [staging, production].map((one) => JSON.stringify(nodeIn(one, 'Look up')['credentials']));
  expect(credentials[0]).to.not.equal(credentials[1]);
  expect(credentials.join()).to.not.include('made-elsewhere');
}

async function goesWell(desk: Desk, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await desk.run(...args);
  expect(code, `plumbline ${args.join(' ')}\n${out}${err}`).to.equal(0);
  return out;
}

async function orderOf(client: N8nClient | undefined): Promise<JsonObject> {
  const row = (await client?.list('workflows'))?.find(({ name }) => name === 'Order');
  return (await client?.workflow(row?.id ?? '')) ?? {};
}

async function noteIn(client: N8nClient | undefined): Promise<unknown> {
  return nodeIn(await orderOf(client), 'Done')['notes'];
}

function urlIn(workflow: JsonObject): unknown {
  return (nodeIn(workflow, 'Look up')['parameters'] as JsonObject)['url'];
}
