import { levelsOf } from '../../src/monitor/levels.ts';
import type { Level } from '../../src/monitor/levels.ts';
import type { ServiceLevelSpec } from '../../src/manifest/service-level.ts';

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
