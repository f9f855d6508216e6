import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome, Step } from '../../../src/drivers/driver.ts';
import { AddonClient, type SendAuthorized } from '../../../src/drivers/node-red/addon-client.ts';
import { normalizeGrant, normalizeRole } from '../../../src/drivers/node-red/access-normalize.ts';
import { AccessClient } from '../../../src/drivers/node-red/access.ts';
import { type HostedNodeRed, startHosted } from '../../../src/drivers/node-red/hosted.ts';
import type { JsonObject, JsonValue, Key } from '../../../src/manifest/manifest.ts';
import type { Change, Owner, RemoteObject } from '../../../src/plan/types.ts';
import { call, freePort, login, until } from './operator-node-red.ts';

const OWNER: Owner = 'default/orders';
const signal = new AbortController().signal;
const PASSWORD = 'a password of alice';

const role = (verbs: readonly string[], native: JsonObject = {}): JsonObject => ({
  title: 'Operators',
  exclusive: false,
  permissions: verbs.length === 0 ? [] : [{ on: 'workflow', verbs }],
  native,
});
const grant = (user: string, more: JsonObject = {}): JsonObject => ({
  title: `${user} operates`,
  role: 'operator',
  subjects: [{ user }],
  scope: { platform: true },
  ...more,
});

/** A step as the pass makes it. */
function step(
  verb: Change['verb'],
  key: Key,
  spec: JsonObject,
  more: { remote?: RemoteObject; passwords?: Record<string, string> } = {},
): Step {
  const passwords = more.passwords ?? {};
  const secrets = Object.keys(passwords).map((user) => `password:${user}`);
  const change = {
    key,
    kind: key.split('/')[0],
    title: spec['title'] ?? key,
    cause: 'new',
    dependsOn: [],
    verb,
    fingerprint: 'f',
    secrets,
    diff: [],
    moreFields: 0,
    ...(more.remote === undefined ? {} : { remote: { id: more.remote.remote, version: more.remote.version } }),
  } as unknown as Change;
  return {
    change,
    owner: OWNER,
    ...(verb === 'release' || verb === 'delete'
      ? {}
      : { marker: { owner: OWNER, key, applied: 'f', how: 'created' as const } }),
    desired: async () => spec,
    secrets: async () =>
      Object.fromEntries(
        Object.entries(passwords).map(([user, value]) => [
          `password:${user}`,
          {
            reveal: () => value,
            keyedHash: (context: string) => Buffer.from(`${context}${value.length}`).toString('hex'),
          },
        ]),
      ),
  };
}

