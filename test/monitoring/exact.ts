import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { ask, Place, until } from '../daemon/fixture.ts';
import { startNodeRed } from '../drivers/node-red/server.ts';
import type { NodeRedServer } from '../drivers/node-red/server.ts';
import { freePort } from '../platforms/processes.ts';
import { Prometheus, requirePrometheus, scraping } from './prometheus.ts';

const RUNS = 10_000;
/** One in seven fails. */
const isBad = (index: number): boolean => index % 7 === 3;
const badOf = (runs: number): number => Array.from({ length: runs }, (_, index) => index).filter(isBad).length;
const PATIENCE = 120_000;
const TAB = 'a1b2c3d4e5f60001';
const FLOW = [
  { id: TAB, type: 'tab', label: 'Orders' },
  {
    id: 'a1b2c3d4e5f60002',
    type: 'http in',
    z: TAB,
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
    z: TAB,
    name: 'Work',
    func: "node.send(msg);\nif (msg.req.query.bad === '1') throw new Error('as asked');\nreturn null;",
    outputs: 1,
    x: 250,
    y: 40,
    wires: [['a1b2c3d4e5f60004']],
  },
  { id: 'a1b2c3d4e5f60004', type: 'http response', z: TAB, name: 'Out', x: 400, y: 40, wires: [] },
];
const MANIFESTS = `apiVersion: plumbline.dev/v1alpha1
kind: Workflow
metadata: {name: orders}
spec: {title: Orders, active: true, definitionFrom: {file: orders.json}}
---
apiVersion: plumbline.dev/v1alpha1
kind: ServiceLevel
metadata: {name: orders}
spec: {objectives: {successRate: "> 99%"}}
`;
/** Hours by which the clock of a life of the daemon is wrong, and that of Node-RED meanwhile. */
const CLOCKS = [
  [0, 0],
  [2, -3],
  [-24, 26],
  [400 * 24, 0],
  [-400 * 24, 400 * 24],
  [1, -8760],
  [0, 1],
] as const;

