import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { N8nApi } from '../../../src/drivers/n8n/api.ts';
import { Catalogue } from '../../../src/drivers/n8n/catalogue.ts';
import { danglingIn } from '../../../src/drivers/n8n/dangling.ts';
import { locatorsOf } from '../../../src/drivers/n8n/locators.ts';
import { NOTE_KEY } from '../../../src/drivers/n8n/settings.ts';
import type { RawWorkflow } from '../../../src/drivers/n8n/shapes.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { secretValue } from '../contract-steps.ts';
import { flow, node } from './harness.ts';

const OWNER = 'default/orders';

function apiAt(url: string): N8nApi {
  const token = secretValue('none');
  const limits = { concurrency: 1, requestsPerSecond: 1_000, timeout: 10_000 };
  const auth = { token: () => Promise.resolve(token) };
  return new N8nApi({ platform: 'test', url, auth, limits, onRequest: () => undefined });
}

/** The catalogue is told all there is, and asks nobody. */
function catalogueOf({
  credentials = [],
  workflows = [],
}: {
  readonly credentials?: readonly { readonly id: string; readonly name: string; readonly type: string }[];
  readonly workflows?: readonly RawWorkflow[];
}): Catalogue {
  const catalogue = new Catalogue(apiAt('http://127.0.0.1:9'));
  catalogue.learnCredentials(credentials);
  for (const workflow of workflows) catalogue.learn(workflow);
  catalogue.complete();
  return catalogue;
}

function workflow(id: string, name: string, owner?: string): RawWorkflow {
  const note = JSON.stringify({ owner, key: 'Workflow/x' });
  const settings = owner === undefined ? {} : { customTelemetryTags: [{ key: NOTE_KEY, value: note }] };
  return { id, name, active: false, createdAt: '', updatedAt: '', nodes: [], connections: {}, settings };
}

const asks = (name: string, more: JsonObject = {}): JsonObject =>
  node('Ask', 'httpRequest', {}, { credentials: { httpHeaderAuth: { name } }, ...more });
const calls = (workflowId: JsonObject | string, more: JsonObject = {}): JsonObject =>
  node('Then', 'executeWorkflow', { workflowId }, more);
const byName = (cachedResultName: string): JsonObject => ({ __rl: true, mode: 'list', value: '', cachedResultName });
const header = (id: string, name = 'CRM') => ({ id, name, type: 'httpHeaderAuth' });

function lacks(
  nodes: readonly JsonObject[],
  catalogue: Catalogue,
  { coming = [], settings = {} }: { coming?: readonly string[]; settings?: JsonObject } = {},
): readonly string[] {
  const found = danglingIn({ definition: flow(nodes, settings) }, { catalogue, owner: OWNER, coming: new Set(coming) });
  return found.map(({ message }) => message);
}