describe('access on a Node-RED with the add-on', () => {
  let stateDir: string;
  let hosted: HostedNodeRed;
  let token: string | undefined;
  let access: AccessClient;
  let addon: AddonClient;
  /** What happens right before a request is sent, once. */
  let before_: (() => Promise<unknown>) | undefined;

  const connect = async (): Promise<void> => {
    hosted = await startHosted({ stateDir, name: 'demo', port: await freePort(), log: () => undefined, signal });
    token = await login(hosted.url, hosted.username, hosted.password());
  };
  const sender =
    (as: () => string | undefined): SendAuthorized =>
    async ({ method, route, query, headers, text, body }) => {
      if (method === 'PUT') {
        const hook = before_;
        before_ = undefined;
        await hook?.();
      }
      const path = query === undefined ? route : `${route}?${new URLSearchParams(query).toString()}`;
      const answer = await call(
        hosted.url,
        as(),
        [method, path, text === undefined ? body : JSON.parse(text)],
        headers,
      );
      return { status: answer.status, headers: {}, json: answer.json as JsonValue, text: '' };
    };
  const observe = async (): Promise<readonly RemoteObject[]> => {
    const seen: RemoteObject[] = [];
    for await (const item of access.observe(['AccessRole', 'AccessGrant'], signal))
      if ('remote' in item) seen.push(item);
    return seen;
  };
  const find = async (key: Key): Promise<RemoteObject> => {
    const found = (await observe()).find(({ marker }) => marker?.key === key);
    if (found === undefined) throw new Error(`${key} is not there`);
    return found;
  };
  const apply = async (...steps: Step[]): Promise<readonly Outcome[]> => access.apply(steps, signal);
  const applied = async (...steps: Step[]): Promise<void> => {
    const outcomes = await apply(...steps);
    for (const one of outcomes)
      expect(one.status, one.status === 'failed' ? one.error.message : '').to.equal('applied');
  };
  const status = async (as: string | undefined, method: string, path: string, body?: unknown): Promise<number> =>
    (await call(hosted.url, as, [method, path, body])).status;

  before(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'plumbline-access-'));
    await connect();
    addon = new AddonClient(sender(() => token));
    access = new AccessClient(addon);
  });
  beforeEach(async () => {
    before_ = undefined;
    const { revision, entries } = await addon.access(signal);
    await addon.changeAccess({ revision, set: [], remove: entries.map(({ id }) => id) }, signal);
  });
  after(async () => {
    await hosted.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  it('a granted user logs in with his password and may do what the role says, and no more', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read', 'run'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    expect(await login(hosted.url, 'alice', 'another')).to.equal(undefined);
    const alice = await login(hosted.url, 'alice', PASSWORD);
    expect(await status(alice, 'GET', '/flows')).to.equal(200);
    expect(await status(alice, 'POST', '/inject/nothing')).to.equal(404);
    expect(await status(alice, 'POST', '/flows', [])).to.equal(401);
    expect(await status(alice, 'GET', '/plumbline/access')).to.equal(401);
  });

  it('a user who may write flows may not write access', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read', 'update'], { permissions: ['write'] })));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(hosted.url, 'alice', PASSWORD);
    expect(await status(alice, 'POST', '/flows', [])).to.equal(204);
    expect(
      (await call(hosted.url, alice, ['PUT', '/plumbline/access', { set: [], remove: [] }], { 'if-match': '"1"' }))
        .status,
    ).to.equal(401);
  });

  it('a revoked user who is logged in loses access at once, and his editor is cut off', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(hosted.url, 'alice', PASSWORD);
    const socket = new WebSocket(`${hosted.url.replace('http', 'ws')}/comms`);
    let said = '';
    let closed = false;
    socket.addEventListener('message', ({ data }) => (said += String(data)));
    socket.addEventListener('close', () => (closed = true));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    socket.send(JSON.stringify({ auth: alice }));
    await until(() => said.includes('"auth":"ok"'));
    await applied(step('delete', 'AccessGrant/alice', {}, { remote: await find('AccessGrant/alice') }));
    expect(await status(alice, 'GET', '/flows')).to.equal(401);
    await until(() => closed);
    expect(await login(hosted.url, 'alice', PASSWORD)).to.equal(undefined);
  });

  it('a token cannot do more than its user may now, although it was given out for more', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read', 'update'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(hosted.url, 'alice', PASSWORD);
    expect(await status(alice, 'POST', '/flows', [])).to.equal(204);
    await applied(step('update', 'AccessRole/operator', role(['read']), { remote: await find('AccessRole/operator') }));
    expect(await status(alice, 'POST', '/flows', [])).to.equal(401);
    expect(await status(alice, 'GET', '/flows')).to.equal(200);
  });

  it('a grant ends at its time by itself, with nobody there to take it away', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    await applied(
      step('create', 'AccessGrant/alice', grant('alice', { expiresAt }), { passwords: { alice: PASSWORD } }),
    );
    const alice = await login(hosted.url, 'alice', PASSWORD);
    expect(await status(alice, 'GET', '/flows')).to.equal(200);
    await until(async () => (await status(alice, 'GET', '/flows')) === 401);
    expect(Date.now()).to.be.at.least(Date.parse(expiresAt));
    expect(await login(hosted.url, 'alice', PASSWORD)).to.equal(undefined);
  });

  it('what was applied is what is observed, with its marker, and no password or hash of one', async () => {
    const spec = { ...role(['run', 'read'], { permissions: ['library.read', 'flows.read'] }) };
    await applied(step('create', 'AccessRole/operator', spec));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const seen = await find('AccessRole/operator');
    expect(seen.value).to.deep.equal(normalizeRole(spec));
    expect(seen.marker).to.deep.equal({ owner: OWNER, key: 'AccessRole/operator', applied: 'f', how: 'created' });
    const held = await find('AccessGrant/alice');
    expect(held.value).to.deep.equal(normalizeGrant(grant('alice')));
    expect(held.secretsSet).to.deep.equal({ 'password:alice': true });
    expect(held.changedBy).to.equal('plumbline');
    const answer = JSON.stringify((await call(hosted.url, token, ['GET', '/plumbline/access'])).json);
    expect(answer).not.to.contain('scrypt');
    const file = join(stateDir, 'node-red', 'demo', 'user', 'plumbline', 'access.json');
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readFileSync(file, 'utf8')).not.to.contain(PASSWORD);
  });

  it('reports the users of settings.js as grants without an owner, and refuses to touch them', async () => {
    const own = (await observe()).find(({ remote }) => remote === 'settings.js:plumbline');
    expect(own?.marker).to.equal(undefined);
    expect(own?.value['native']).to.deep.equal({ permissions: ['*'] });
    const refusals = await access.preflight(
      [step('adopt', 'AccessGrant/x', grant('plumbline'), { remote: own as RemoteObject })],
      signal,
    );
    expect(refusals).to.have.length(1);
  });

  it('a create whose answer was lost can be repeated and makes nothing twice', async () => {
    const again = (): Step => step('create', 'AccessRole/operator', role(['read']));
    await applied(again());
    const first = await find('AccessRole/operator');
    await applied(again());
    expect((await observe()).filter(({ kind }) => kind === 'AccessRole')).to.have.length(1);
    expect((await find('AccessRole/operator')).version).to.equal(first.version);
  });

  it('writes what is still true when somebody else wrote in between, and keeps what he wrote', async () => {
    before_ = () =>
      addon.access(signal).then(({ revision }) => addon.changeAccess({ revision, set: [foreign], remove: [] }, signal));
    const foreign = { id: 'foreign', kind: 'role' as const, title: 'Foreign', value: {}, permissions: ['read'] };
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    expect((await observe()).map(({ title }) => title)).to.include.members(['Foreign', 'Operators']);
  });

  it('does not overwrite an object that was changed after it was looked at', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    const seen = await find('AccessRole/operator');
    await applied(step('update', 'AccessRole/operator', role(['run']), { remote: seen }));
    const [outcome] = await apply(step('update', 'AccessRole/operator', role(['read', 'run']), { remote: seen }));
    expect(outcome).to.have.nested.property('error.code', 'stale-write');
    expect(outcome).to.have.nested.property('error.retry', 'replan');
    const [deleted] = await apply(step('delete', 'AccessRole/operator', {}, { remote: seen }));
    expect(deleted).to.have.nested.property('error.code', 'stale-write');
  });

  it('releasing takes the marker away and leaves the object in force', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    await applied(step('release', 'AccessGrant/alice', {}, { remote: await find('AccessGrant/alice') }));
    expect((await observe()).find(({ title }) => title === 'alice operates')?.marker).to.equal(undefined);
    expect(await login(hosted.url, 'alice', PASSWORD)).to.be.a('string');
  });

  it('a role with members that stay is not deleted; with them it is', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const gone = step('delete', 'AccessRole/operator', {}, { remote: await find('AccessRole/operator') });
    expect((await access.preflight([gone], signal))[0]?.because).to.contain('alice');
    expect((await apply(gone))[0]).to.have.nested.property('error.code', 'role-in-use');
    const member = step('delete', 'AccessGrant/alice', {}, { remote: await find('AccessGrant/alice') });
    expect(await access.preflight([member, gone], signal)).to.deep.equal([]);
    await applied(member, gone);
  });

  it("Plumbline's own account and the last administrator are never locked out, and only the culprit of a batch fails", async () => {
    await applied(step('create', 'AccessRole/operator', role([], { permissions: ['*'] })));
    await applied(step('create', 'AccessGrant/robot', grant('robot'), { passwords: { robot: PASSWORD } }));
    const robot = await login(hosted.url, 'robot', PASSWORD);
    const asRobot = new AccessClient(new AddonClient(sender(() => robot)));
    const own = step('delete', 'AccessGrant/robot', {}, { remote: await find('AccessGrant/robot') });
    const outcomes = await asRobot.apply([own, step('create', 'AccessRole/reader', role(['read']))], signal);
    expect(outcomes[0]).to.have.nested.property('error.code', 'own-account');
    expect(outcomes[1]).to.have.property('status', 'applied');
    expect(await status(robot, 'GET', '/plumbline/access')).to.equal(200);
    const [demoted] = await asRobot.apply(
      [step('update', 'AccessRole/operator', role(['read']), { remote: await find('AccessRole/operator') })],
      signal,
    );
    expect(demoted).to.have.nested.property('error.code', 'own-account');
  });

  it('a repository does not decide the password of a user of settings.js', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    const takeover = step('create', 'AccessGrant/x', grant('plumbline'), { passwords: { plumbline: PASSWORD } });
    expect((await access.preflight([takeover], signal))[0]?.because).to.contain('settings.js');
    expect((await apply(takeover))[0]).to.have.nested.property('error.code', 'base-user');
    expect(await login(hosted.url, 'plumbline', PASSWORD)).to.equal(undefined);
  });

  it('refuses what Node-RED could not enforce exactly, with the reason', async () => {
    const bad: readonly (readonly [Key, JsonObject, string])[] = [
      [
        'AccessRole/a',
        { ...role([]), permissions: [{ on: 'data', collection: 'orders', verbs: ['read'] }] },
        'no records',
      ],
      [
        'AccessRole/b',
        { ...role([]), permissions: [{ on: 'workflow', verbs: ['read'], fields: ['id'] }] },
        'whole instance',
      ],
      ['AccessRole/c', { ...role([]), permissions: [{ on: 'integration', verbs: ['run'] }] }, 'run on integration'],
      ['AccessRole/d', { ...role([]), exclusive: true }, 'exclusive'],
      ['AccessRole/e', role([], { permissions: ['flows.read; drop'] }), 'no permission'],
      ['AccessRole/f', role([], { policies: [] }), 'native.policies'],
      ['AccessGrant/g', grant('alice', { scope: { application: 'orders' } }), 'one application'],
      ['AccessGrant/h', grant('alice', { scope: { workflow: 'orders' } }), 'one workflow'],
      ['AccessGrant/i', grant('alice', { expiresAt: 'soon' }), 'point in time'],
    ];
    const refusals = await access.preflight(
      bad.map(([key, spec]) => step('create', key, spec)),
      signal,
    );
    expect(refusals.map(({ key }) => key)).to.deep.equal(bad.map(([key]) => key));
    for (const [index, [, , because]] of bad.entries()) expect(refusals[index]?.because).to.contain(because);
    const fine = step('create', 'AccessRole/z', role(['read', 'run', 'create'], { permissions: ['library.read'] }));
    expect(await access.preflight([fine], signal)).to.deep.equal([]);
  });

  it('everything is still in force after a restart, logins included', async () => {
    await applied(step('create', 'AccessRole/operator', role(['read'])));
    await applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(hosted.url, 'alice', PASSWORD);
    const seen = await observe();
    await hosted.stop();
    await connect();
    expect(await observe()).to.deep.equal(seen);
    expect(await status(alice, 'GET', '/flows')).to.equal(200);
    await applied(step('delete', 'AccessGrant/alice', {}, { remote: await find('AccessGrant/alice') }));
    expect(await status(alice, 'GET', '/flows')).to.equal(401);
  });
});

