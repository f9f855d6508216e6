import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../src/ledger/ledger.ts';
import { levelsOf } from '../../src/monitor/levels.ts';
import type { Level } from '../../src/monitor/levels.ts';
import { Monitor } from '../../src/monitor/monitor.ts';
import type { ServiceLevelSpec } from '../../src/manifest/service-level.ts';
import type { Metrics } from '../../src/report/metrics.ts';

/** A service level in force on the platform `prod`. */
export function level(name: string, spec: Partial<ServiceLevelSpec>): Level {
  const whole: ServiceLevelSpec = {
    title: name,
    selector: { kind: 'Workflow' },
    window: '30d',
    objectives: {},
    alerts: { page: true, ticket: true, contacts: [] },
    minimumTraffic: 10,
    objects: ['a'],
    ...spec,
  };
  const register = { id: name, version: '1', createdAt: 0, changedAt: 0, changedBy: 'test/orders' };
  const [one] = levelsOf([{ ...register, platform: 'prod', name, spec: whole }], [{ name: 'prod', labels: {} }]);
  if (one === undefined) throw new Error('the platform is not known');
  return one;
}

/** A monitor of these service levels with a ledger of its own, until it is disposed. */
export function monitorOf(levels: readonly Level[], metrics: Metrics): { readonly monitor: Monitor } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-levels-'));
  const ledger = Ledger.open(folder);
  for (const { platform, name, spec } of levels)
    ledger.serviceLevels.create({ platform, name, spec }, name, 'test/orders');
  const monitor = new Monitor({
    ledger,
    metrics,
    now: Date.now,
    platforms: () => [{ name: 'prod', labels: {} }],
    revisionOf: () => undefined,
  });
  return {
    monitor,
    [Symbol.dispose]: () => {
      ledger.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
