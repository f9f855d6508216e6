import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect } from 'chai';
import openapiTS, { astToString } from 'openapi-typescript';
import { ApiPlace } from './api-place.ts';

const ROOT = resolve(import.meta.dirname, '..', '..');
const run = promisify(execFile);

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

/** What a user of the generated client writes; types come from the document that the server served. */
const CLIENT = `
import createClient from 'openapi-fetch';
import type { paths } from './api.d.ts';

const [url = '', token = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: \`Bearer \${token}\` } });
const platform = 'node-red';

const { data: run } = await client.POST('/platforms/{platform}/workflows/{workflow}/trigger', {
  params: { path: { platform, workflow: 'order-fulfillment' }, header: { 'Idempotency-Key': 'client-1' } },
  body: { input: { order: 42 } },
});
if (run === undefined) throw new Error('not triggered');
const { data: execution } = await client.GET('/platforms/{platform}/executions/{id}', {
  params: { path: { platform, id: run.correlationId } },
});
const status: 'accepted' | 'running' | 'succeeded' | 'failed' | 'not-started' | 'unknown' | undefined = execution?.status;
const { data: webhook } = await client.POST('/platforms/{platform}/webhooks', {
  params: { path: { platform } },
  body: { event: 'order.created', callback_url: 'https://shop.example.com/hook' },
});
const { error, response } = await client.POST('/platforms/{platform}/workflows/{workflow}/trigger', {
  params: { path: { platform, workflow: 'nowhere' } },
  body: {},
});
const { data: list } = await client.GET('/platforms/{platform}/executions', { params: { path: { platform }, query: { limit: 1 } } });
console.log(JSON.stringify({
  status, workflow: execution?.workflow, secret: webhook?.secret?.slice(0, 6),
  refused: [response.status, error?.error.code], listed: list?.executions.length,
}));
`;

describe('The OpenAPI document', () => {
  let place: ApiPlace;
  let document: Document;
  before(async () => {
    place = await ApiPlace.create();
    document = (await place.ask('GET', '/openapi.json')).json as unknown as Document;
  });
  after(() => place[Symbol.asyncDispose]());

  it('is a valid OpenAPI 3.1 document', async () => {
    expect(document.openapi).to.match(/^3\.1\./);
    const config = await createConfig({ extends: ['spec'] });
    const problems = await lintFromString({ source: JSON.stringify(document), config });
    expect(problems.map(({ message, location }) => `${location[0]?.pointer ?? ''}: ${message}`)).to.deep.equal([]);
  });

  it('gives its schemas names, and no addresses of their own that would turn references away', () => {
    const { schemas } = document.components;
    expect(schemas).to.include.keys('Error', 'TriggerRequest', 'TriggerAnswer', 'Execution', 'Token', 'AuditRecord');
    for (const [name, schema] of Object.entries(schemas))
      expect(schema, name).to.not.have.any.keys('id', '$id', '$schema');
  });

  it('has every route of the running server, and no other', () => {
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} /api/v1${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(documented.toSorted()).to.deep.equal(place.registered.toSorted());
    expect(
      new Set(Object.values(document.paths).flatMap((one) => Object.values(one).map((op) => op.operationId))).size,
    ).to.equal(documented.length);
  });

  it('tells for every route what happens without a token, without the scope, and too often', () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const { responses } of Object.values(operations)) {
        expect(Object.keys(responses), path).to.include.members(['400', '401', '403', '404', '429', '500', '503']);
      }
    }
  });

  it('makes a client that compiles and calls the running server', async function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-client-'));
    try {
      symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      writeFileSync(join(folder, 'api.d.ts'), astToString(await openapiTS(JSON.stringify(document))));
      writeFileSync(join(folder, 'client.ts'), CLIENT);
      writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
      const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
        compilerOptions: object;
      };
      const options = { ...compilerOptions, types: ['node'], allowImportingTsExtensions: true };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
      const bin = join(ROOT, 'node_modules', '.bin');
      const node = join(bin, 'node');
      const checked = await run(node, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
        (error: unknown) => error as { stdout: string },
      );
      expect(checked.stdout).to.equal('');
      const token = place.token('trigger:node-red/order-fulfillment', 'admin:node-red');
      const { stdout } = await run(node, [join(folder, 'client.ts'), place.url, token]);
      expect(JSON.parse(stdout)).to.deep.equal({
        status: 'running',
        workflow: 'order-fulfillment',
        secret: 'whsec_',
        refused: [404, 'not-found'],
        listed: 1,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
