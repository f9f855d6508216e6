import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AccessClient } from '../../../src/drivers/node-red/access.ts';
import { AddonClient } from '../../../src/drivers/node-red/addon-client.ts';
import type { JsonValue } from '../../../src/manifest/manifest.ts';
import { role, step } from './access-bench.ts';
import { bcryptHash, call, login, type OperatorNodeRed, startOperatorNodeRed } from './operator-node-red.ts';

type Json = Readonly<Record<string, unknown>>;
const user = (name: string, permissions: string): string =>
  `{username: '${name}', password: '${bcryptHash(`${name} secret`)}', permissions: ${permissions}}`;
const tab = (id: string, info = ''): Json => ({ id, type: 'tab', label: id, info });
const comment = (z: string, name: string): Json => ({
  id: `${z}-comment`,
  z,
  type: 'comment',
  name,
  x: 10,
  y: 10,
  wires: [],
});
const ROLE = { id: 'role', kind: 'role', title: 'Writers', value: {}, permissions: ['flows.write'] };
const grantTo = (name: string): Json => ({
  id: 'grant',
  kind: 'grant',
  title: 'Grant',
  value: {},
  users: [name],
  roleId: 'role',
});

describe('the add-on in a Node-RED of an operator', () => {
  let red: OperatorNodeRed;
  let admin: string | undefined;

  const api = (
    token: string | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers = {},
  ): ReturnType<typeof call> => call(red.url, token, [method, path, body], headers);
  const write = async (
    set: readonly Json[],
    remove: readonly string[] = [],
  ): Promise<{ status: number; json: unknown }> => {
    const { revision } = (await api(admin, 'GET', '/plumbline/access')).json as { revision: number };
    return api(admin, 'PUT', '/plumbline/access', { set, remove }, { 'if-match': String(revision) });
  };

  before(async () => {
    const users = [user('admin', "'*'"), user('viewer', "'read'"), user('maker', "['read', 'write']")];
    red = await startOperatorNodeRed(`{
      adminAuth: {type: 'credentials', users: [${users.join(', ')}], default: {permissions: 'read'}},
      flowFile: 'flows.json',
      httpAdminMiddleware: (req, res, next) => { res.set('x-operator', 'yes'); next(); },
    }`);
    admin = await login(red.url, 'admin', 'admin secret');
  });
  after(() => red.stop());

  it('leaves the users, the anonymous default and the middleware of the operator as they are', async () => {
    const viewer = await login(red.url, 'viewer', 'viewer secret');
    expect(await login(red.url, 'viewer', 'admin secret')).to.equal(undefined);
    expect((await api(viewer, 'GET', '/flows')).status).to.equal(200);
    expect((await api(viewer, 'POST', '/flows', [])).status).to.equal(401);
    expect((await api(undefined, 'GET', '/flows')).status).to.equal(200);
    expect((await fetch(`${red.url}/flows`)).headers.get('x-operator')).to.equal('yes');
    const narrow = await login(red.url, 'admin', 'admin secret', 'flows.read');
    expect((await api(narrow, 'POST', '/flows', [])).status).to.equal(401);
  });

  it('answers nobody who is not logged in, and tells who may do what only to administrators', async () => {
    for (const path of ['hello', 'access', 'executions', 'executions/totals', 'changes', 'events']) {
      expect((await api(undefined, 'GET', `/plumbline/${path}`)).status, path).to.equal(401);
    }
    for (const name of ['viewer', 'maker']) {
      const token = await login(red.url, name, `${name} secret`);
      expect((await api(token, 'GET', '/plumbline/hello')).status).to.equal(200);
      expect((await api(token, 'GET', '/plumbline/access')).status).to.equal(401);
      const change = { set: [ROLE], remove: [] };
      expect((await api(token, 'PUT', '/plumbline/access', change, { 'if-match': '0' })).status).to.equal(401);
    }
    expect((await api(undefined, 'GET', `/plumbline/challenge?challenge=${'x'.repeat(32)}`)).status).to.equal(404);
  });

  it('keeps its identity over a restart', async () => {
    const { instance } = (await api(admin, 'GET', '/plumbline/hello')).json as { instance: string };
    expect(instance).to.match(/^node-red-[0-9a-f]{24}$/);
    await red.restart();
    expect((await api(admin, 'GET', '/plumbline/hello')).json).to.include({ instance });
  });

  it('a grant adds to what a user of settings.js may do, and takes nothing of it away when it goes', async () => {
    expect((await write([ROLE, grantTo('viewer')])).status).to.equal(200);
    const viewer = await login(red.url, 'viewer', 'viewer secret');
    expect((await api(viewer, 'POST', '/flows', [])).status).to.equal(204);
    expect((await write([], ['grant'])).status).to.equal(200);
    expect((await api(viewer, 'POST', '/flows', [])).status).to.equal(401);
    expect((await api(viewer, 'GET', '/flows')).status).to.equal(200);
  });

  it('refuses a write without the revision that was read, with an old one, and one that is malformed', async () => {
    const change = { set: [ROLE], remove: [] };
    expect((await api(admin, 'PUT', '/plumbline/access', change)).status).to.equal(428);
    expect((await api(admin, 'PUT', '/plumbline/access', change, { 'if-match': '"0"' })).status).to.equal(409);
    for (const broken of [
      { ...grantTo('bob'), passwords: { bob: { hash: 'plain text' } } },
      { ...grantTo('bob'), passwords: { bob: { hash: `scrypt$1048576$99$99$${'a'.repeat(22)}$${'a'.repeat(43)}` } } },
      { ...grantTo('bob'), passwords: { bob: 'keep' } },
      { ...ROLE, permissions: ['*', 7] },
      { ...ROLE, kind: 'other' },
    ]) {
      expect((await write([broken])).status, JSON.stringify(broken)).to.equal(422);
    }
  });

  it('tells which tabs a deploy changed, by whom, and to those who wait for it', async () => {
    const maker = await login(red.url, 'maker', 'maker secret');
    const first = [tab('one'), comment('one', 'a'), tab('two'), comment('two', 'a')];
    expect((await api(admin, 'POST', '/flows', first)).status).to.equal(204);
    const { next } = (await api(admin, 'GET', '/plumbline/events')).json as { next: string };
    const waiting = api(admin, 'GET', `/plumbline/events?after=${next}&wait=20000`);
    const second = [tab('one'), comment('one', 'a'), tab('two'), comment('two', 'b')];
    expect((await api(maker, 'POST', '/flows', second)).status).to.equal(204);
    const { events } = (await waiting).json as { events: readonly Json[] };
    expect(events).to.have.length(1);
    expect(events[0]).to.deep.include({ type: 'deploy', by: 'maker', remotes: ['two'] });
    const { changes } = (await api(admin, 'GET', '/plumbline/changes')).json as { changes: Record<string, Json> };
    expect(changes['one']).to.include({ by: 'admin' });
    expect(changes['two']).to.include({ by: 'maker' });
    expect(changes['two']?.['at']).to.be.closeTo(Date.now(), 30_000);
  });

  it('a refused deploy changes nobody, and a single flow that is added, changed or removed counts like a deploy', async () => {
    const maker = await login(red.url, 'maker', 'maker secret');
    const before = (await api(admin, 'GET', '/plumbline/changes')).json;
    const body = { rev: 'old', flows: [tab('three')] };
    expect((await api(maker, 'POST', '/flows', body, { 'node-red-api-version': 'v2' })).status).to.equal(409);
    expect((await api(admin, 'GET', '/plumbline/changes')).json).to.deep.equal(before);
    const { id } = (await api(maker, 'POST', '/flow', { label: 'four', nodes: [] })).json as { id: string };
    const { changes } = (await api(admin, 'GET', '/plumbline/changes')).json as { changes: Record<string, Json> };
    expect(changes[id]).to.include({ by: 'maker' });
    expect((await api(admin, 'DELETE', `/flow/${id}`)).status).to.equal(204);
    expect(((await api(admin, 'GET', '/plumbline/changes')).json as { changes: Json }).changes).not.to.have.property(
      id,
    );
  });

  it('remembers over a restart who changed what, and knows nobody for what changed meanwhile', async () => {
    const { changes: known } = (await api(admin, 'GET', '/plumbline/changes')).json as {
      changes: Record<string, Json>;
    };
    const file = join(red.userDir, 'flows.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"name": *"b"/, '"name":"by hand"'));
    await red.restart();
    const { changes } = (await api(admin, 'GET', '/plumbline/changes')).json as { changes: Record<string, Json> };
    expect(changes['one']).to.deep.equal(known['one']);
    expect(changes['two'])
      .to.have.property('at')
      .that.is.greaterThan(known['two']?.['at'] as number);
    expect(changes['two']).not.to.have.property('by');
  });

  it('does not take an access file that it cannot read for an empty one', async () => {
    const file = join(red.userDir, 'plumbline', 'access.json');
    writeFileSync(file, '{"format": 1, "entries": ');
    await red.restart();
    expect((await api(admin, 'GET', '/plumbline/access')).status).to.equal(500);
    const change = { set: [ROLE], remove: [] };
    expect((await api(admin, 'PUT', '/plumbline/access', change, { 'if-match': '0' })).status).to.equal(500);
    expect(readFileSync(file, 'utf8')).to.equal('{"format": 1, "entries": ');
  });
});

describe('the add-on in other settings', () => {
  it('works on users that a function gives, and grants nothing that it could not take away', async () => {
    const red = await startOperatorNodeRed(`{
      adminAuth: {
        type: 'credentials',
        users: async (name) => name === 'root' ? {username: 'root', permissions: '*'} : name === 'guest' ? {username: 'guest'} : null,
        authenticate: async (name, password) => password === 'right' && ['root', 'guest'].includes(name)
          ? {username: name, permissions: name === 'root' ? '*' : 'read'} : null,
      },
    }`);
    try {
      const root = await login(red.url, 'root', 'right');
      expect(await login(red.url, 'root', 'wrong')).to.equal(undefined);
      expect((await call(red.url, root, ['GET', '/plumbline/access'])).json).to.include({ users: null });
      const guest = await login(red.url, 'guest', 'right');
      expect((await call(red.url, guest, ['GET', '/flows'])).status).to.equal(200);
      const put = (set: readonly Json[]): ReturnType<typeof call> =>
        call(red.url, root, ['PUT', '/plumbline/access', { set, remove: [] }], { 'if-match': '0' });
      expect((await put([ROLE, grantTo('guest')])).json).to.include({ code: 'base-user' });
      expect((await put([ROLE, grantTo('stranger')])).status).to.equal(200);
    } finally {
      await red.stop();
    }
  });

  it('does not let the last administrator go, whoever asks', async () => {
    const rights = "['read', 'plumbline.access.get', 'plumbline.access.set']";
    const red = await startOperatorNodeRed(`{adminAuth: {type: 'credentials', users: [${user('robot', rights)}]}}`);
    try {
      const robot = await login(red.url, 'robot', 'robot secret');
      const put = (revision: number, set: readonly Json[], remove: readonly string[]): ReturnType<typeof call> =>
        call(red.url, robot, ['PUT', '/plumbline/access', { set, remove }], { 'if-match': String(revision) });
      expect((await put(0, [{ ...ROLE, permissions: ['*'] }, grantTo('boss')], [])).status).to.equal(200);
      expect((await put(1, [], ['grant'])).json).to.include({ code: 'last-administrator' });
      expect((await put(1, [{ ...ROLE, permissions: ['read'] }], [])).json).to.include({ code: 'last-administrator' });
      expect((await put(1, [{ ...grantTo('heir'), id: 'second' }], ['grant'])).status).to.equal(200);
    } finally {
      await red.stop();
    }
  });

  it('is open to this machine only when access control is off, and manages no access then', async () => {
    const red = await startOperatorNodeRed('{}');
    try {
      expect((await call(red.url, undefined, ['GET', '/plumbline/hello'])).json).to.include({ accessControl: false });
      const forwarded = { 'x-forwarded-for': '192.0.2.1' };
      expect((await call(red.url, undefined, ['GET', '/plumbline/hello'], forwarded)).status).to.equal(401);
      expect((await call(red.url, undefined, ['GET', '/plumbline/access'])).status).to.equal(403);
      const change = { set: [ROLE], remove: [] };
      expect(
        (await call(red.url, undefined, ['PUT', '/plumbline/access', change], { 'if-match': '0' })).status,
      ).to.equal(403);
      const access = new AccessClient(
        new AddonClient(async ({ method, route }) => {
          const { status, json } = await call(red.url, undefined, [method, route]);
          return { status, headers: {}, json: json as JsonValue, text: '' };
        }),
      );
      const { signal } = new AbortController();
      const refusals = await access.preflight([step('create', 'AccessRole/a', role(['read']))], signal);
      expect(refusals[0]?.because).to.contain('adminAuth');
      const seen = await Array.fromAsync(access.observe(['AccessRole'], signal));
      expect(seen[0]).to.include({ listed: 'AccessRole', complete: false });
    } finally {
      await red.stop();
    }
  });
});
