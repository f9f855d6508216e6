import type { Level } from '../levels.ts';
import { alertGroups } from './alerts.ts';
import { reconcilerGroup } from './reconciler.ts';
import { recordingGroups } from './recording.ts';
import type { RuleGroup } from './rule.ts';

export interface RuleOptions {
  /** Shrinks every window and delay of service levels: for tests, which cannot wait for hours. */
  readonly scale?: number;
}

/**
 * What a Prometheus rule file holds for these service levels: what is recorded, the alerts of each, and those about Plumbline
 * itself. Pure, and the same for the same service levels.
 */
export function rulesOf(levels: readonly Level[], { scale = 1 }: RuleOptions = {}): readonly RuleGroup[] {
  const sorted = levels.toSorted((a, b) => compare(a.platform, b.platform) || compare(a.name, b.name));
  return [
    ...recordingGroups(sorted, scale),
    ...sorted.flatMap((level) => alertGroups(level, scale)),
    reconcilerGroup(),
  ];
}

/** The same as an object of the Prometheus operator. */
export function prometheusRule(
  groups: readonly RuleGroup[],
  metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
) {
  return { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata, spec: { groups } };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
