import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { ExecutionPoller, type ExecutionParts } from '../../src/daemon/executions.ts';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import type { Driver, Execution } from '../../src/drivers/driver.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createLog } from '../../src/report/log.ts';
import type { Monitor, Seen } from '../../src/monitor/monitor.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { owned } from '../ledger/samples.ts';
import { ManualTimers, settled } from './manual-timers.ts';
import { MemoryPlatform } from './memory-place.ts';

const run = (id: string, status: 'success' | 'error' = 'success'): Execution => ({
  id,
  workflow: 'tab',
  status,
  startedAt: 1_000,
  endedAt: 2_000,
});

describe('runs of workflows', () => {
  let state: string;
  let ledger: Ledger;
  let platform: MemoryPlatform;
  let metrics: Metrics;
  let said: string[];

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), 'plumbline-executions-'));
    ledger = Ledger.open(state);
    platform = new MemoryPlatform();
    metrics = new Metrics({ version: '1' });
    said = [];
  });
  afterEach(() => {
    ledger.close();
    rmSync(state, { recursive: true, force: true });
  });

  const poller = (parts: Partial<ExecutionParts> = {}): ExecutionPoller =>
    new ExecutionPoller({
      ledger,
      metrics,
      log: createLog({
        level: 'debug',
        format: 'json',
        redact: (text) => text,
        stream: new Writable({ write: (chunk: Buffer, _, done) => (said.push(chunk.toString()), done()) }),
      }),
      timers: SYSTEM_TIMERS,
      connected: async () => new Map([['prod', platform]]),
      ...parts,
    });
  /** Counting has begun: what comes from now on counts. */
  const begun = (): void => ledger.setCursor('executions/prod', 'c0');
  const sample = async (name: string, labels = ''): Promise<number> => {
    const line = (await metrics.text()).split('\n').find((one) => one.startsWith(`${name}{platform="prod"${labels}`));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const counted = (result: string) =>
    sample('plumbline_workflow_executions_total', `,workflow="_unmanaged",result="${result}"`);

  it('are counted by result, from where the last poll ended', async () => {
    platform.pages = [
      { executions: [], cursor: 'c0' },
      { executions: [run('1'), run('2', 'error')], cursor: 'c2' },
      { executions: [run('3')], cursor: 'c3' },
    ];
    const one = poller();
    for (let time = 0; time < 3; time++) await one.poll();
    expect([await counted('success'), await counted('error')]).to.deep.equal([2, 1]);
    expect(platform.cursors).to.deep.equal([undefined, 'c0', 'c2']);
  });

  it('that somebody only tries out in the editor are told, and not counted', async () => {
    begun();
    platform.pages = [{ executions: [{ ...run('1', 'error'), trial: true }, run('2')], cursor: 'c2' }];
    const told: string[] = [];
    await poller({
      onRuns: async (_, runs) => {
        told.push(...runs.map(({ execution }) => execution.id));
      },
    }).poll();
    expect([await counted('success'), await counted('error')]).to.deep.equal([1, 0]);
    expect(told).to.deep.equal(['1', '2']);
  });

  it('are not counted again by the process that follows: it goes on at the cursor in the ledger', async () => {
    begun();
    platform.pages = [{ executions: [run('1')], cursor: 'c1' }];
    await poller().poll();
    ledger.close();
    ledger = Ledger.open(state);
    metrics = new Metrics({ version: '1' });
    platform.pages = [{ executions: [run('2')], cursor: 'c2' }];
    const next = poller();
    next.restore();
    expect(await counted('success'), 'as the process before it has shown it').to.equal(1);
    await next.poll();
    expect(platform.cursors).to.deep.equal(['c0', 'c1']);
    expect(await counted('success')).to.equal(2);
  });

  it('are not shown before the ledger has taken them: a process that follows would show them a second time', async () => {
    begun();
    ledger.close();
    ledger = Ledger.read(state);
    platform.pages = [
      { executions: [run('1')], cursor: 'c1' },
      { executions: [run('1'), run('2')], cursor: 'c2' },
    ];
    const one = poller();
    await one.poll();
    expect(await counted('success')).to.equal(0);
    ledger.close();
    ledger = Ledger.open(state);
    await poller().poll();
    expect(platform.cursors).to.deep.equal(['c0', 'c0']);
    expect(await counted('success')).to.equal(2);
  });

  it('that are under way are counted when they end, and not before', async () => {
    begun();
    platform.pages = [
      { executions: [{ id: '1', workflow: 'tab', status: 'running', startedAt: 1_000 }], cursor: 'c1' },
      { executions: [run('1')], cursor: 'c2' },
    ];
    const one = poller();
    await one.poll();
    expect(ledger.tallies.runs()).to.deep.equal([]);
    await one.poll();
    expect(ledger.tallies.runs().map(({ result, count }) => [result, count])).to.deep.equal([['success', 1]]);
  });

  it('that ended before counting began are left out, page by page, and how many is told: they may have been counted before', async () => {
    platform.pages = [
      { executions: [run('1'), run('2')], cursor: 'c2', more: true },
      { executions: [run('3')], cursor: 'c3' },
      { executions: [run('4')], cursor: 'c4' },
    ];
    const one = poller();
    await one.poll();
    expect(platform.cursors, 'read to the end at once').to.deep.equal([undefined, 'c2']);
    expect([await counted('success'), await sample('plumbline_workflow_executions_skipped_total')]).to.deep.equal([
      0, 3,
    ]);
    await one.poll();
    expect([await counted('success'), await sample('plumbline_workflow_executions_skipped_total')]).to.deep.equal([
      1, 3,
    ]);
    expect(await sample('plumbline_workflow_executions_counted_since_timestamp_seconds')).to.be.greaterThan(1.7e9);
  });

  it('that were there when counting began are left out also by the process that follows', async () => {
    platform.pages = [{ executions: [run('1')], cursor: 'c1', more: true }];
    await poller().poll();
    metrics = new Metrics({ version: '1' });
    platform.pages = [
      { executions: [run('2')], cursor: 'c2' },
      { executions: [run('3')], cursor: 'c3' },
    ];
    const next = poller();
    await next.poll();
    await next.poll();
    expect([await counted('success'), await sample('plumbline_workflow_executions_skipped_total')]).to.deep.equal([
      1, 2,
    ]);
  });

  it('that the platform dropped before they were read are counted as lost, and said', async () => {
    platform.pages = [
      { executions: [], cursor: 'c1', lost: 0 },
      { executions: [run('9')], cursor: 'c9', lost: 7 },
    ];
    begun();
    const one = poller();
    metrics.expectPlatform('prod');
    await one.poll();
    expect(await sample('plumbline_workflow_executions_lost_total')).to.equal(0);
    await one.poll();
    expect(await sample('plumbline_workflow_executions_lost_total')).to.equal(7);
    expect(said.filter((line) => line.includes('executions lost'))).to.have.length(1);
  });

  it('that were lost or forgotten are told also by the process that follows, and a restart of it adds none', async () => {
    begun();
    platform.pages = [
      { executions: [run('9')], cursor: 'c9', lost: 7 },
      { executions: [run('1')], cursor: 'd1', gap: true },
    ];
    const expected = () => ['prod'];
    const told = async () => [
      await sample('plumbline_workflow_executions_lost_total'),
      await sample('plumbline_workflow_executions_gaps_total'),
    ];
    metrics.expectPlatform('prod');
    const one = poller({ expected });
    one.restore();
    expect(await told()).to.deep.equal([0, 0]);
    await one.poll();
    expect(await told()).to.deep.equal([7, 0]);
    await one.poll();
    expect(await told()).to.deep.equal([7, 1]);
    expect(said.filter((line) => line.includes('executions forgotten'))).to.have.lengthOf(1);
    metrics = new Metrics({ version: '1' });
    metrics.expectPlatform('prod');
    const next = poller({ expected });
    next.restore();
    expect(await told(), 'before anything was polled').to.deep.equal([7, 1]);
    platform.pages = [{ executions: [], cursor: 'd1', lost: 2 }];
    await next.poll();
    expect(await told()).to.deep.equal([9, 1]);
    expect(await counted('success'), 'and are no runs that were counted').to.equal(2);
  });

  it('of a platform that left and came back go on where they stood', async () => {
    begun();
    platform.pages = [
      { executions: [], cursor: 'c1', lost: 7 },
      { executions: [], cursor: 'c1' },
    ];
    let names = ['prod'];
    const one = poller({
      expected: () => names,
      connected: async () => new Map(names.map((name) => [name, platform])),
    });
    await one.poll();
    names = [];
    metrics.forgetPlatform('prod');
    await one.poll();
    names = ['prod'];
    metrics.expectPlatform('prod');
    await one.poll();
    expect(await sample('plumbline_workflow_executions_lost_total')).to.equal(7);
  });

  it('that cannot be read are said once and read later from the same place; other platforms are counted meanwhile', async () => {
    begun();
    platform.pages = [{ executions: [run('1')], cursor: 'c1' }];
    const one = poller();
    for (let time = 0; time < 4; time++) await one.poll();
    const warnings = () => said.filter((line) => line.includes('executions not read') && line.includes('"warn"'));
    expect(warnings()).to.have.length(1);
    platform.pages = [{ executions: [run('2')], cursor: 'c2' }];
    await one.poll();
    expect(platform.cursors.slice(1)).to.deep.equal(['c1', 'c1', 'c1', 'c1']);
    expect(await counted('success')).to.equal(2);
    await one.poll();
    expect(warnings(), 'said again after it had worked').to.have.length(2);
  });

  it('are told before the cursor moves, by the name that git has; who cannot take them is told again, and they count once', async () => {
    ledger
      .journal({ sync: 'orders', platform: 'prod' })
      .record([{ record: 'own', owned: owned('Workflow/orders', { remote: 'tab' }) }]);
    begun();
    const page = { executions: [run('1'), { ...run('2'), workflow: 'another' }], cursor: 'c2' };
    platform.pages = [page, page, { executions: [], cursor: 'c3' }];
    const told: unknown[] = [];
    const one = poller({
      onRuns: async (name, runs) => {
        told.push([name, runs.map(({ execution, name }) => [execution.id, name]), ledger.cursor('executions/prod')]);
        if (told.length === 1) throw new Error('the bus is full');
      },
    });
    await one.poll();
    expect(await counted('success')).to.equal(0);
    await one.poll();
    await one.poll();
    const both = [
      ['1', 'orders'],
      ['2', undefined],
    ];
    expect(told).to.deep.equal([
      ['prod', both, 'c0'],
      ['prod', both, 'c0'],
      ['prod', [], 'c2'],
    ]);
    expect(platform.cursors).to.deep.equal(['c0', 'c0', 'c2']);
    expect(await counted('success')).to.equal(1);
    expect(said.filter((line) => line.includes('executions not read'))).to.have.length(1);
  });

  it('are weighed by how they ended and how long they took: never less than no time, and nothing where that is not told', async () => {
    const own = (on: string, name: string): void =>
      ledger
        .journal({ sync: 'orders', platform: on })
        .record([{ record: 'own', owned: owned(`Workflow/${name}`, { remote: 'tab' }) }]);
    own('prod', 'orders');
    // The same id on another platform is another workflow.
    own('staging', 'other');
    const runs = [
      run('1'),
      run('2', 'error'),
      { ...run('3'), startedAt: 9_000, endedAt: 2_000 },
      { ...run('4', 'error'), startedAt: 1_000, endedAt: 61_000 },
    ];
    const UNTIMED = { untimed: true as const };
    const seen = async (untimed: boolean) => {
      ledger.setCursor('executions/prod', 'c0');
      platform.pages = [{ executions: runs, cursor: 'c4' }];
      const weighed: unknown[] = [];
      const monitor = {
        weigh: (all: readonly Seen[]) => {
          weighed.push(...all.map(({ object, happening }) => [object, ...Object.values(happening)]));
          return new Map();
        },
        counted: () => undefined,
      } as unknown as Monitor;
      const driver: Driver = untimed ? Object.assign(Object.create(platform) as MemoryPlatform, UNTIMED) : platform;
      await poller({ monitor, connected: async () => new Map([['prod', driver]]) }).poll();
      return weighed;
    };
    expect(await seen(false)).to.deep.equal([
      ['orders', 'run', true, 1],
      ['orders', 'run', false, 1],
      ['orders', 'run', true, 0],
      ['orders', 'run', false, 60],
    ]);
    expect(await seen(true)).to.deep.equal([
      ['orders', 'run', true],
      ['orders', 'run', false],
      ['orders', 'run', true],
      ['orders', 'run', false],
    ]);
  });

  describe('that somebody has just begun', () => {
    let timers: ManualTimers;
    let polls: number;
    let gate: Promise<void> | undefined;
    let one: ExecutionPoller;

    beforeEach(() => {
      timers = new ManualTimers();
      polls = 0;
      gate = undefined;
      const connected = async () => {
        polls += 1;
        await gate;
        return new Map();
      };
      one = poller({ timers, connected });
    });
    afterEach(() => one[Symbol.asyncDispose]());
    const pass = async (milliseconds: number): Promise<void> => {
      timers.advance(milliseconds);
      await settled();
    };

    it('are looked for shortly, and then as often as ever', async () => {
      one.start();
      await pass(1_000);
      one.soon();
      await pass(299);
      expect(polls).to.equal(0);
      await pass(1);
      expect(polls).to.equal(1);
      await pass(9_999);
      expect(polls).to.equal(1);
      await pass(1);
      expect(polls).to.equal(2);
    });

    it('are looked for once, however many they are, and no later because more keep coming', async () => {
      one.start();
      for (let time = 0; time < 6; time++) {
        one.soon();
        await pass(50);
      }
      expect(polls).to.equal(1);
      expect(timers.pending, 'looks to come').to.equal(1);
    });

    it('are looked for again when a look was under way that may have missed them', async () => {
      const { promise, resolve: open } = Promise.withResolvers<void>();
      gate = promise;
      one.start();
      await pass(10_000);
      one.soon();
      one.soon();
      await pass(5_000);
      expect(polls, 'one at a time').to.equal(1);
      open();
      await settled();
      await pass(300);
      expect(polls).to.equal(2);
      await pass(9_999);
      expect(polls).to.equal(2);
    });

    it('before the poller was started are looked for shortly after, and polls do not double', async () => {
      one.soon();
      one.start();
      expect(timers.pending).to.equal(1);
      await pass(300);
      expect(polls).to.equal(1);
    });

    it('after it was ended are looked for by the process that follows', async () => {
      one.start();
      await one[Symbol.asyncDispose]();
      one.soon();
      await pass(60_000);
      expect([polls, timers.pending]).to.deep.equal([0, 0]);
    });
  });
});
