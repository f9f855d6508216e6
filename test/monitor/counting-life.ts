import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { ExecutionPoller } from '../../src/daemon/executions.ts';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';
import type { Driver, Execution } from '../../src/drivers/driver.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { Monitor } from '../../src/monitor/monitor.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { level } from './levels.ts';

/** How many runs there are, and which of them fail. Platform clocks are wrong, each in its own way. */
export const RUNS = 10_000;
export const failed = (index: number): boolean => index % 7 === 3;

function runAt(index: number): Execution {
  const startedAt = 1_700_000_000_000 + ((index * 7919) % 1000) * 3_600_000;
  return {
    id: String(index),
    workflow: 'tab',
    status: failed(index) ? 'error' : 'success',
    startedAt,
    endedAt: startedAt + 1000,
  };
}

const PAGE = 37;

/**
 * One life of a process that counts: goes on from the ledger in the folder, under a clock that is wrong by so many hours, until it
 * is killed or all is counted. Says after every page what its metrics show.
 */
async function live(folder: string, hours: number): Promise<void> {
  const now = (): number => Date.now() + hours * 3_600_000;
  using ledger = Ledger.open(folder, { now });
  if (ledger.serviceLevels.list().length === 0) {
    const { name, spec } = level('all', { objectives: { successRate: '> 99%' }, objects: ['orders'] });
    ledger.serviceLevels.create({ platform: 'prod', name, spec }, 'one', 'test/orders');
    ledger.setCursor('executions/prod', '0');
    ledger.journal({ sync: 'orders', platform: 'prod' }).record([
      {
        record: 'own',
        owned: {
          key: 'Workflow/orders',
          remote: 'tab',
          title: 'Orders',
          fingerprint: 'f',
          secretHashes: {},
          how: 'created',
          dependsOn: [],
          file: 'a.yaml',
          revision: 'r',
          allowDataLoss: false,
        },
      },
    ]);
  }
  const driver = {
    executions: async (cursor = '0') => {
      await pause(1);
      const from = Number(cursor);
      const to = Math.min(RUNS, from + PAGE);
      const executions = Array.from({ length: to - from }, (_, index) => runAt(from + index));
      return { executions, cursor: String(to), more: to < RUNS };
    },
  } as unknown as Driver;
  const metrics = new Metrics({ version: '1' });
  const monitor = new Monitor({
    ledger,
    metrics,
    now,
    platforms: () => [{ name: 'prod', labels: {} }],
    revisionOf: () => undefined,
  });
  const shown = async (): Promise<string> => {
    const text = await metrics.text();
    const of = (name: string, labels: string): number =>
      Number(new RegExp(`^${name}\\{[^}]*${labels}[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return JSON.stringify([
      of('plumbline_workflow_executions_total', 'result="success"'),
      of('plumbline_workflow_executions_total', 'result="error"'),
      of('plumbline_service_level_events_total', 'result="good"'),
      of('plumbline_service_level_events_total', 'result="bad"'),
    ]);
  };
  const poller = new ExecutionPoller({
    ledger,
    metrics,
    monitor,
    log: createLog({
      level: 'error',
      format: 'json',
      redact: (text) => text,
      stream: new Writable({ write: (_c, _e, done) => done() }),
    }),
    timers: { ...SYSTEM_TIMERS, now },
    connected: async () => new Map([['prod', driver]]),
    onRuns: async () => void process.stdout.write(`${await shown()}\n`),
  });
  poller.restore();
  monitor.refresh();
  process.stdout.write(`${await shown()}\n`);
  while (ledger.cursor('executions/prod') !== String(RUNS)) await poller.poll();
  ledger.tallies.fold(now());
  process.stdout.write(`${await shown()}\n`);
}

if (process.argv[2] === 'live') await live(process.argv[3] ?? '', Number(process.argv[4]));
