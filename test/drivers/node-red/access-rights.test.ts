import { expect } from 'chai';
import { AccessClient } from '../../../src/drivers/node-red/access.ts';
import { AddonClient } from '../../../src/drivers/node-red/addon-client.ts';
import { AccessBench, grant, PASSWORD, role, signal, step } from './access-bench.ts';
import { call, login, until } from './operator-node-red.ts';

describe('what granted users may do on a Node-RED with the add-on', () => {
  const bench = new AccessBench();

  before(() => bench.open());
  beforeEach(() => bench.empty());
  after(() => bench.close());

  it('a granted user logs in with his password and may do what the role says, and no more', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read', 'run'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    expect(await login(bench.hosted.url, 'alice', 'another')).to.equal(undefined);
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(200);
    expect(await bench.status(alice, 'POST', '/inject/nothing')).to.equal(404);
    expect(await bench.status(alice, 'POST', '/flows', [])).to.equal(401);
    expect(await bench.status(alice, 'GET', '/plumbline/access')).to.equal(401);
  });

  it('a user who may write flows may not write access', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read', 'update'], { permissions: ['write'] })));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    expect(await bench.status(alice, 'POST', '/flows', [])).to.equal(204);
    expect(
      (
        await call(bench.hosted.url, alice, ['PUT', '/plumbline/access', { set: [], remove: [] }], {
          'if-match': '"1"',
        })
      ).status,
    ).to.equal(401);
  });

  it('a revoked user who is logged in loses access at once, and his editor is cut off', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    const socket = new WebSocket(`${bench.hosted.url.replace('http', 'ws')}/comms`);
    let said = '';
    let closed = false;
    socket.addEventListener('message', ({ data }) => (said += String(data)));
    socket.addEventListener('close', () => (closed = true));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    socket.send(JSON.stringify({ auth: alice }));
    await until(() => said.includes('"auth":"ok"'));
    await bench.applied(step('delete', 'AccessGrant/alice', {}, { remote: await bench.find('AccessGrant/alice') }));
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(401);
    await until(() => closed);
    expect(await login(bench.hosted.url, 'alice', PASSWORD)).to.equal(undefined);
  });

  it('a token cannot do more than its user may now, although it was given out for more', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read', 'update'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    expect(await bench.status(alice, 'POST', '/flows', [])).to.equal(204);
    await bench.applied(
      step('update', 'AccessRole/operator', role(['read']), { remote: await bench.find('AccessRole/operator') }),
    );
    expect(await bench.status(alice, 'POST', '/flows', [])).to.equal(401);
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(200);
  });

  it('a grant ends at its time by itself, with nobody there to take it away', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    const expiresAt = new Date(Date.now() + 6000).toISOString();
    await bench.applied(
      step('create', 'AccessGrant/alice', grant('alice', { expiresAt }), { passwords: { alice: PASSWORD } }),
    );
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(200);
    await until(async () => (await bench.status(alice, 'GET', '/flows')) === 401);
    expect(Date.now()).to.be.at.least(Date.parse(expiresAt));
    expect(await login(bench.hosted.url, 'alice', PASSWORD)).to.equal(undefined);
  });

  it("Plumbline's own account and the last administrator are never locked out, and only the culprit of a batch fails", async () => {
    await bench.applied(step('create', 'AccessRole/operator', role([], { permissions: ['*'] })));
    await bench.applied(step('create', 'AccessGrant/robot', grant('robot'), { passwords: { robot: PASSWORD } }));
    const robot = await login(bench.hosted.url, 'robot', PASSWORD);
    const asRobot = new AccessClient(new AddonClient(bench.sender(() => robot)));
    const own = step('delete', 'AccessGrant/robot', {}, { remote: await bench.find('AccessGrant/robot') });
    const outcomes = await asRobot.apply([own, step('create', 'AccessRole/reader', role(['read']))], signal);
    expect(outcomes[0]).to.have.nested.property('error.code', 'own-account');
    expect(outcomes[1]).to.have.property('status', 'applied');
    expect(await bench.status(robot, 'GET', '/plumbline/access')).to.equal(200);
    const [demoted] = await asRobot.apply(
      [step('update', 'AccessRole/operator', role(['read']), { remote: await bench.find('AccessRole/operator') })],
      signal,
    );
    expect(demoted).to.have.nested.property('error.code', 'own-account');
  });

  it('a repository does not decide the password of a user of settings.js', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    const takeover = step('create', 'AccessGrant/x', grant('plumbline'), { passwords: { plumbline: PASSWORD } });
    expect((await bench.access.preflight([takeover], signal))[0]?.because).to.contain('settings.js');
    expect((await bench.apply(takeover))[0]).to.have.nested.property('error.code', 'base-user');
    expect(await login(bench.hosted.url, 'plumbline', PASSWORD)).to.equal(undefined);
  });

  it('everything is still in force after a restart, logins included', async () => {
    await bench.applied(step('create', 'AccessRole/operator', role(['read'])));
    await bench.applied(step('create', 'AccessGrant/alice', grant('alice'), { passwords: { alice: PASSWORD } }));
    const alice = await login(bench.hosted.url, 'alice', PASSWORD);
    const seen = await bench.observe();
    await bench.hosted.stop();
    await bench.connect();
    expect(await bench.observe()).to.deep.equal(seen);
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(200);
    await bench.applied(step('delete', 'AccessGrant/alice', {}, { remote: await bench.find('AccessGrant/alice') }));
    expect(await bench.status(alice, 'GET', '/flows')).to.equal(401);
  });
});
