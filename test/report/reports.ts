import { ReconcilerError } from '../../src/errors.ts';
import type { Outcome } from '../../src/drivers/driver.ts';
import type { Key } from '../../src/manifest/manifest.ts';
import type { Change, Plan, Withheld, WithheldCode } from '../../src/plan/types.ts';
import type { PassReport } from '../../src/report/pass-report.ts';

/** A value that must never be told anywhere, under a name that does not give it away. */
export const CANARY = 'kanarienvogel-7f3a';

export const ORIGIN = { file: 'flows/orders.yaml', line: 3, column: 5 };

export function updateOf(
  key: Key,
  details: Partial<Extract<Change, { verb: 'update' }>> = {},
): Extract<Change, { verb: 'update' }> {
  return {
    verb: 'update',
    key,
    kind: 'Workflow',
    title: 'Orders',
    cause: 'changed',
    dependsOn: [],
    origin: ORIGIN,
    fingerprint: 'f1',
    secrets: [],
    remote: { id: 'tab1', version: 'v1' },
    diff: [{ path: '/nodes/timer/repeat', before: CANARY, after: `${CANARY}-after` }],
    moreFields: 0,
    overwritesDrift: false,
    ...details,
  };
}

export function createOf(key: Key): Change {
  return {
    verb: 'create',
    key,
    kind: 'Workflow',
    title: 'Orders',
    cause: 'new',
    dependsOn: [],
    fingerprint: 'f1',
    secrets: ['token'],
  };
}

export const applied = (change: Change): Outcome => ({
  status: 'applied',
  change,
  remote: { id: 'tab1', version: 'v2' },
});
export const failed = (change: Change, retry: 'backoff' | 'never' = 'backoff'): Outcome => ({
  status: 'failed',
  change,
  error: new ReconcilerError('The platform refused the flow.', retry, { code: 'refused', remedy: 'Correct it.' }),
});
export const withheld = (change: Change, code: WithheldCode): Withheld => ({
  change,
  code,
  because: 'It may not be.',
  remedy: 'Ask somebody.',
});

export function planOf(details: Partial<Plan> = {}): Plan {
  return {
    format: 1,
    sync: 'orders',
    platform: 'prod',
    owner: 'default/orders',
    revision: 'r1',
    stages: [],
    withheld: [],
    notices: [],
    records: [],
    counts: { desired: 1, owned: 1, inSync: 1, drifted: 0 },
    fingerprint: 'p1',
    ...details,
  };
}

/** A pass that found everything as it should be, with what differs from that. */
export function passOf(details: Partial<PassReport> = {}): PassReport {
  return {
    sync: 'orders',
    platform: 'prod',
    trigger: 'interval',
    look: 'full',
    result: 'in-sync',
    startedAt: 1_700_000_000_000,
    endedAt: 1_700_000_001_500,
    durations: { source: 10 },
    revision: 'r1',
    problems: [],
    plan: planOf(),
    outcomes: [],
    archived: {},
    ...details,
  };
}