describe('Every run of a real Node-RED is counted once, whatever happens to Plumbline and to clocks', function () {
  this.timeout(600_000);
  let place: Place;
  let server: NodeRedServer;
  let prometheus: Prometheus;
  let clock: string;
  let port: number;
  let life: ChildProcess | undefined;

  before(async () => {
    requirePrometheus();
    place = await Place.create();
    clock = mkdtempSync(join(tmpdir(), 'plumbline-clock-'));
    setClock(0);
    // Node-RED's own clock, which can be set while it runs.
    const jump = `clock: (() => {
      const { readFileSync } = require('node:fs');
      const real = Date.now;
      let off = 0;
      setInterval(() => { off = Number(readFileSync(${JSON.stringify(join(clock, 'off'))}, 'utf8')); }, 100).unref();
      Date.now = () => real() + off;
    })(),`;
    server = await startNodeRed({ addon: true, settings: jump });
    port = await freePort();
    await place.commit({ 'all.yaml': MANIFESTS, 'orders.json': JSON.stringify(FLOW) });
    await place.configurePlant(server.url);
    prometheus = await Prometheus.start(scraping(`127.0.0.1:${port}`, { scrape: '1s', evaluate: '1s' }), 'groups: []');
  });
  after(async () => {
    await end();
    await prometheus?.[Symbol.asyncDispose]();
    await server?.stop();
    await place?.remove();
    rmSync(clock, { recursive: true, force: true });
  });

  const setClock = (hours: number): void => writeFileSync(join(clock, 'off'), String(hours * 3_600_000));
  const begin = (hours: number): void => {
    life = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'exact-life.ts'),
        place.config,
        place.state,
        String(port),
        String(hours),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  };
  /** At once, wherever it is. */
  const end = async (): Promise<void> => {
    if (life === undefined || life.exitCode !== null || life.signalCode !== null) return;
    const gone = once(life, 'exit');
    life.kill('SIGKILL');
    await gone;
  };
  const metrics = async (): Promise<string> => (await ask(`http://127.0.0.1:${port}/metrics`)).text;
  const sample = async (name: string, labels = ''): Promise<number | undefined> => {
    const line = (await metrics()).split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(labels));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  const counts = async (): Promise<readonly (number | undefined)[]> => [
    await sample('plumbline_service_level_events_total', 'result="good"'),
    await sample('plumbline_service_level_events_total', 'result="bad"'),
    await sample('plumbline_workflow_executions_total', 'workflow="orders",result="success"'),
    await sample('plumbline_workflow_executions_total', 'workflow="orders",result="error"'),
  ];
  const counted = (runs: number): Promise<unknown> =>
    until(
      async () => {
        const [good = 0, bad = 0] = await counts();
        return good + bad >= runs;
      },
      `${runs} runs counted`,
      PATIENCE,
    );
  const counting = (): Promise<unknown> =>
    until(
      async () => (await sample('plumbline_workflow_executions_counted_since_timestamp_seconds')) !== undefined,
      'counting',
      PATIENCE,
    );
  let sent = 0;
  const order = async (runs: number): Promise<void> => {
    const last = sent + runs;
    const sender = async (): Promise<void> => {
      while (sent < last) {
        const bad = isBad(sent++);
        const answer = await ask(`${server.url}/order?bad=${bad ? 1 : 0}`);
        expect(answer.status).to.equal(200);
      }
    };
    await Promise.all(Array.from({ length: 10 }, sender));
  };
  /** What Node-RED itself says that there was, past cursors and pages. */
  const totals = async (): Promise<unknown> => {
    const { workflows } = JSON.parse((await ask(`${server.url}/plumbline/executions/totals`)).text) as {
      workflows: Record<string, { success: number; error: number }>;
    };
    const sum = (word: 'success' | 'error'): number =>
      Object.values(workflows).reduce((whole, one) => whole + one[word], 0);
    return [sum('success'), sum('error')];
  };

  it(`over ${RUNS} runs while it is killed, and its clock and the platform's jump in both directions`, async () => {
    begin(0);
    await counting();
    for (const [index, [own, theirs]] of CLOCKS.entries()) {
      setClock(theirs);
      if (index > 0) begin(own);
      const share = index === CLOCKS.length - 1 ? RUNS - sent : Math.floor(RUNS / CLOCKS.length);
      const ordering = order(share);
      // Somewhere between two polls, in one, or between a page and the next; some lives end before their first.
      await pause(3000 + ((index * 5003) % 11_000));
      if (index % 3 !== 2) await end();
      await ordering;
      await end();
    }
    setClock(0);
    begin(0);
    await counted(RUNS);
    await pause(12_000);
    const bad = badOf(RUNS);
    expect(await counts()).to.deep.equal([RUNS - bad, bad, RUNS - bad, bad]);
    expect(await totals(), 'as Node-RED has it').to.deep.equal([RUNS - bad, bad]);
    expect(await sample('plumbline_workflow_executions_gaps_total')).to.equal(0);
    expect(await sample('plumbline_workflow_executions_lost_total')).to.equal(0);
    // A scraper saw each of the lives, and no counter fall.
    const seen = async (expression: string) => (await prometheus.query(expression)).map(({ value }) => value);
    expect(await seen('sum(max_over_time(plumbline_service_level_events_total[30m]))')).to.deep.equal([RUNS]);
    expect(await seen('sum(resets(plumbline_service_level_events_total[30m]))')).to.deep.equal([0]);
    expect(await seen('sum(resets(plumbline_workflow_executions_total{workflow="orders"}[30m]))')).to.deep.equal([0]);
  });

  it('and none twice after the loss of the ledger; what cannot be known is a metric', async () => {
    const before = Date.now() / 1000;
    await end();
    const away = 500;
    await order(away);
    // Those that ended two seconds ago are over for Node-RED.
    await pause(3000);
    rmSync(place.state, { recursive: true, force: true });
    begin(0);
    await counting();
    await until(
      // The add-on keeps the last ten thousand.
      async () => (await sample('plumbline_workflow_executions_skipped_total')) === 10_000,
      'what was there is left out',
      PATIENCE,
    );
    expect(await sample('plumbline_workflow_executions_counted_since_timestamp_seconds')).to.be.greaterThan(before);
    await pause(12_000);
    expect((await counts()).slice(0, 2), 'nothing of what was there').to.deep.equal([0, 0]);
    const from = sent;
    await order(700);
    const bad = Array.from({ length: 700 }, (_, index) => from + index).filter(isBad).length;
    await counted(700);
    await pause(12_000);
    expect(await counts()).to.deep.equal([700 - bad, bad, 700 - bad, bad]);
    expect(await sample('plumbline_workflow_executions_skipped_total')).to.equal(10_000);
  });

  it('and a Node-RED that is started anew is told as a gap, which a restart of Plumbline neither forgets nor repeats', async () => {
    const [good = 0, bad = 0] = await counts();
    await server.restart();
    const from = sent;
    await until(async () => (await ask(`${server.url}/order?bad=0`)).status === 200, 'the flow runs again', PATIENCE);
    await order(100);
    const more = Array.from({ length: 100 }, (_, index) => from + index).filter(isBad).length;
    await counted(good + bad + 101);
    await pause(12_000);
    expect((await counts()).slice(0, 2)).to.deep.equal([good + 101 - more, bad + more]);
    expect(await sample('plumbline_workflow_executions_gaps_total')).to.equal(1);
    await end();
    begin(0);
    await counting();
    expect(await sample('plumbline_workflow_executions_gaps_total')).to.equal(1);
    expect((await counts()).slice(0, 2)).to.deep.equal([good + 101 - more, bad + more]);
  });
});