describe('What a workflow of n8n refers to and does not find', () => {
  it('is a credential that is not there, that several are called, or that is of another type', () => {
    const gone = ['the node "Ask" uses the httpHeaderAuth credential "CRM", which is not on n8n.'];
    expect(lacks([asks('CRM')], catalogueOf({}))).to.deep.equal(gone);
    expect(lacks([asks('CRM')], catalogueOf({ credentials: [{ ...header('1'), type: 'other' }] }))).to.deep.equal(gone);
    expect(lacks([asks('CRM')], catalogueOf({ credentials: [header('1', 'crm')] }))).to.deep.equal(gone);
    expect(lacks([asks('CRM')], catalogueOf({ credentials: [header('1')] }))).to.deep.equal([]);
    expect(lacks([asks('CRM')], catalogueOf({ credentials: [header('1'), header('2')] }))).to.deep.equal([
      'the node "Ask" uses the httpHeaderAuth credential "CRM", and 2 are called so.',
    ]);
  });

  it('is nothing that the plan brings, and nothing that no node asks for', () => {
    expect(lacks([asks('CRM')], catalogueOf({}), { coming: ['Integration/httpHeaderAuth/CRM'] })).to.deep.equal([]);
    expect(lacks([asks('CRM')], catalogueOf({}), { coming: ['Integration/other/CRM'] })).to.have.length(1);
    expect(lacks([asks('CRM', { disabled: true })], catalogueOf({}))).to.deep.equal([]);
    expect(lacks([calls(byName('Notify'))], catalogueOf({}), { coming: ['Workflow/Notify'] })).to.deep.equal([]);
    expect(lacks([calls(byName('Notify'), { disabled: true })], catalogueOf({}))).to.deep.equal([]);
  });

  it('stays ambiguous when the plan brings nothing but two are there already', () => {
    const two = catalogueOf({ credentials: [header('1'), header('2')] });
    expect(lacks([asks('CRM')], two, { coming: ['Integration/httpHeaderAuth/CRM'] })).to.have.length(1);
  });

  it('is a workflow that is not there or that several are called; the own one is meant before those of others', () => {
    const [mine, theirs, other] = [workflow('1', 'Notify', OWNER), workflow('2', 'Notify'), workflow('3', 'Notify')];
    expect(lacks([calls(byName('Notify'))], catalogueOf({}))).to.deep.equal([
      'the node "Then" names the workflow "Notify", which is not on n8n.',
    ]);
    expect(lacks([calls(byName('Notify'))], catalogueOf({ workflows: [theirs, other] }))).to.deep.equal([
      'the node "Then" names the workflow "Notify", and 2 are called so.',
    ]);
    expect(lacks([calls(byName('Notify'))], catalogueOf({ workflows: [theirs, mine, other] }))).to.deep.equal([]);
    expect(lacks([calls(byName('My project — Notify'))], catalogueOf({ workflows: [theirs] }))).to.deep.equal([]);
    const archived = { ...theirs, isArchived: true };
    expect(lacks([calls(byName('Notify'))], catalogueOf({ workflows: [archived] }))).to.have.length(1);
  });

  it('is an id of another instance where a node calls by it; an error workflow keeps nothing from running', () => {
    const known = catalogueOf({ workflows: [workflow('here', 'Notify')] });
    expect(lacks([calls('here')], known)).to.deep.equal([]);
    expect(lacks([calls('elsewhere')], known)).to.deep.equal([
      'the node "Then" names a workflow by the id elsewhere, which n8n does not have.',
    ]);
    expect(lacks([calls('={{ $json.id }}')], known)).to.deep.equal([]);
    expect(lacks([], known, { settings: { errorWorkflow: 'elsewhere' } })).to.deep.equal([]);
    expect(lacks([], known, { settings: { errorWorkflow: '@workflow/Gone' } })).to.deep.equal([
      'the setting errorWorkflow names the workflow "Gone", which is not on n8n.',
    ]);
  });

  it('is no data table where the key may not list them: nothing can be said then', async () => {
    const status = { code: 200 };
    const server = createServer((_request, answer) => {
      answer.writeHead(status.code, { 'content-type': 'application/json' }).end('{"data":[]}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    await using api = apiAt(`http://127.0.0.1:${port}`);
    const rows = node('Rows', 'dataTable', { dataTableId: byName('Orders') });
    const seen: (readonly string[])[] = [];
    for (const code of [200, 403]) {
      status.code = code;
      const catalogue = new Catalogue(api);
      catalogue.learnCredentials([]);
      await catalogue.need(locatorsOf(flow([rows])), new AbortController().signal);
      seen.push(lacks([rows], catalogue));
    }
    server.close();
    expect(seen).to.deep.equal([['the node "Rows" names the data table "Orders", which is not on n8n.'], []]);
  });

  it('is told once, however many nodes ask for it', () => {
    const nodes = [asks('CRM'), asks('CRM', { name: 'Ask again', id: 'other' }), calls(byName('A')), asks('Mail')];
    expect(lacks(nodes, catalogueOf({}))).to.have.length(3);
  });
});
