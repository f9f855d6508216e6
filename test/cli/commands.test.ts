import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { PassJson } from '../../src/daemon/pass-json.ts';
import {
  bcryptHash,
  call,
  login,
  startOperatorNodeRed,
  type OperatorNodeRed,
} from '../drivers/node-red/operator-node-red.ts';
import { Desk } from './binary.ts';

const CANARY = 'kanarienvogel-41f7';
const BROKER = 'kanarienvogel-broker-8c';

const FLOWS = [
  { id: 'aaaa000000000001', type: 'tab', label: 'Greenhouse', disabled: false, info: '', env: [] },
  {
    id: 'aaaa000000000002',
    type: 'function',
    z: 'aaaa000000000001',
    name: 'Judge',
    func: 'return msg;',
    outputs: 1,
    timeout: 0,
    noerr: 0,
    initialize: '',
    finalize: '',
    libs: [],
    x: 300,
    y: 80,
    wires: [['aaaa000000000003']],
  },
  {
    id: 'aaaa000000000003',
    type: 'http request',
    z: 'aaaa000000000001',
    name: 'Tell',
    method: 'GET',
    ret: 'txt',
    paytoqs: 'ignore',
    url: 'https://127.0.0.1:9/',
    tls: 'aaaa00000000000b',
    persist: false,
    proxy: '',
    insecureHTTPParser: false,
    authType: '',
    senderr: false,
    headers: [],
    x: 480,
    y: 80,
    wires: [[]],
  },
  {
    id: 'aaaa00000000000b',
    type: 'tls-config',
    name: 'Plant',
    cert: '',
    key: '',
    ca: '',
    certname: '',
    keyname: '',
    caname: '',
    servername: 'plant',
    verifyservercert: true,
    alpnprotocol: '',
    credentials: { passphrase: BROKER },
  },
];

const configuration = (url: string, dir: string): string => `
apiVersion: plumbline.dev/v1alpha1
kind: Platform
metadata: {name: plant}
spec: {driver: node-red, url: "${url}", auth: {username: plumbline, password: {valueFrom: {env: NODE_RED_PASSWORD}}}}
---
apiVersion: plumbline.dev/v1alpha1
kind: Sync
metadata: {name: plant}
spec:
  source: {git: {url: "file://${dir}/flows"}}
  platform: plant
  adopt: matching
  secrets: {env: [ORDERS_*]}
`;

