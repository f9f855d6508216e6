import { expect } from 'chai';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { normalizeGrant, normalizeRole } from '../../../src/drivers/node-red/access-normalize.ts';
import type { JsonObject, Key } from '../../../src/manifest/manifest.ts';
import type { Step } from '../../../src/drivers/driver.ts';
import type { RemoteObject } from '../../../src/plan/types.ts';
import { AccessBench, grant, OWNER, PASSWORD, role, signal, step } from './access-bench.ts';
import { call, login } from './operator-node-red.ts';

describe('access on a Node-RED with the add-on', () => {
  const bench = new AccessBench();

  before(() => bench.open());
  beforeEach(() => bench.empty());
  after(() => bench.close());

  it('what was applied is what is observed, with its marker, and no password or hash of one', async () => {
    const spec = { ...role(['run', 'read'], { permissions: ['library.read', 'flows.read'] }) };
    await bench.applied(step('create', 'AccessRole/operator', spec));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const seen = await bench.find('AccessRole/operator');
    expect(seen.value).to.deep.equal(normalizeRole(spec));
    expect(seen.marker).to.deep.equal({ owner: OWNER, key: 'AccessRole/operator', applied: 'f', how: 'created' });
    const held = await bench.find('AccessGrant/alice');
    expect(held.value).to.deep.equal(normalizeGrant(grant('alice')));
    expect(held.secretsSet).to.deep.equal({ 'password:alice': true });
    expect(held.changedBy).to.equal('plumbline');
    const answer = JSON.stringify((await call(bench.hosted.url, bench.token, ['GET', '/plumbline/access'])).json);
    expect(answer).not.to.contain('scrypt');
    const file = join(bench.stateDir, 'node-red', 'demo', 'user', 'plumbline', 'access.json');
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readFileSync(file, 'utf8')).not.to.contain(PASSWORD);
  });

  it('reports the users of settings.js as grants without an owner, and refuses to touch them', async () => {
    const own = (await bench.observe()).find(({ remote }) => remote === 'settings.js:plumbline');
    expect(own?.marker).to.equal(undefined);
    expect(own?.value['native']).to.deep.equal({ permissions: ['*'] });
    const refusals = await bench.access.preflight(
      [step('adopt', 'AccessGrant/x', grant('plumbline'), { remote: own as RemoteObject })],
      signal,
    );
    expect(refusals).to.have.length(1);
  });

  it('a create whose answer was lost can be repeated and makes nothing twice', async () => {
    const again = (): Step => step('create', 'AccessRole/operator', role(['read']));
    await bench.applied(again());
    const first = await bench.find('AccessRole/operator');
    await bench.applied(again());
    expect((await bench.observe()).filter(({ kind }) => kind === 'AccessRole')).to.have.length(1);
    expect((await bench.find('AccessRole/operator')).version).to.equal(first.version);
  });

  it('writes what is still true when somebody else wrote in between, and keeps what he wrote', async () => {
    bench.beforePut = () =>
      bench.addon
        .access(signal)
        .then(({ revision }) => bench.addon.changeAccess({ revision, set: [foreign], remove: [] }, signal));
    const foreign = { id: 'foreign', kind: 'role' as const, title: 'Foreign', value: {}, permissions: ['read'] };
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    expect((await bench.observe()).map(({ title }) => title)).to.include.members(['Foreign', 'Operators']);
  });

  it('does not overwrite an object that was changed after it was looked at', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    const seen = await bench.find('AccessRole/operator');
    await bench.applied(step('update', 'AccessRole/operator', role(['run']), { remote: seen }));
    const [outcome] = await bench.apply(step('update', 'AccessRole/operator', role(['read', 'run']), { remote: seen }));
    expect(outcome).to.have.nested.property('error.code', 'stale-write');
    expect(outcome).to.have.nested.property('error.retry', 'replan');
    const [deleted] = await bench.apply(step('delete', 'AccessRole/operator', {}, { remote: seen }));
    expect(deleted).to.have.nested.property('error.code', 'stale-write');
  });

  it('releasing takes the marker away and leaves the object in force', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    await bench.applied(step('release', 'AccessGrant/alice', {}, { remote: await bench.find('AccessGrant/alice') }));
    expect((await bench.observe()).find(({ title }) => title === 'alice operates')?.marker).to.equal(undefined);
    expect(await login(bench.hosted.url, 'alice', PASSWORD)).to.be.a('string');
  });

  it('a role with members that stay is not deleted; with them it is', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const gone = step('delete', 'AccessRole/operator', {}, { remote: await bench.find('AccessRole/operator') });
    expect((await bench.access.preflight([gone], signal))[0]?.because).to.contain('alice');
    expect((await bench.apply(gone))[0]).to.have.nested.property('error.code', 'role-in-use');
    const member = step('delete', 'AccessGrant/alice', {}, { remote: await bench.find('AccessGrant/alice') });
    expect(await bench.access.preflight([member, gone], signal)).to.deep.equal([]);
    await bench.applied(member, gone);
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
    const refusals = await bench.access.preflight(
      bad.map(([key, spec]) => step('create', key, spec)),
      signal,
    );
    expect(refusals.map(({ key }) => key)).to.deep.equal(bad.map(([key]) => key));
    for (const [index, [, , because]] of bad.entries()) expect(refusals[index]?.because).to.contain(because);
    const fine = step('create', 'AccessRole/z', role(['read', 'run', 'create'], { permissions: ['library.read'] }));
    expect(await bench.access.preflight([fine], signal)).to.deep.equal([]);
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
