import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect } from 'chai';
import createClient from 'openapi-fetch';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import { Place, until } from '../daemon/fixture.ts';

const CONFIGURATION = (repo: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: dev}
spec: {driver: node-red, hosted: {port: 0}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: orders}
spec: {source: {git: {url: "file://${repo}"}}, platform: dev}
`;

const WORKFLOWS = `
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: order-fulfillment}
spec:
  title: Order fulfillment
  definition:
    - {id: t1, type: tab, label: Order fulfillment, disabled: false, info: ""}
    - {id: n1, type: http in, z: t1, name: orders, url: /orders, method: post, upload: false, swaggerDoc: "", x: 100, y: 100, wires: [[n2]]}
    - {id: n2, type: function, z: t1, name: ship, func: "msg.payload = {shipped: msg.payload.order}; return msg;", outputs: 1, timeout: 0, noerr: 0, initialize: "", finalize: "", libs: [], x: 250, y: 100, wires: [[n3]]}
    - {id: n3, type: http response, z: t1, name: done, statusCode: "", headers: {}, x: 400, y: 100, wires: []}
---
apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: reporting}
spec:
  title: Reporting
  definition:
    - {id: t2, type: tab, label: Reporting, disabled: false, info: ""}
    - {id: m1, type: debug, z: t2, name: out, active: true, tosidebar: true, console: false, tostatus: false, complete: "false", x: 100, y: 100, wires: []}
`;

/** Loosely typed: the generated types are tested beside the document. */
interface Client {
  POST(path: string, options: object): Promise<{ data?: unknown; error?: unknown; response: Response }>;
  GET(path: string, options: object): Promise<{ data?: unknown; error?: unknown; response: Response }>;
}

describe('The API of a daemon with a real Node-RED', function () {
  this.timeout(90_000);
  let place: Place;
  let daemon: Daemon;
  let api: Client;
  const workflow = (name: string, body: object) => api.POST(`/platforms/dev/workflows/${name}/trigger`, { body });

  before(async () => {
    place = await Place.create();
    await place.commit({ 'workflows.yaml': WORKFLOWS });
    await place.configure(CONFIGURATION(place.repo));
    daemon = await place.start();
    await until(async () => {
      const { syncs } = await remoteOperations(place.state).status({ sync: 'orders' });
      return syncs[0]?.conditions[0]?.status === 'True';
    }, 'the workflows on Node-RED');
    const root = (await readFile(join(place.state, 'token'), 'utf8')).trim();
    const admin = createClient({
      baseUrl: `${daemon.url}/api/v1`,
      headers: { authorization: `Bearer ${root}` },
    }) as Client;
    const { data } = await admin.POST('/tokens', { body: { name: 'shop', scopes: ['trigger:dev'] } });
    const { token } = data as { token: string };
    api = createClient({ baseUrl: `${daemon.url}/api/v1`, headers: { authorization: `Bearer ${token}` } }) as Client;
  });
  after(async () => {
    await daemon?.stop('test');
    await place?.remove();
  });

  it('runs a workflow of git with an input, and reads back what became of it', async () => {
    const { data, error, response } = await workflow('order-fulfillment', { input: { order: 42 } });
    expect(response.status, JSON.stringify(error)).to.equal(202);
    const { correlationId, answer } = data as { correlationId: string; answer: unknown };
    expect(answer).to.deep.equal({ status: 200, body: { shipped: 42 } });
    const ended = await until(async () => {
      const { data } = await api.GET(`/platforms/dev/executions/${correlationId}`, {});
      const execution = data as { status: string };
      return execution.status === 'succeeded' && execution;
    }, 'the execution to have ended');
    expect(ended).to.include({ correlationId, workflow: 'order-fulfillment' });
  });

  it('says 409 and what to add where nothing can start the workflow', async () => {
    const { error, response } = await workflow('reporting', { input: 1 });
    expect(response.status).to.equal(409);
    expect((error as { error: object }).error)
      .to.include({ code: 'not-triggerable', retry: 'never' })
      .and.include.keys('remedy');
  });

  it('serves a valid document that names every operation of the command line', async () => {
    const { data } = await api.GET('/openapi.json', {});
    const problems = await lintFromString({
      source: JSON.stringify(data),
      config: await createConfig({ extends: ['spec'] }),
    });
    expect(problems.map(({ message }) => message)).to.deep.equal([]);
    const { paths } = data as { paths: object };
    expect(paths).to.include.keys('/operations/plan', '/operations/apply', '/operations/archived', '/audit');
  });
});
