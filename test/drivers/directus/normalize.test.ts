import { expect } from 'chai';
import { normalizeGrant } from '../../../src/drivers/directus/access-grant.ts';
import { hasPolicy, normalizeRole } from '../../../src/drivers/directus/access-role.ts';
import { flowBody, versionOf } from '../../../src/drivers/directus/flow-rows.ts';
import { objectId } from '../../../src/drivers/directus/ids.ts';
import { objectsOf, wordOf } from '../../../src/drivers/directus/json.ts';
import { readNote, writeNote } from '../../../src/drivers/directus/note.ts';
import { rowOf, ruleOf, rulesOf, saidBy } from '../../../src/drivers/directus/permissions.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import type { Marker } from '../../../src/plan/types.ts';

const MARKER: Marker = { owner: 'here/sync', key: 'Workflow/x', applied: 'abc', how: 'created', remote: 'id' };
const FLOW = 'ffffffff-0000-4000-8000-000000000004';

describe('What the Directus driver compares and sends', () => {
  describe('a note in a description', () => {
    it('comes back as it was written, and leaves the text of people alone', () => {
      const grants = { g: { title: 'a --> b', marker: MARKER, users: ['u'], until: '2031-01-01T00:00:00.000Z' } };
      const note = { marker: MARKER, fields: { version: '1 --> 2' }, grants };
      for (const text of ['', 'Ships orders.', 'two\n\nlines <!-- with --> a comment']) {
        const written = writeNote(text, note) ?? '';
        expect(readNote(written)).to.deep.equal({ text, note });
        expect(written.slice(text.length).split('-->').length, 'no value ends the comment').to.equal(2);
      }
    });

    it('that somebody broke is text, and where nothing is to be said nothing is written', () => {
      const broken = 'x <!-- plumbline {"owner": -->';
      expect(readNote(broken).text).to.equal(broken);
      expect(writeNote('  ', { fields: {}, grants: {} })).to.equal(null);
    });
  });

  describe('permissions', () => {
    const rows = [
      row('posts', 'read', { permissions: { status: { _eq: 'published' } } }),
      row('posts', 'update', { permissions: { status: { _eq: 'published' } } }),
      row('posts', 'create', { presets: { author: '$CURRENT_USER' }, validation: {} }),
      row('posts', 'delete', { permissions: null }),
      row('tags', 'create', { permissions: { id: { _null: true } } }),
      row('pages', 'read', { fields: ['title', 'id', 'id'] }),
      row('pages', 'update', { fields: null }),
      row('directus_flows', 'read'),
      row('directus_operations', 'read'),
      row('directus_flows', 'delete'),
      row('files', 'share'),
    ];

    it('as rows and as a manifest are the same, portable as far as that reaches', () => {
      const spec = normalizeRole({ title: 'X', permissions: [], native: { permissions: rows } });
      expect(spec['permissions']).to.deep.equal([
        { on: 'data', collection: 'directus_flows', verbs: ['delete'] },
        { on: 'data', collection: 'pages', verbs: ['read'], fields: ['id', 'title'] },
        { on: 'data', collection: 'pages', verbs: ['update'], fields: [] },
        { on: 'data', collection: 'posts', verbs: ['delete'] },
        { on: 'data', collection: 'posts', verbs: ['read', 'update'], where: { status: { _eq: 'published' } } },
        { on: 'workflow', verbs: ['read'] },
      ]);
      expect(spec['native']).to.deep.equal({
        permissions: [
          { collection: 'posts', action: 'create', presets: { author: '$CURRENT_USER' } },
          { collection: 'tags', action: 'create', permissions: { id: { _null: true } } },
          { collection: 'files', action: 'share' },
        ],
      });
      const back = rulesOf(saidBy(spec)).map(rowOf).map(ruleOf);
      expect(back).to.have.deep.members(rows.map(ruleOf));
    });

    it('are the same in any order, split or merged, and twice is once', () => {
      const one = { permissions: [data('a', ['read', 'update']), data('b', ['read'])] };
      const other = {
        permissions: [data('b', ['read']), data('a', ['update']), data('a', ['read']), data('a', ['read'])],
      };
      expect(normalizeRole(one)).to.deep.equal(normalizeRole(other));
    });

    it('that Directus cannot enforce stay in the normal form, so that they are refused and not lost', () => {
      const permissions = [{ on: 'workflow', verbs: ['run'] }];
      expect(normalizeRole({ permissions })['permissions']).to.deep.equal(permissions);
    });
  });

  it('normalizing a role or a grant changes nothing the second time', () => {
    const roles: readonly JsonObject[] = [
      {
        title: 'A',
        exclusive: true,
        permissions: [data('x', ['read'])],
        native: { role: { policies: ['b', 'a', 'a'] } },
      },
      { native: { icon: 'badge', ip_access: ['10.0.0.1', '10.0.0.0'], odd: 1, description: 'x \n' } },
      { native: { role: {}, icon: 'supervised_user_circle' } },
      {},
    ];
    for (const role of roles) expect(normalizeRole(normalizeRole(role))).to.deep.equal(normalizeRole(role));
    const grant = {
      role: 'a',
      subjects: [{ user: 'B@x.y' }, { user: 'a@x.y' }, { user: 'b@x.y' }],
      expiresAt: '2031-01-31T01:00:00+01:00',
    };
    const once = normalizeGrant(grant);
    expect(normalizeGrant(once)).to.deep.equal(once);
    expect(once['subjects']).to.deep.equal([{ user: 'a@x.y' }, { user: 'b@x.y' }]);
    expect(once['expiresAt']).to.equal('2031-01-31T00:00:00.000Z');
  });

  it('a role has a policy of its own only where it says more than which others it joins', () => {
    const joins = { role: { policies: ['a'] } };
    expect(hasPolicy(normalizeRole({ native: joins }))).to.equal(false);
    expect(hasPolicy(normalizeRole({ native: { ...joins, app_access: true } }))).to.equal(true);
    expect(hasPolicy(normalizeRole({ native: joins, permissions: [data('x', ['read'])] }))).to.equal(true);
    expect(hasPolicy(normalizeRole({}))).to.equal(true);
  });

  describe('the body of a flow', () => {
    const spec = { title: 'X', definition: { operation: 'a', operations: [log('a', 'b'), log('b', 'c'), log('c')] } };

    it('has each operation after those it leads to, under ids that hang on the whole graph', () => {
      const [first, again] = [flowBody({ id: FLOW, spec }), flowBody({ id: FLOW, spec })];
      expect(again).to.deep.equal(first);
      const operations = objectsOf(first['operations']);
      expect(operations.map(({ key }) => key)).to.deep.equal(['c', 'b', 'a']);
      expect(first['operation']).to.equal(operations[2]?.['id']);
      expect(operations[2]?.['resolve']).to.equal(operations[1]?.['id']);
      const changed = {
        title: 'X',
        definition: { operation: 'a', operations: [log('a', 'b'), log('b', 'c'), { ...log('c'), name: 'new' }] },
      };
      const ids = new Set(objectsOf(flowBody({ id: FLOW, spec: changed })['operations']).map(({ id }) => id));
      for (const { id } of operations) expect(ids.has(id ?? null), 'no id is used again').to.equal(false);
    });

    it('leaves operations out while they stand, and never uses an id that somebody has', () => {
      const present = flowBody({ id: FLOW, spec });
      expect(flowBody({ id: FLOW, spec: { ...spec, title: 'Y' }, present })).to.not.have.property('operations');
      const [last, ...rest] = objectsOf(present['operations']);
      const edited = { ...present, operations: [{ ...last, name: 'by hand' }, ...rest] };
      const body = flowBody({ id: FLOW, spec, present: edited });
      const taken = new Set(objectsOf(edited.operations).map(({ id }) => id));
      expect(objectsOf(body['operations']).length).to.equal(3);
      for (const { id } of objectsOf(body['operations'])) expect(taken.has(id ?? null)).to.equal(false);
    });

    it('lets a new flow rest, and an old one as it is, where nobody says that it runs (law 11)', () => {
      expect(flowBody({ id: FLOW, spec })['status']).to.equal('inactive');
      expect(flowBody({ id: FLOW, spec, present: { id: FLOW, status: 'active' } })).to.not.have.property('status');
      expect(flowBody({ id: FLOW, spec: { ...spec, active: true } })['status']).to.equal('active');
    });

    it('keeps the grants and says whose it is', () => {
      const { note, text } = readNote(wordOf(flowBody({ id: FLOW, spec, marker: MARKER })['description']));
      expect(text).to.equal('');
      expect(note.marker).to.deep.equal({ ...MARKER, remote: FLOW });
    });
  });

  it('a version changes with every operation, and not with dates or the order of rows', () => {
    const rows = {
      id: FLOW,
      name: 'X',
      operations: [
        { id: 'a', key: 'a' },
        { id: 'b', key: 'b' },
      ],
    };
    const same = {
      ...rows,
      date_created: 'x',
      operations: rows.operations.toReversed().map((one) => ({ ...one, date_created: 'y' })),
    };
    expect(versionOf(same)).to.equal(versionOf(rows));
    const other = {
      ...rows,
      operations: [
        { id: 'a', key: 'a' },
        { id: 'b', key: 'b', name: 'new' },
      ],
    };
    expect(versionOf(other)).to.not.equal(versionOf(rows));
  });

  it('ids are UUIDs of version 5, equal for equal owner and key', () => {
    const id = objectId('here/sync', 'Workflow/x');
    expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(objectId('here/sync', 'Workflow/x')).to.equal(id);
    expect(objectId('here/other', 'Workflow/x')).to.not.equal(id);
  });
});

function row(collection: string, action: string, more: JsonObject = {}): JsonObject {
  return {
    id: 7,
    policy: FLOW,
    collection,
    action,
    permissions: {},
    validation: null,
    presets: null,
    fields: ['*'],
    ...more,
  };
}

function data(collection: string, verbs: readonly string[]): JsonObject {
  return { on: 'data', collection, verbs };
}

function log(key: string, resolve?: string): JsonObject {
  return { key, type: 'log', position_x: 1, position_y: 1, ...(resolve === undefined ? {} : { resolve }) };
}
