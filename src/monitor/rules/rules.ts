import type { Level } from '../levels.ts';
import { alertGroup } from './alerts.ts';
import { reconcilerGroup } from './reconciler.ts';
import { recordingGroups } from './recording.ts';
import type { RuleGroup } from './rule.ts';

export interface RuleOptions {
  /** Shrinks every window and delay of service levels: for tests, which cannot wait for hours. */
  readonly scale?: number;
}

/**
 * What a Prometheus rule file holds for these service levels, and about Plumbline itself. Only the windows of the service levels
 * count: whatever else they say is read from metrics when the rules are evaluated. Pure, and the same for the same windows.
 */
export function rulesOf(levels: readonly Level[], options: RuleOptions = {}): readonly RuleGroup[] {
  return [...windowsOf(levels).flatMap((window) => windowGroups(window, options)), reconcilerGroup()];
}

/** What is recorded and alerted on for service levels with this window, which every rule says: two of another window are no duplicates. */
export function windowGroups(window: string, { scale = 1 }: RuleOptions = {}): readonly RuleGroup[] {
  return [...recordingGroups(window, scale), alertGroup(window, scale)].map(({ rules, ...group }) => ({
    ...group,
    rules: rules.map((rule) => ({ ...rule, labels: { ...rule.labels, window } })),
  }));
}

/** Windows that budgets are kept over, the shortest first. */
export function windowsOf(levels: readonly Pick<Level, 'spec'>[]): readonly string[] {
  return [...new Set(levels.map(({ spec }) => spec.window))].toSorted(
    (a, b) => Number.parseInt(a) - Number.parseInt(b),
  );
}

/** The same as an object of the Prometheus operator. */
export function prometheusRule(
  groups: readonly RuleGroup[],
  metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
) {
  return { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata, spec: { groups } };
}
