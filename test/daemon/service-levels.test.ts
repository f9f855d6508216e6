import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { remoteOperations } from '../../src/daemon/remote-operations.ts';
import type { Daemon } from '../../src/daemon/service.ts';
import type { ServiceLevelStatus } from '../../src/monitor/status.ts';
import { Desk } from '../cli/binary.ts';
import { MintDriver } from '../drivers/mint/driver.ts';
import { CIRCUIT } from '../drivers/mint/harness.ts';
import { MintServer } from '../drivers/mint/server.ts';
import { Place, until } from './fixture.ts';

const API = 'plumbline.dev/v1alpha1';
const document = (kind: string, name: string, spec: object): string =>
  stringify({ apiVersion: API, kind, metadata: { name }, spec });
const TOKEN = 'mint-token-of-this-test';
const PROMISED = { objectives: { errorRate: '< 10%', durationP95: '< 500ms' }, window: '28d' };

describe('service levels, as they are told', function () {
  this.timeout(120_000);
  let place: Place;
  let mint: MintServer;
  let daemon: Daemon;
  let desk: Desk;

  before(async () => {
    [place, mint] = await Promise.all([
      Place.create(),
      MintServer.start({ accounts: { [TOKEN]: { name: 'plumbline' } } }),
    ]);
    desk = new Desk();
    const workflow = (name: string) =>
      document('Workflow', name, { title: name, definition: [{ id: name, type: 'tab', label: name }] });
    await place.commit({
      'orders/orders.yaml': workflow('orders'),
      'orders/runs.yaml': document('ServiceLevel', 'runs', { title: 'The runs', ...PROMISED }),
      'stock/stock.yaml': workflow('stock'),
      'stock/counts.yaml': document('ServiceLevel', 'counts', PROMISED),
    });
    const url = mint.url;
    const auth = { token: { valueFrom: { env: 'MINT_TOKEN' } } };
    const from = (path: string, platform: string) => ({
      source: { git: { url: `file://${place.repo}`, path } },
      platform,
    });
    await place.configure(
      [
        document('Platform', 'prod', { driver: 'node-red', url, auth }),
        document('Platform', 'spare', { driver: 'node-red', url, auth }),
        document('Sync', 'orders', from('orders', 'prod')),
        document('Sync', 'stock', from('stock', 'spare')),
      ].join('---\n'),
    );
    daemon = await place.start({
      environment: { ...process.env, MINT_TOKEN: TOKEN },
      driverNamed: (name) => ({
        name,
        auth: [],
        connect: (connection) =>
          Object.assign(new MintDriver(connection, CIRCUIT), {
            executions: () => Promise.resolve({ executions: [], cursor: '0' }),
          }),
      }),
    });
    await until(
      async () => {
        const { syncs } = await remoteOperations(place.state).status({});
        return syncs.every(({ conditions }) => conditions[0]?.status === 'True');
      },
      'both in order',
      60_000,
    );
    const { monitor } = daemon.workshop.engine;
    for (let index = 0; index < 40; index++)
      monitor.take({
        kind: 'Workflow',
        platform: 'prod',
        object: 'orders',
        happening: { what: 'run', ok: index % 4 !== 0, seconds: index === 7 ? 0.5 : 0.1 },
      });
    monitor.flush();
    monitor.judge();
  });
  after(async () => {
    desk.remove();
    await daemon?.stop('the test is over');
    await mint?.[Symbol.asyncDispose]();
    await place?.remove();
  });

  const get = async (path: string, token: string) => {
    const answer = await fetch(`${daemon.url}/api/v1/service-levels${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const body = (await answer.json()) as { serviceLevels?: readonly ServiceLevelStatus[] };
    return { status: answer.status, levels: body.serviceLevels ?? [] };
  };
  const token = (...scopes: readonly string[]): string =>
    daemon.workshop.engine.parts.ledger.tokens.create({ name: scopes.join(), scopes: [...scopes], by: 'test' }).token;
  const plumbline = (...args: readonly string[]) => desk.run('--state-dir', place.state, ...args);

  it('over HTTP: each objective with its target, where it stands, what is left, since when and of which commit', async () => {
    const { status, levels } = await get('', token('read'));
    expect(status).to.equal(200);
    expect(levels.map((one) => [one.platform, one.serviceLevel, one.objective, one.state])).to.deep.equal([
      ['prod', 'runs', 'durationP95', 'met'],
      ['prod', 'runs', 'errorRate', 'missed'],
      ['spare', 'counts', 'durationP95', 'no-data'],
      ['spare', 'counts', 'errorRate', 'no-data'],
    ]);
    const { since, revision, ...told } = levels[1] ?? {};
    expect(told).to.deep.equal({
      sync: 'orders',
      platform: 'prod',
      serviceLevel: 'runs',
      title: 'The runs',
      objective: 'errorRate',
      object: 'orders',
      target: '< 10%',
      window: '28d',
      state: 'missed',
      now: 0.25,
      unit: 'share',
      budgetLeft: -1.5,
      good: 30,
      bad: 10,
    });
    expect(since).to.match(/^\d{4}-\d\d-\d\dT/);
    expect(Math.abs(Date.parse(since ?? '') - Date.now())).to.be.lessThan(120_000);
    const standing = daemon.workshop.engine.reporter.standing({ sync: 'orders', platform: 'prod' });
    expect(revision).to.be.a('string').and.equal(standing.revision);
    expect(levels[0])
      .to.deep.include({ good: 39, bad: 1, now: 0.975, budgetLeft: 0.5 })
      .and.not.have.property('revision');
    expect(levels[2]).to.not.have.any.keys('now', 'revision');
  });

  it('over HTTP: those of a platform or of a name, to whoever may read them', async () => {
    const all = token('read');
    const names = async (path: string, by = all) => (await get(path, by)).levels.map((one) => one.serviceLevel);
    expect(await names('?platform=spare')).to.deep.equal(['counts', 'counts']);
    expect(await names('?name=runs')).to.deep.equal(['runs', 'runs']);
    expect(await names('?platform=spare&name=runs')).to.deep.equal([]);
    const limited = token('read:spare');
    expect(await names('?platform=spare', limited)).to.deep.equal(['counts', 'counts']);
    expect((await get('?platform=prod', limited)).status).to.be.oneOf([403, 404]);
    expect((await get('', limited)).status, 'without a platform it would be all').to.be.oneOf([403, 404]);
    expect((await get('', token('trigger'))).status).to.equal(403);
    expect((await get('', 'nobody')).status).to.equal(401);
    expect((await get('?object=x', all)).status, 'what is not known is not ignored').to.equal(400);
  });

  it('by "plumbline status": the bad ones first, with the share that is left and the commit', async () => {
    const { code, out } = await plumbline('status');
    expect(code).to.equal(0);
    const lines = out.split('\n').map((line) => line.trim().split(/\s{2,}/));
    const head = lines.findIndex(([first]) => first === 'SERVICE LEVEL');
    expect(lines[head]).to.deep.equal([
      'SERVICE LEVEL',
      'PLATFORM',
      'OBJECT',
      'OBJECTIVE',
      'TARGET',
      'NOW',
      'BUDGET LEFT',
      'BAD',
      'STATE',
      'SINCE',
      'COMMIT',
    ]);
    const [first, second, third, fourth] = lines.slice(head + 1);
    expect(first?.slice(0, 9)).to.deep.equal([
      'runs',
      'prod',
      'orders',
      'errorRate',
      '< 10%',
      '25%',
      '-150%',
      '10/40',
      'missed',
    ]);
    expect(first?.[9]).to.match(/^\d+[sm]$/);
    expect(first?.[10]).to.be.a('string').and.not.equal('');
    expect(second?.slice(3, 9)).to.deep.equal(['durationP95', '< 500ms', '97.5%', '50%', '1/40', 'met']);
    // Nothing to tell: neither a number nor a commit.
    expect([third, fourth].map((line) => line?.slice(0, 8))).to.deep.equal([
      ['counts', 'spare', 'stock', 'durationP95', '< 500ms', '100%', '0/0', 'no-data'],
      ['counts', 'spare', 'stock', 'errorRate', '< 10%', '100%', '0/0', 'no-data'],
    ]);
    const own = await plumbline('status', 'stock');
    expect(own.out).to.contain('stock').and.not.contain('missed');
    const json = JSON.parse((await plumbline('status', 'orders', '-o', 'json')).out) as {
      serviceLevels: readonly ServiceLevelStatus[];
    };
    expect(json.serviceLevels.map(({ objective, bad }) => [objective, bad])).to.deep.equal([
      ['durationP95', 1],
      ['errorRate', 10],
    ]);
  });

  it('by "plumbline rules": for the windows that are in use, as a file, an object and JSON', async () => {
    const file = parse((await plumbline('rules')).out) as { groups: readonly { name: string }[] };
    const names = file.groups.map(({ name }) => name);
    expect(names).to.include.members(['plumbline-service-levels-28d', 'plumbline']);
    expect(names.filter((name) => name.includes('30d'))).to.deep.equal([]);
    const object = parse((await plumbline('rules', '-o', 'prometheusrule', '--label', 'release=main')).out) as object;
    expect(object).to.deep.equal({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: { name: 'plumbline-service-levels', labels: { release: 'main' } },
      spec: file,
    });
    expect(JSON.parse((await plumbline('rules', '-o', 'json')).out)).to.deep.equal(file);
    const none = parse((await plumbline('rules', '--platform', 'nowhere')).out) as typeof file;
    expect(none.groups.map(({ name }) => name)).to.deep.equal(['plumbline']);
  });

  it('by the metrics, too: what is scraped is what is told', async () => {
    const text = await (await fetch(`${daemon.url}/metrics`)).text();
    const series =
      'platform="prod",service_level="runs",objective="errorRate",object="orders",within="",window="28d",result="bad"';
    expect(text).to.contain(`plumbline_service_level_events_total{${series}} 10`);
    expect(text).to.contain('plumbline_service_levels{platform="prod"} 1');
  });
});