/** One story, each test going on where the last one ended: a platform that is there is exported, adopted and then governed. */
describe('the command line with a Node-RED of an operator', function () {
  this.timeout(90_000);
  let nodeRed: OperatorNodeRed;
  let desk: Desk;
  const passes = (...args: readonly string[]) => desk.json<{ passes: readonly PassJson[] }>(...args);
  const flow = () => readFileSync(join(desk.dir, 'flows', 'workflows', 'greenhouse.json'), 'utf8');

  before(async () => {
    const users = `[{username: 'plumbline', password: ${JSON.stringify(bcryptHash(CANARY))}, permissions: '*'}]`;
    nodeRed = await startOperatorNodeRed(
      `{adminAuth: {type: 'credentials', users: ${users}}, credentialSecret: 'of the tests'}`,
    );
    const token = await login(nodeRed.url, 'plumbline', CANARY, '*');
    const sent = await call(nodeRed.url, token, ['POST', '/flows', FLOWS]);
    expect(sent.status).to.equal(204);
    desk = new Desk({ NODE_RED_PASSWORD: CANARY, ORDERS_PASSPHRASE: BROKER });
    desk.write('plumbline.yaml', configuration(nodeRed.url, desk.dir));
  });
  after(async () => {
    await nodeRed?.stop();
    desk?.remove();
  });

  it('check says what can be managed, and that a password is wrong without saying the password', async () => {
    const checked = await desk.json<{ platforms: { ok: boolean; account: string }[] }>('check');
    expect(checked.platforms[0]).to.include({ ok: true, account: 'plumbline' });
    desk.environment['NODE_RED_PASSWORD'] = `${CANARY}-wrong`;
    const refused = await desk.run('check');
    desk.environment['NODE_RED_PASSWORD'] = CANARY;
    expect(refused.code).to.equal(1);
    expect(refused.out).to.match(/failed {2}plant[^]*password/i);
  });

  it('export writes what validates without a problem, and nothing into a folder that is not empty', async () => {
    const exported = await desk.run('export', 'plant', '--out', 'flows');
    expect(exported.code, exported.err).to.equal(0);
    expect(exported.out)
      .to.match(/1 Workflow, 1 Integration/)
      .and.include('passphrase');
    const [again, validated] = await Promise.all([
      desk.run('export', 'plant', '--out', 'flows'),
      desk.run('validate', 'flows', '-o', 'json'),
    ]);
    expect(again.code).to.equal(1);
    expect(again.err).to.include('--force');
    expect(validated.code).to.equal(0);
    expect(JSON.parse(validated.out)).to.deep.equal({
      problems: [],
      objects: ['Integration/plant', 'Workflow/greenhouse'],
    });
    await desk.commit('flows', 'As it stands');
  });

  it('what was exported plans to adoptions without differences, and --detailed-exitcode gives 2', async () => {
    const planned = await desk.run('plan', '--detailed-exitcode', '-o', 'json');
    const changes = (JSON.parse(planned.out) as { passes: PassJson[] }).passes.flatMap(
      ({ plan }) => plan?.stages.flat() ?? [],
    );
    expect(changes.map(({ verb, key }) => `${verb} ${key}`)).to.have.members([
      'adopt Integration/plant',
      'adopt Workflow/greenhouse',
    ]);
    for (const change of changes) if (change.verb === 'adopt') expect(change.diff).to.deep.equal([]);
    expect(planned.code).to.equal(2);
  });

  it('adopting what differs waits for its own approval: --yes is not enough, and exit codes are 3', async () => {
    desk.write('flows/workflows/greenhouse.json', flow().replace('return msg;', 'return null;'));
    await desk.commit('flows', 'Stop the greenhouse');
    const planned = await desk.run('plan', '--detailed-exitcode');
    expect(planned.code).to.equal(3);
    expect(planned.out).to.match(/withheld adopt Workflow\/greenhouse[^]*\[adopt-approval\][^]*--approve adopt/);
    const applied = await desk.run('apply', '--yes');
    expect(applied.code).to.equal(3);
    expect(applied.out).to.include('applied adopt Integration/plant').and.not.include('adopt Workflow');
  });

  it('apply does nothing without a terminal and without --yes, and says how', async () => {
    const ran = await desk.run('apply', '--approve', 'adopt');
    expect(ran.code).to.equal(1);
    expect(ran.err).to.include('Nothing was applied').and.include('--yes');
    const { passes: planned } = await passes('plan');
    expect(planned[0]?.plan?.withheld.map(({ code }) => code)).to.deep.equal(['adopt-approval']);
  });

  it('apply --yes --approve adopt takes it over, and then there is nothing to do', async () => {
    const applied = await desk.run('apply', '--yes', '--approve', 'adopt');
    expect(applied.code, applied.out + applied.err).to.equal(0);
    expect(applied.out).to.include('archived as a1');
    const planned = await desk.run('plan', '--detailed-exitcode');
    expect(planned.code).to.equal(0);
    expect(planned.out).to.include('Nothing to do: 2 object(s)');
  });

  it('a saved plan is refused once git went on, and applies while it holds', async () => {
    const saved = () => desk.run('plan', '--out', 'saved.plan');
    const apply = () => desk.run('apply', '--plan', 'saved.plan', '--yes');
    desk.write('flows/workflows/greenhouse.json', flow().replace('return null;', 'return [msg];'));
    await desk.commit('flows', 'Start it');
    expect((await saved()).code).to.equal(0);
    desk.write('flows/workflows/greenhouse.json', flow().replace('return [msg];', 'return [msg, 1];'));
    await desk.commit('flows', 'Start it otherwise');
    const stale = await apply();
    expect(stale.code).to.equal(1);
    expect(stale.out).to.match(/saved plan does not hold any more/);
    await saved();
    const applied = await apply();
    expect(applied.code, applied.out + applied.err).to.equal(0);
    expect(applied.out).to.include('applied update Workflow/greenhouse');
    const none = await desk.run('apply', '--plan', 'plumbline.yaml', '--yes');
    expect(none.code).to.equal(1);
    expect(none.err).to.include('is not a saved plan');
  });

  it('a secret that git refers to is written, and shown nowhere', async () => {
    const file = 'flows/integrations/plant.yaml';
    const text = readFileSync(join(desk.dir, file), 'utf8').replace(/^#.*\n/, '');
    desk.write(file, `${text}  secrets: {passphrase: {valueFrom: {env: ORDERS_PASSPHRASE}}}\n`);
    await desk.commit('flows', 'Keep the passphrase');
    const planned = await desk.run('plan', '--detailed-exitcode');
    expect(planned.code).to.equal(2);
    expect(planned.out).to.include('/secrets/passphrase');
    expect((await desk.run('apply', '--yes')).code).to.equal(0);
  });

  it('a mistake ends plan and apply with 3, and is told with its place', async () => {
    desk.write('flows/extra.yaml', 'apiVersion: plumbline.dev/v1alpha1\nkind: Workfow\nmetadata: {name: x}\n');
    await desk.commit('flows', 'A mistake');
    const planned = await desk.run('plan', '--detailed-exitcode');
    expect(planned.code).to.equal(3);
    expect(planned.out).to.match(/extra\.yaml:2:\d+: error: .*"?Workflow"?/);
    expect((await desk.run('apply', '--yes')).code).to.equal(3);
  });

  it('what is asked as JSON is answered as JSON', async () => {
    const commands = [
      ['status'],
      ['tree'],
      ['history'],
      ['restore'],
      ['diff'],
      ['diff', '--only', 'Workflow/greenhouse'],
    ];
    for (const command of commands) expect(await desk.json(...command)).to.be.an.instanceOf(Object);
    const { passes: changes } = await desk.json<{ passes: { changes: { key: string }[] }[] }>(
      'history',
      '--key',
      'Workflow/greenhouse',
    );
    expect(changes.flatMap(({ changes: all }) => all.map(({ key }) => key))).to.include('Workflow/greenhouse');
    const events = (await desk.run('events', '-o', 'json')).out.trim().split('\n');
    for (const event of events) expect(JSON.parse(event)).to.include.keys('at', 'type', 'message');
  });

  it('restore puts a copy back and holds it; resume lets go', async () => {
    const restored = await desk.run('restore', 'a1');
    expect(restored.code, restored.err).to.equal(0);
    const { passes: held } = await passes('plan');
    expect(held[0]?.plan?.withheld.map(({ code }) => code)).to.deep.equal(['held']);
    expect((await desk.run('resume', 'Workflow/greenhouse')).out).to.include('goes on');
    const wrong = await desk.run('restore', 'nonsense');
    expect(wrong.code).to.equal(1);
    expect(wrong.err).to.include('a42');
  });

  it('release says that what is still in git comes back, and what to do', async () => {
    const released = await desk.run('release', 'Workflow/greenhouse');
    expect(released.code, 'the mistake of before still stands').to.equal(3);
    expect(released.out)
      .to.match(/applied release Workflow\/greenhouse/)
      .and.match(/still in git \(workflows\/greenhouse\.yaml:\d+:\d+\)[^]*Remove its manifest from git/);
    const { passes: next } = await passes('plan');
    const { stages = [], withheld = [] } = next[0]?.plan ?? {};
    const wanted = [...stages.flat(), ...withheld.map(({ change }) => change)];
    expect(wanted.map(({ verb, key }) => `${verb} ${key}`)).to.include('adopt Workflow/greenhouse');
  });

  it('an object that is no KIND/NAME, a Sync and a Platform that do not exist are refused with what there is', async () => {
    const release = await desk.run('release', 'greenhouse');
    expect(release.code).to.equal(1);
    expect(release.err).to.include('Workflow/order-fulfillment');
    const sync = await desk.run('plan', 'plnt');
    expect(sync.code).to.equal(1);
    expect(sync.err).to.include('There are: plant');
    const platform = await desk.run('export', 'plnt', '--out', 'elsewhere');
    expect(platform.code).to.equal(1);
    expect(existsSync(join(desk.dir, 'elsewhere'))).to.equal(false);
  });

  it('has told no secret in all of this', () => {
    expect(desk.said.length).to.be.greaterThan(1000);
    expect(desk.said).to.not.include(CANARY).and.not.include(BROKER);
  });
});
