import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { stringify } from 'yaml';
import type { Daemon } from '../../src/daemon/service.ts';
import { promDuration } from '../../src/monitor/burn.ts';
import { DASHBOARDS } from '../../src/monitor/dashboard-list.ts';
import { dashboards } from '../../src/monitor/dashboards.ts';
import { rulesOf } from '../../src/monitor/rules/rules.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { ask, Place, until } from '../daemon/fixture.ts';
import { Prometheus, requirePrometheus, scraping } from './prometheus.ts';

/** Five minutes become fifteen seconds, an hour three minutes: longer than the ten seconds between two looks at the runs. */
const SCALE = 1 / 20;

/** What this daemon does not tell, and who would. */
const ELSEWHERE = new Map([
  ['plumbline_shard_held', 'replicas that share the work'],
  ['plumbline_withheld_changes', 'a plan that withholds something'],
  ['plumbline_deliveries_total', 'a webhook or a plugin that was told of an event'],
]);

const FLOW = [
  { id: 'a1b2c3d4e5f60001', type: 'tab', label: 'Orders' },
  {
    id: 'a1b2c3d4e5f60002',
    type: 'http in',
    z: 'a1b2c3d4e5f60001',
    name: 'In',
    url: '/order',
    method: 'get',
    x: 100,
    y: 40,
    wires: [['a1b2c3d4e5f60003']],
  },
  {
    id: 'a1b2c3d4e5f60003',
    type: 'function',
    z: 'a1b2c3d4e5f60001',
    name: 'Work',
    func: "node.send(msg);\nif (msg.req.query.bad === '1') throw new Error('as asked');\nreturn null;",
    outputs: 1,
    x: 250,
    y: 40,
    wires: [['a1b2c3d4e5f60004']],
  },
  { id: 'a1b2c3d4e5f60004', type: 'http response', z: 'a1b2c3d4e5f60001', name: 'Out', x: 400, y: 40, wires: [] },
];
const MANIFESTS = `apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: orders, labels: {team: orders}}
spec: {title: Orders, active: true, definitionFrom: {file: orders.json}}
---
apiVersion: plumbline.dev/v1alpha1
kind: ServiceLevel
metadata: {name: orders}
spec:
  selector: {matchLabels: {team: orders}}
  objectives: {successRate: "> 99%", averageDuration: "< 30s", durationP95: "< 30s", freshness: "< 1h"}
  alerts: {contacts: [team-orders], runbook: "https://runbooks.example.com/orders"}
---
apiVersion: plumbline.dev/v1alpha1
kind: ServiceLevel
metadata: {name: api}
spec:
  selector: {kind: Platform}
  objectives: {latencyP99: "< 60s", errorRate: "< 10%"}
`;

