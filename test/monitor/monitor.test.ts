import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { ServiceLevelSpec } from '../../src/manifest/service-level.ts';
import { Monitor } from '../../src/monitor/monitor.ts';
import type { Seen } from '../../src/monitor/monitor.ts';
import { statusesOf } from '../../src/monitor/status.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { level } from './levels.ts';

const HOUR = 3_600_000;

describe('the monitor', () => {
  let folder: string;
  let ledger: Ledger;
  let metrics: Metrics;
  let now: number;
  let revision: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-monitor-'));
    now = Date.parse('2026-03-01T00:00:00Z');
    revision = 'r1';
    elsewhere.clear();
    open();
  });
  afterEach(() => {
    ledger.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (): void => {
    ledger = Ledger.open(folder, { now: () => now });
    metrics = new Metrics({ version: '1' });
  };
  const monitorWith = (room?: number): Monitor =>
    new Monitor({
      ledger,
      metrics,
      now: () => now,
      platforms: () => [{ name: 'prod', labels: { tier: '1' } }],
      revisionOf: () => revision,
      holds: (platform) => !elsewhere.has(platform),
      ...(room === undefined ? {} : { room }),
    });
  /** Platforms that another replica holds. */
  const elsewhere = new Set<string>();
  const promise = (name: string, spec: Partial<ServiceLevelSpec>): void =>
    void ledger.serviceLevels.create({ platform: 'prod', name, spec: level(name, spec).spec }, name, 'test/orders');
  const run = (ok: boolean, { seconds, object = 'a' }: { seconds?: number; object?: string } = {}): Seen => ({
    kind: 'Workflow',
    platform: 'prod',
    object,
    happening: { what: 'run', ok, ...(seconds === undefined ? {} : { seconds }) },
  });
  const takeAll = (monitor: Monitor, seen: readonly Seen[]): void => {
    for (const one of seen) monitor.take(one);
    monitor.flush();
  };
  const status = (monitor: Monitor, objective: string) => {
    const found = statusesOf(monitor.standings()).find((one) => one.objective === objective);
    if (found === undefined) throw new Error(`nothing is told of ${objective}`);
    return found;
  };
  const shown = async (pattern: RegExp): Promise<readonly string[]> =>
    (await metrics.text()).split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));

  it('tells zeros before anything has happened, and counts each object by itself', async () => {
    promise('orders', { objectives: { successRate: '> 99%' }, objects: ['a', 'b'] });
    const monitor = monitorWith();
    monitor.refresh();
    const lines = () => shown(/^plumbline_service_level_events_total/);
    expect((await lines()).map((line) => line.split(' ').at(-1))).to.deep.equal(['0', '0', '0', '0']);
    takeAll(monitor, [run(true), run(false), run(true, { object: 'b' }), run(true, { object: 'stranger' })]);
    const labels = 'platform="prod",service_level="orders",objective="successRate"';
    expect(await lines()).to.deep.equal([
      `plumbline_service_level_events_total{${labels},object="a",within="",window="30d",result="good"} 1`,
      `plumbline_service_level_events_total{${labels},object="a",within="",window="30d",result="bad"} 1`,
      `plumbline_service_level_events_total{${labels},object="b",within="",window="30d",result="good"} 1`,
      `plumbline_service_level_events_total{${labels},object="b",within="",window="30d",result="bad"} 0`,
    ]);
  });

  it('counts what is registered, and where, at the next event, without a look at all platforms for each', () => {
    const platforms = [{ name: 'prod', labels: {} as Record<string, string> }];
    let looks = 0;
    const settled = (): boolean => {
      looks += 1;
      return true;
    };
    const monitor = new Monitor({
      ledger,
      metrics,
      now: () => now,
      platforms: () => platforms,
      revisionOf: () => revision,
      settled,
    });
    const request: Seen = {
      kind: 'Platform',
      platform: 'prod',
      object: 'prod',
      happening: { what: 'request', ok: true, seconds: 1 },
    };
    expect(monitor.weigh([request]).size).to.equal(0);
    promise('api', {
      selector: { kind: 'Platform', matchLabels: { tier: '1' } },
      objectives: { errorRate: '< 1%' },
      objects: [],
    });
    expect(monitor.weigh([request]).size, 'of other platforms only').to.equal(0);
    platforms[0] = { name: 'prod', labels: { tier: '1' } };
    expect(monitor.weigh([request]).size).to.equal(1);
    looks = 0;
    for (let turn = 0; turn < 100; turn++) monitor.weigh([request]);
    expect(looks).to.equal(0);
  });

  it('holds times against their bounds exactly, and a promise of "<" at the bound is broken', () => {
    promise('times', { objectives: { durationP95: '< 30s', averageDuration: '<= 30s' }, minimumTraffic: 1 });
    const monitor = monitorWith();
    takeAll(
      monitor,
      [29.999, 30, 31].map((seconds) => run(true, { seconds })),
    );
    expect(status(monitor, 'durationP95')).to.deep.include({ good: 1, bad: 2 });
    expect(status(monitor, 'averageDuration')).to.deep.include({ good: 2, bad: 1, state: 'missed' });
    expect(status(monitor, 'averageDuration').now).to.be.closeTo(30.333, 0.001);
    takeAll(monitor, [run(true), run(true, { seconds: 29.001 })]);
    expect(status(monitor, 'averageDuration'), 'a run without a time is no run of no time').to.deep.include({
      now: 30,
      state: 'met',
    });
  });

  it('measures the requests to a platform, the runs and the records of an integration', () => {
    promise('api', {
      selector: { kind: 'Platform' },
      objectives: { latencyP99: '< 500ms', errorRate: '< 0.1%' },
      objects: [],
    });
    promise('crm', {
      selector: { kind: 'Integration' },
      objectives: { syncLatency: '< 60s', dataQuality: '> 99.9%', successRate: '> 99%', freshness: '< 1h' },
      objects: ['crm'],
    });
    const monitor = monitorWith();
    const api = { kind: 'Platform', platform: 'prod', object: 'prod' } as const;
    const crm = { kind: 'Integration', platform: 'prod', object: 'crm' } as const;
    takeAll(monitor, [
      { ...api, happening: { what: 'request', ok: true, seconds: 0.5 } },
      { ...api, happening: { what: 'request', ok: false, seconds: 0.1 } },
      { ...crm, happening: { what: 'sync', ok: true } },
      { ...crm, happening: { what: 'record', valid: true } },
      { ...crm, happening: { what: 'delivery', ok: true, latency: 59 } },
      { ...crm, happening: { what: 'record', valid: false } },
    ]);
    const told = statusesOf(monitor.standings()).map(({ objective, good, bad }) => `${objective} ${good} ${bad}`);
    expect(told).to.have.members([
      'latencyP99 1 1',
      'errorRate 1 1',
      'syncLatency 1 0',
      'dataQuality 1 1',
      'successRate 1 0',
      'freshness 1 0',
    ]);
    now += 2 * HOUR;
    expect(status(monitor, 'freshness')).to.deep.include({ state: 'missed', now: 7200 });
  });

  it('does the arithmetic of the budget as somebody does who has counted apart, over a rolling window', () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    const monitor = monitorWith();
    const apart: { at: number; ok: boolean }[] = [];
    let dice = 7;
    for (let hour = 0; hour < 60 * 24; hour++) {
      const batch = Array.from({ length: 5 }, () => {
        dice = (dice * 48_271) % 2_147_483_647;
        return dice % 300 !== 0;
      });
      takeAll(
        monitor,
        batch.map((ok) => run(ok)),
      );
      apart.push(...batch.map((ok) => ({ at: now, ok })));
      if (hour % 24 === 23) ledger.tallies.fold(now);
      now += HOUR;
    }
    now -= HOUR;
    // The far end of the window is blurred by at most a quarter of a day: the span that holds it counts as a whole.
    const from = Math.floor((now - 30 * 24 * HOUR) / (6 * HOUR)) * 6 * HOUR;
    const inside = apart.filter(({ at }) => at >= from);
    const bad = inside.filter(({ ok }) => !ok).length;
    const one = status(monitor, 'successRate');
    expect([one.good, one.bad]).to.deep.equal([inside.length - bad, bad]);
    expect(one.now).to.be.closeTo(1 - bad / inside.length, 1e-11);
    expect(one.budgetLeft).to.be.closeTo(1 - bad / (inside.length * 0.01), 1e-9);
    const total = apart.filter(({ ok }) => !ok).length;
    expect(ledger.tallies.all()[0]?.bad, 'counts only grow').to.equal(total);
  });

  it('is met at one bad event less than the budget, and missed at the budget', () => {
    promise('strict', { objectives: { successRate: '> 99%' } });
    promise('lenient', { objectives: { successRate: '>= 99%' } });
    const monitor = monitorWith();
    takeAll(monitor, [...Array.from({ length: 99 }, () => run(true)), run(false)]);
    const states = statusesOf(monitor.standings()).map(({ serviceLevel, state, budgetLeft }) => [
      serviceLevel,
      state,
      budgetLeft,
    ]);
    expect(states).to.deep.equal([
      ['lenient', 'met', 0],
      ['strict', 'missed', 0],
    ]);
  });

  it('remembers when it turned bad, and the commit that was live then, over restarts', () => {
    promise('orders', { objectives: { successRate: '> 90%' } });
    let monitor = monitorWith();
    takeAll(
      monitor,
      Array.from({ length: 400 }, () => run(true)),
    );
    monitor.judge();
    const began = new Date(now).toISOString();
    expect(status(monitor, 'successRate'))
      .to.deep.include({ state: 'met', since: began })
      .and.not.have.property('revision');
    now += 7 * HOUR;
    revision = 'r2';
    takeAll(
      monitor,
      Array.from({ length: 20 }, () => run(false)),
    );
    monitor.judge();
    const turned = new Date(now).toISOString();
    expect(status(monitor, 'successRate')).to.deep.include({ state: 'burning', since: turned, revision: 'r2' });
    now += HOUR / 2;
    revision = 'r3';
    ledger.close();
    open();
    monitor = monitorWith();
    takeAll(
      monitor,
      Array.from({ length: 60 }, () => run(false)),
    );
    monitor.judge();
    expect(status(monitor, 'successRate')).to.deep.include({ state: 'missed', since: turned, revision: 'r2' });
    now += 40 * 24 * HOUR;
    monitor.judge();
    expect(status(monitor, 'successRate')).to.deep.include({ state: 'no-data' }).and.not.have.property('revision');
  });

  it('tells of the commit under which it turned bad, also where the next one comes before it is looked at', () => {
    promise('orders', { objectives: { successRate: '> 90%' } });
    promise('others', { objectives: { successRate: '> 90%' }, objects: ['b'] });
    const monitor = monitorWith();
    for (let index = 0; index < 20; index++) {
      monitor.take(run(false));
      monitor.take(run(false, { object: 'b' }));
    }
    // The mend is about to be live; what has failed was not written down yet.
    monitor.judgeOf('stranger', 'prod');
    expect(ledger.tallies.verdicts().size, 'of another Sync').to.equal(0);
    monitor.judgeOf('orders', 'elsewhere');
    expect(ledger.tallies.verdicts().size, 'on another platform').to.equal(0);
    monitor.judgeOf('orders', 'prod');
    revision = 'r2';
    now += HOUR / 60;
    monitor.judge();
    const told = statusesOf(monitor.standings()).map(({ serviceLevel, state, revision: commit }) => [
      serviceLevel,
      state,
      commit,
    ]);
    expect(told).to.deep.equal([
      ['orders', 'missed', 'r1'],
      ['others', 'missed', 'r1'],
    ]);
  });

  it('counts nothing for a series that follows one which has gone before it was written down', () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    const monitor = monitorWith();
    monitor.take(run(false));
    ledger.serviceLevels.remove('orders', ledger.serviceLevels.get('orders')?.version ?? '');
    monitor.refresh();
    promise('stock', { objectives: { successRate: '> 99%' }, objects: ['b'] });
    monitor.refresh();
    monitor.flush();
    expect(ledger.tallies.all().map(({ level: name, bad }) => [name, bad])).to.deep.equal([['stock', 0]]);
  });

  it('measures an age from the last good one on, and from when counting began where there was none', () => {
    promise('orders', { objectives: { freshness: '< 1h' } });
    const monitor = monitorWith();
    monitor.refresh();
    now += HOUR / 2;
    expect(status(monitor, 'freshness')).to.deep.include({ now: 1800, state: 'met' });
    takeAll(monitor, [run(true)]);
    now += HOUR - 1000;
    takeAll(monitor, [run(false)]);
    expect(status(monitor, 'freshness')).to.deep.include({ now: 3599, state: 'met' });
    now += 1000;
    expect(status(monitor, 'freshness')).to.deep.include({ now: 3600, state: 'missed' });
    now -= 3 * HOUR;
    expect(status(monitor, 'freshness'), 'by a clock that was set back').to.deep.include({ now: 0, state: 'met' });
  });

  it('says nothing of too little traffic', () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    const monitor = monitorWith();
    expect(status(monitor, 'successRate').state).to.equal('no-data');
    takeAll(
      monitor,
      Array.from({ length: 9 }, () => run(false)),
    );
    expect(status(monitor, 'successRate').state).to.equal('few');
    takeAll(monitor, [run(false)]);
    expect(status(monitor, 'successRate').state).to.equal('missed');
  });

  it('removes the series of what goes, keeps the others, and begins anew for another bound', async () => {
    promise('orders', { objectives: { durationP95: '< 30s' }, objects: ['a', 'b'] });
    const monitor = monitorWith();
    takeAll(monitor, [run(true, { seconds: 1 }), run(true, { seconds: 1, object: 'b' })]);
    const { version, spec } = ledger.serviceLevels.get('orders') ?? {};
    if (spec === undefined || version === undefined) throw new Error('it is gone');
    const draft = { platform: 'prod', name: 'orders' };
    ledger.serviceLevels.update('orders', { ...draft, spec: { ...spec, objects: ['b'] } }, { by: 'x', version });
    monitor.refresh();
    const events = () => shown(/^plumbline_service_level_(events|seconds|last)/);
    expect((await events()).every((line) => line.includes('object="b"'))).to.equal(true);
    expect((await events()).find((line) => line.includes('"good"'))).to.match(/ 1$/);
    const again = ledger.serviceLevels.get('orders');
    const other = { ...spec, objects: ['b'], objectives: { durationP95: '< 10s' } };
    ledger.serviceLevels.update('orders', { ...draft, spec: other }, { by: 'x', version: again?.version ?? '' });
    monitor.refresh();
    expect((await events()).filter((line) => line.includes('within="30"'))).to.deep.equal([]);
    expect((await events()).find((line) => line.includes('"good"'))).to.match(/within="10".* 0$/);
    ledger.serviceLevels.remove('orders', ledger.serviceLevels.get('orders')?.version ?? '');
    monitor.refresh();
    expect(await shown(/^plumbline_service_level_/)).to.deep.equal([]);
  });

  it('tells what is promised and who is told of it, which rules join, and takes that back with the service level', async () => {
    promise('orders', {
      objectives: { successRate: '>= 99.9%', durationP95: '< 30s', freshness: '< 1h' },
      alerts: { page: true, ticket: false, contacts: ['a', 'b'], runbook: 'https://x.example/' },
      window: '28d',
      minimumTraffic: 7,
    });
    promise('quiet', { objectives: { errorRate: '< 1%' }, alerts: { page: false, ticket: false, contacts: [] } });
    const monitor = monitorWith();
    monitor.refresh();
    const own = 'platform="prod",service_level="orders"';
    const quiet = 'platform="prod",service_level="quiet"';
    const terms = /^plumbline_service_level(s|_target|_budget_ratio|_minimum_traffic|_alert_info)\{/;
    expect(await shown(terms)).to.have.members([
      'plumbline_service_levels{platform="prod"} 2',
      `plumbline_service_level_target{${own},objective="successRate",within="",window="28d",target=">= 99.9%"} 0.999`,
      `plumbline_service_level_target{${own},objective="durationP95",within="30",window="28d",target="< 30s"} 30`,
      `plumbline_service_level_target{${own},objective="freshness",within="3600",window="28d",target="< 1h"} 3600`,
      `plumbline_service_level_target{${quiet},objective="errorRate",within="",window="30d",target="< 1%"} 0.01`,
      `plumbline_service_level_budget_ratio{${own},objective="successRate",within="",window="28d",target=">= 99.9%"} 0.001`,
      `plumbline_service_level_budget_ratio{${own},objective="durationP95",within="30",window="28d",target="< 30s"} 0.05`,
      `plumbline_service_level_budget_ratio{${quiet},objective="errorRate",within="",window="30d",target="< 1%"} 0.01`,
      `plumbline_service_level_minimum_traffic{${own},window="28d"} 7`,
      `plumbline_service_level_minimum_traffic{${quiet},window="30d"} 10`,
      `plumbline_service_level_alert_info{${own},window="28d",severity="page",contacts="a,b",runbook="https://x.example/"} 1`,
    ]);
    for (const name of ['orders', 'quiet'])
      ledger.serviceLevels.remove(name, ledger.serviceLevels.get(name)?.version ?? '');
    monitor.refresh();
    expect(await shown(terms)).to.deep.equal(['plumbline_service_levels{platform="prod"} 0']);
  });

  it('shows nothing of a platform that another replica holds, and goes on from its own counts when it comes back', async () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    const monitor = monitorWith();
    takeAll(monitor, [run(true), run(true)]);
    elsewhere.add('prod');
    monitor.refresh();
    expect(await shown(/^plumbline_service_level/)).to.deep.equal([]);
    takeAll(monitor, [run(true)]);
    monitor.judge();
    expect(await shown(/^plumbline_service_level/)).to.deep.equal([]);
    elsewhere.clear();
    monitor.refresh();
    expect((await shown(/^plumbline_service_level_events_total.*"good"/))[0]).to.match(/ 3$/);
    expect(await shown(/^plumbline_service_levels/)).to.deep.equal(['plumbline_service_levels{platform="prod"} 1']);
  });

  it('does not say how many there are while that is not known yet', async () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    let settled = false;
    const monitor = new Monitor({
      ledger,
      metrics,
      now: () => now,
      platforms: () => [{ name: 'prod', labels: {} }],
      revisionOf: () => '',
      settled: () => settled,
    });
    monitor.refresh();
    expect(await shown(/^plumbline_service_levels/)).to.deep.equal([]);
    expect(await shown(/^plumbline_service_level_target/)).to.have.lengthOf(1);
    settled = true;
    monitor.refresh();
    expect(await shown(/^plumbline_service_levels/)).to.deep.equal(['plumbline_service_levels{platform="prod"} 1']);
  });

  it('says of a platform that is configured no more that it has none, lest they be missed', async () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    let platforms = [{ name: 'prod', labels: {} }];
    const monitor = new Monitor({ ledger, metrics, now: () => now, platforms: () => platforms, revisionOf: () => '' });
    monitor.refresh();
    platforms = [];
    metrics.forgetPlatform('prod');
    monitor.refresh();
    expect(await shown(/^plumbline_service_level/)).to.deep.equal(['plumbline_service_levels{platform="prod"} 0']);
  });

  it('counts together what there is no room for, and says how much', async () => {
    promise('orders', { objectives: { successRate: '> 99%' }, objects: ['a', 'b', 'c', 'd'] });
    const monitor = monitorWith(2);
    takeAll(
      monitor,
      ['a', 'c', 'd'].map((object) => run(false, { object })),
    );
    const bad = (await shown(/^plumbline_service_level_events_total.*"bad"/)).map((line) =>
      /object="(\w+)".* (\d)/.exec(line)?.slice(1),
    );
    expect(bad).to.deep.equal([
      ['a', '1'],
      ['b', '0'],
      ['_other', '2'],
    ]);
    expect(await shown(/folded_total.*service_level_object/)).to.deep.equal([
      'plumbline_label_values_folded_total{label="service_level_object"} 2',
    ]);
  });

  it('has room for so many series of a platform, whatever they are of', () => {
    promise('orders', { objectives: { successRate: '> 99%', freshness: '< 1h' }, objects: ['a', 'b'] });
    const monitor = monitorWith(3);
    const objects = statusesOf(monitor.standings()).map(({ objective, object }) => `${objective} ${object}`);
    expect(objects).to.have.members(['successRate a', 'successRate b', 'freshness a', 'freshness _other']);
  });

  it('measures the platforms that are named or have the labels, and no others', () => {
    const api = (name: string, selector: object) =>
      promise(name, { selector: { kind: 'Platform', ...selector }, objectives: { errorRate: '< 1%' }, objects: [] });
    api('all', {});
    api('named', { names: ['prod'] });
    api('labelled', { matchLabels: { tier: '1' } });
    api('elsewhere', { names: ['staging'] });
    api('other', { matchLabels: { tier: '2' } });
    api('half', { matchLabels: { tier: '1', team: 'orders' } });
    const measured = statusesOf(monitorWith().standings()).map(({ serviceLevel }) => serviceLevel);
    expect(measured).to.have.members(['all', 'named', 'labelled']);
  });

  it('tells as a time when the last good one was, which a bad one does not move, and begins with when counting began', async () => {
    promise('orders', { objectives: { freshness: '< 1h', successRate: '> 99%' } });
    const monitor = monitorWith();
    monitor.refresh();
    const last = async () =>
      (await shown(/^plumbline_service_level_last_good.*"freshness"/)).map((line) => Number(line.split(' ').at(-1)));
    const began = now / 1000;
    expect(await last()).to.deep.equal([began]);
    now += HOUR;
    takeAll(monitor, [run(true)]);
    expect(await last()).to.deep.equal([began + 3600]);
    now += HOUR;
    takeAll(monitor, [run(false)]);
    expect(await last()).to.deep.equal([began + 3600]);
  });

  it('sums up times only where there is one to stay within', async () => {
    promise('orders', { objectives: { durationP95: '< 30s', averageDuration: '< 30s', successRate: '> 99%' } });
    const monitor = monitorWith();
    takeAll(monitor, [run(true, { seconds: 2.5 })]);
    const sums = (await shown(/^plumbline_service_level_seconds_total/)).map((line) => [
      /objective="(\w+)"/.exec(line)?.[1],
      Number(line.split(' ').at(-1)),
    ]);
    expect(sums).to.have.deep.members([
      ['averageDuration', 2.5],
      ['durationP95', 2.5],
    ]);
  });

  it('tells what is left of a budget until its service level goes', async () => {
    promise('orders', { objectives: { successRate: '> 90%' } });
    const monitor = monitorWith();
    takeAll(monitor, [...Array.from({ length: 19 }, () => run(true)), run(false)]);
    monitor.judge();
    const left = async () =>
      (await shown(/^plumbline_service_level_budget_left/)).map((line) => Number(line.split(' ').at(-1)));
    expect(await left()).to.deep.equal([0.5]);
    ledger.serviceLevels.remove('orders', ledger.serviceLevels.get('orders')?.version ?? '');
    monitor.judge();
    expect(await left()).to.deep.equal([]);
  });

  it('keeps what it has taken when the ledger cannot be written, and shows it only then when it stands', async () => {
    promise('orders', { objectives: { successRate: '> 99%' } });
    const monitor = monitorWith();
    monitor.refresh();
    const add = ledger.tallies.add.bind(ledger.tallies);
    ledger.tallies.add = () => {
      throw new Error('the disk is full');
    };
    monitor.take(run(true));
    expect(() => monitor.flush()).to.throw('the disk is full');
    const good = async () => (await shown(/events_total.*"good"/))[0]?.split(' ').at(-1);
    expect(await good()).to.equal('0');
    ledger.tallies.add = add;
    monitor.flush();
    expect(await good()).to.equal('1');
  });

  it('writes nothing while nothing happens (law 10)', () => {
    promise('orders', { objectives: { successRate: '> 99%', freshness: '< 1h' } });
    const monitor = monitorWith();
    takeAll(monitor, [run(true)]);
    monitor.judge();
    let writes = 0;
    const { tallies } = ledger;
    const [judge, add, keep] = [tallies.judge.bind(tallies), tallies.add.bind(tallies), tallies.keep.bind(tallies)];
    tallies.judge = (verdicts) => ((writes += verdicts.length), judge(verdicts));
    tallies.add = (entry) => ((writes += 1), add(entry));
    tallies.keep = (wanted, at) => ((writes += 1), keep(wanted, at));
    now += 1000;
    monitor.refresh();
    monitor.flush();
    monitor.judge();
    expect(writes).to.equal(0);
  });
});