describe('the normal form of access', () => {
  it('is the same for equal meaning, and normalising twice changes nothing', () => {
    const one = normalizeRole({
      title: 'x',
      permissions: [
        { on: 'workflow', verbs: ['run'] },
        { on: 'workflow', verbs: ['read', 'run'] },
      ],
      native: { permissions: ['b', 'a', 'b'] },
    });
    const other = normalizeRole({
      title: 'x',
      exclusive: false,
      permissions: [{ verbs: ['read', 'run'], on: 'workflow' }],
      native: { permissions: ['a', 'b'] },
    });
    expect(one).to.deep.equal(other);
    expect(normalizeRole(one)).to.deep.equal(one);
    const early = normalizeGrant({
      ...grant('b'),
      subjects: [{ user: 'b' }, { user: 'a' }],
      expiresAt: '2027-01-31T01:00:00+01:00',
    });
    const late = normalizeGrant({
      ...grant('b'),
      subjects: [{ user: 'a' }, { user: 'b' }],
      expiresAt: '2027-01-31T00:00:00Z',
    });
    expect(early).to.deep.equal(late);
    expect(normalizeGrant(early)).to.deep.equal(early);
  });

  it('does not drop what cannot be enforced, so that it is refused', () => {
    const odd = { on: 'data', collection: 'orders', verbs: ['read'], fields: ['id'] };
    expect(normalizeRole({ title: 'x', permissions: [odd], native: {} })['permissions']).to.deep.equal([odd]);
  });
});