describe('a real Prometheus at a running daemon, with a real Node-RED under load', function () {
  this.timeout(540_000);
  let place: Place;
  let server: NodeRedServer;
  let daemon: Daemon;
  let prometheus: Prometheus;
  /** What was really run, counted apart. */
  const apart = { good: 0, bad: 0 };

  before(async () => {
    requirePrometheus();
    place = await Place.create();
    server = await startNodeRed({ addon: true });
    await place.commit({ 'all.yaml': MANIFESTS, 'orders.json': JSON.stringify(FLOW) });
    await place.configurePlant(server.url);
    daemon = await place.start();
    await until(
      async () =>
        (await metrics()).includes('plumbline_workflow_executions_counted_since_timestamp_seconds{platform="plant"}'),
      'counting',
      60_000,
    );
    const { levels } = daemon.workshop.engine.monitor;
    expect(levels.map(({ name }) => name)).to.have.members(['api', 'orders']);
    prometheus = await Prometheus.start(
      scraping(daemon.url.slice('http://'.length), { scrape: '1s', evaluate: '1s' }),
      stringify({ groups: rulesOf(levels, { scale: SCALE }) }, { lineWidth: 0 }),
    );
  });
  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await daemon?.stop('the test is over');
    await server?.stop();
    await place?.remove();
  });

  const metrics = async (): Promise<string> => (await ask(`${daemon.url}/metrics`)).text;
  const order = async (bad: boolean): Promise<void> => {
    const answer = await fetch(`${server.url}/order?bad=${bad ? 1 : 0}`);
    await answer.text();
    expect(answer.status).to.equal(200);
    apart[bad ? 'bad' : 'good'] += 1;
  };
  const pages = async () =>
    (await prometheus.alerts()).filter(
      ({ labels }) => labels['severity'] === 'page' && labels['service_level'] !== undefined,
    );
  const standing = async () => {
    const all = await daemon.workshop.operations.serviceLevels({ name: 'orders' });
    const found = all.find(({ objective }) => objective === 'successRate');
    if (found === undefined) throw new Error('nothing is told of the objective');
    return found;
  };
  const counted = () =>
    until(
      async () => {
        const { good, bad } = await standing();
        return good + bad === apart.good + apart.bad;
      },
      'every run counted',
      60_000,
    );

  it('wakes nobody for a background of one bad run in a hundred', async () => {
    for (let index = 0; index < 400; index++) {
      await order(index % 100 === 50);
      await pause(75);
      if (index % 40 === 0) expect(await pages()).to.deep.equal([]);
    }
    await counted();
    await pause(20_000);
    expect(await pages()).to.deep.equal([]);
    const { good, bad, now, state } = await standing();
    expect([good, bad]).to.deep.equal([apart.good, apart.bad]);
    expect(now).to.equal(0.99);
    expect(state, 'exactly at the target: spent, and not burning').to.equal('missed');
  });

  it('pages when runs fail, with the labels and words of the service level, and counts what was run exactly', async () => {
    for (let index = 0; index < 200; index++) await order(index % 2 === 0);
    const alert = await until(
      async () =>
        (await pages()).find(({ state, labels }) => state === 'firing' && labels['objective'] === 'successRate'),
      'the page',
      60_000,
    );
    expect(alert.labels).to.deep.include({
      alertname: 'PlumblineServiceLevelBudgetBurn',
      severity: 'page',
      platform: 'plant',
      service_level: 'orders',
      objective: 'successRate',
      object: 'orders',
      contacts: 'team-orders',
    });
    expect(alert.annotations).to.have.property('runbook_url', 'https://runbooks.example.com/orders');
    expect(alert.annotations['summary']).to.equal('orders on plant spends the budget of "successRate > 99%" too fast.');
    expect((await pages()).map(({ labels }) => labels['objective'])).to.deep.equal(['successRate']);
    await counted();
    const { good, bad } = await standing();
    expect([good, bad]).to.deep.equal([apart.good, apart.bad]);
    for (const [result, count] of Object.entries(apart)) {
      const expression = `plumbline_service_level_events_total{objective="successRate",result="${result}"}`;
      await until(
        async () => (await prometheus.query(expression))[0]?.value === count,
        `${result} in Prometheus`,
        20_000,
      );
    }
  });

  it('goes on with the same counts after a restart, and shows the commit that was live when it turned bad', async () => {
    const url = new URL(daemon.url);
    const before = await standing();
    await daemon.stop('restart');
    daemon = await place.start({ listen: url.host });
    await until(async () => (await standing()).good > 0, 'the counts of before', 60_000);
    const { good, bad, since, revision } = await standing();
    expect([good, bad]).to.deep.equal([apart.good, apart.bad]);
    expect([since, revision]).to.deep.equal([before.since, before.revision]);
    expect(revision).to.match(/^[0-9a-f]{40}$/);
    const resets = await prometheus.query('sum(resets(plumbline_service_level_events_total[10m]))');
    expect(resets[0]?.value).to.equal(0);
  });

  it('resolves once runs succeed again', async () => {
    const end = Date.now() + 240_000;
    for (let index = 0; Date.now() < end; index++) {
      await order(false);
      await pause(100);
      if (index % 50 === 0 && (await pages()).length === 0) break;
    }
    expect(await pages()).to.deep.equal([]);
    await counted();
    const { good, bad } = await standing();
    expect([good, bad]).to.deep.equal([apart.good, apart.bad]);
  });

  it('tells of every metric that rules and dashboards ask for', async () => {
    const text = await metrics();
    const asked = JSON.stringify([rulesOf(daemon.workshop.engine.monitor.levels), ...dashboards().values()]);
    const names = new Set([...asked.matchAll(/plumbline_[a-z0-9_]+/g)].map(([name]) => name));
    expect(names.size).to.be.greaterThan(20);
    const absent = [...names].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(text));
    expect(absent).to.have.members([...ELSEWHERE.keys()]);
  });

  it('has an answer to every question of the dashboards', async () => {
    await daemon.workshop.operations.reconcile({ sync: 'orders' });
    const scaled = (expr: string): string =>
      expr.replaceAll(/:increase(\d+)([hd])/g, (_, amount: string, unit: string) => {
        const seconds = Number(amount) * (unit === 'h' ? 3600 : 86_400) * SCALE;
        return `:increase${promDuration(Math.round(seconds))}`;
      });
    const silent = async (): Promise<readonly string[]> => {
      const found: string[] = [];
      for (const { name, panels } of DASHBOARDS)
        for (const { title, queries } of panels)
          for (const [expr, legend] of queries) {
            if ([...ELSEWHERE.keys()].some((metric) => expr.includes(metric))) continue;
            const answer = await prometheus.query(scaled(expr).replaceAll('$platform', 'plant'));
            const labels = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
            const told = answer.filter(
              ({ metric, value }) => !Number.isNaN(value) && labels.every((one) => metric[one]),
            );
            if (told.length === 0 || told.length < answer.length) found.push(`${name}: ${title}: ${expr}`);
          }
      return found;
    };
    await until(async () => (await silent()).length === 0, 'an answer to each', 450_000).catch(async () => {
      expect(await silent()).to.deep.equal([]);
    });
  });
});
