import type { Kind } from '../manifest/manifest.ts';
import type { Families } from './metric-list.ts';
import type { PassResult, Trigger } from './pass-report.ts';
import type { Outcome } from '../drivers/driver.ts';
import type { Verb } from '../plan/types.ts';

// As records, so that a value added to the type and forgotten here does not compile.
const TRIGGERS: Record<Trigger, true> = {
  start: true,
  interval: true,
  commit: true,
  event: true,
  schedule: true,
  command: true,
  retry: true,
};
/** `planned` is not here: a plan is nothing that has happened. */
const RESULTS: Record<Exclude<PassResult, 'planned'>, true> = {
  'in-sync': true,
  applied: true,
  withheld: true,
  'partly-failed': true,
  failed: true,
};
const VERBS: Record<Verb, true> = { create: true, update: true, adopt: true, release: true, delete: true };
const OUTCOMES: Record<Outcome['status'], true> = { applied: true, failed: true, skipped: true };

/** Series that exist from the start: a counter that is born with its first failure hides that failure from `increase()`. */
export function zeroes(families: Families, sync: string, platform: string): void {
  const here = { sync, platform };
  for (const trigger of Object.keys(TRIGGERS)) {
    for (const result of Object.keys(RESULTS))
      families.passes.metric.inc(families.passes.touch({ ...here, trigger, result }), 0);
  }
  for (const gauge of [families.owned, families.drifted, families.stale]) gauge.metric.set(gauge.touch(here), 0);
  for (const severity of ['error', 'warning'])
    families.problems.metric.set(families.problems.touch({ ...here, severity }), 0);
  families.retries.metric.inc(families.retries.touch(here), 0);
}

/**
 * Likewise for changes of some kinds. Of all there are it would be well over a hundred series for each Sync, most of which never hold
 * an object of most kinds.
 */
export function zeroesOfKinds(
  { changes }: Families,
  here: { readonly sync: string; readonly platform: string },
  kinds: Iterable<Kind>,
): void {
  for (const kind of kinds) {
    for (const verb of Object.keys(VERBS)) {
      for (const result of Object.keys(OUTCOMES)) changes.metric.inc(changes.touch({ ...here, kind, verb, result }), 0);
    }
  }
}
