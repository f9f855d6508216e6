import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { wordOf } from '../../../src/drivers/directus/json.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { Desk } from '../../cli/binary.ts';
import { observe } from '../contract-steps.ts';
import { DirectusDesk, contentFrom } from './desk.ts';
import { RawDirectus, type Row } from './raw-directus.ts';
import { ADMIN_TOKEN, type DirectusVersion } from './server.ts';

const configuration = (url: string, dir: string): string => contentFrom(url, `${dir}/repository`, 'adopt: matching');
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** What people made in a Directus, as a repository, and what becomes of it there and on a new server. */
export function describeLivedIn(version: DirectusVersion): void {
  describe(`A lived-in Directus ${version}, exported`, function () {
    this.timeout(300_000);
    let origin: RawDirectus;
    let fresh: RawDirectus;
    const desk = new Desk({ DIRECTUS_TOKEN: ADMIN_TOKEN });
    before(async () => {
      [origin, fresh] = await Promise.all([RawDirectus.start(version), RawDirectus.start(version)]);
      await Promise.all([makeCollection(origin), makeCollection(fresh)]);
      await liveIn(origin);
    });
    after(async () => {
      desk.remove();
      await Promise.all([origin, fresh].map((raw) => raw?.[Symbol.asyncDispose]()));
    });

    it('is a repository that a person could have written, plans to nothing there, and makes the same of an empty server', async () => {
      desk.write('plumbline.yaml', configuration(origin.url, desk.dir));
      const exported = await desk.run('export', 'content', '--out', 'repository');
      expect(exported.code, exported.err).to.equal(0);
      const files = filesIn(join(desk.dir, 'repository'));
      expect(files).to.deep.equal(REPOSITORY);
      for (const file of files)
        expect(readFileSync(join(desk.dir, 'repository', file), 'utf8'), `${file} names nothing by an id`).to.not.match(
          UUID,
        );
      await desk.commit('repository', 'As it was found');
      const plan = await desk.run('plan');
      expect(plan.out, 'there is nothing to do but to take over').to.match(
        /^Plan: 0 to create, 0 to update, 11 to adopt, 0 to release, 0 to delete; 0 withheld; 0 problem\(s\)\./m,
      );
      expect(plan.out).to.not.match(/with differences/);
      const before = await picture(origin);
      await applied(desk);
      expect(await picture(origin), 'nothing has changed there').to.have.deep.members(before);
      expect((await desk.run('plan', '--detailed-exitcode')).code, 'nothing is left to do').to.equal(0);

      desk.write('plumbline.yaml', configuration(fresh.url, desk.dir));
      await applied(desk, '--state-dir', 'fresh');
      expect(await picture(fresh), 'the same stands on the new server').to.have.deep.members(before);
      const quiet = await desk.run('plan', '--state-dir', 'fresh', '--detailed-exitcode');
      expect(quiet.code, quiet.out).to.equal(0);
    });
  });
}

const REPOSITORY = [
  'access/administrator-role.yaml',
  'access/administrator.yaml',
  'access/grant-bob-example-com-has-order-desk.yaml',
  'access/grant-reader-example-com-has-reader.yaml',
  'access/order-desk.yaml',
  'access/reader.yaml',
  'access/sales.yaml',
  'access/t-public-label.yaml',
  'workflows/nightly.json',
  'workflows/nightly.yaml',
  'workflows/order-arrived.json',
  'workflows/order-arrived.yaml',
  'workflows/tell-sales.json',
  'workflows/tell-sales.yaml',
];

/** Roles in Directus' sense, of which people are members. */
const MEMBERS = new Set(['administrator-role', 'sales']);

async function applied(desk: Desk, ...flags: readonly string[]): Promise<void> {
  const { code, out, err } = await desk.run('apply', '--yes', ...flags);
  expect(code, `${out}\n${err}`).to.equal(0);
}

/** Everything but who is a member of a role that nobody has taken over yet: there may be a million, so they are not listed. */
async function picture(raw: RawDirectus): Promise<readonly JsonObject[]> {
  using desk = new DirectusDesk(raw.url);
  await using driver = desk.driver();
  const { objects } = await observe(driver);
  return objects
    .filter(({ kind, value }) => kind !== 'AccessGrant' || !MEMBERS.has(wordOf(value['role'])))
    .map(({ kind, title, value }) => ({ kind, title, value }));
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(folder, name)).isFile())
    .toSorted();
}

async function makeCollection(raw: RawDirectus): Promise<void> {
  await raw.ask('POST', '/collections', {
    collection: 'orders',
    schema: {},
    meta: {},
    fields: [
      { field: 'id', type: 'integer', schema: { is_primary_key: true, has_auto_increment: true } },
      { field: 'region', type: 'string', schema: {} },
    ],
  });
}

/** Flows that run each other, a policy with conditions, a role that carries it, and people who have both. */
async function liveIn(raw: RawDirectus): Promise<void> {
  const tell = await makeFlow(raw, { name: 'Tell sales', trigger: 'operation', status: 'active', color: '#FFA439' }, [
    { key: 'compose', type: 'transform', name: 'Compose', options: { json: { text: 'new order' } } },
    { key: 'write', type: 'log', name: 'Write', options: { message: '{{ compose.text }}' } },
  ]);
  const event = { type: 'action', scope: ['items.create'], collections: ['orders'] };
  await makeFlow(
    raw,
    { name: 'Order arrived', trigger: 'event', status: 'active', description: 'Every order.', options: event },
    [
      { key: 'tell', type: 'trigger', name: 'Tell', options: { flow: tell, payload: '{{ $trigger }}' } },
      { key: 'done', type: 'log', name: 'Done', options: { message: 'told' } },
    ],
  );
  await makeFlow(raw, { name: 'Nightly', trigger: 'schedule', status: 'inactive', options: { cron: '0 3 * * *' } }, []);
  const policy = (await raw.ask('POST', '/policies', {
    name: 'Order desk',
    description: 'Orders of the EU.',
    permissions: [
      { collection: 'orders', action: 'read', permissions: { region: { _eq: 'EU' } }, fields: ['id', 'region'] },
      { collection: 'orders', action: 'update', permissions: { region: { _eq: 'EU' } }, fields: ['region'] },
    ],
  })) as Row;
  const role = (await raw.ask('POST', '/roles', { name: 'Sales', icon: 'storefront' })) as Row;
  await raw.ask('POST', '/access', { policy: policy.id, role: role.id });
  await raw.ask('PATCH', `/users/${raw.people.get('alice@example.com') ?? ''}`, { role: role.id });
  await raw.ask('POST', '/access', { policy: policy.id, user: raw.people.get('bob@example.com') });
}

/** Operations one after the other, as the editor writes them. @returns the id of the flow */
async function makeFlow(raw: RawDirectus, flow: JsonObject, operations: readonly JsonObject[]): Promise<string> {
  const id = randomUUID();
  await raw.ask('POST', '/flows', { accountability: 'all', icon: 'bolt', ...flow, id });
  let next: string | null = null;
  for (const [index, operation] of [...operations.entries()].toReversed()) {
    const place = { position_x: 19 + 18 * index, position_y: 1 };
    const made = (await raw.ask('POST', '/operations', { ...operation, ...place, flow: id, resolve: next })) as Row;
    next = made.id;
  }
  if (next !== null) await raw.ask('PATCH', `/flows/${id}`, { operation: next });
  return id;
}
