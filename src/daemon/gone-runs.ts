import type { Ledger } from '../ledger/ledger.ts';
import type { Metrics } from '../report/metrics.ts';

export interface GoneRunsParts {
  readonly ledger: Ledger;
  readonly metrics: Metrics;
  /** Platforms that are configured. */
  readonly platforms: () => readonly string[];
  /** Whether what is owned on a platform is known here. */
  readonly holds: (platform: string) => boolean;
}

/**
 * Removes the counts of runs, and their series, of workflows that no Sync owns any more and of platforms that are not configured.
 * Where somebody else holds the platform, what is owned is not known, and nothing is removed.
 */
export function forgetGoneRuns({ ledger, metrics, platforms, holds }: GoneRunsParts): void {
  const counts = ledger.tallies.runs();
  if (counts.length === 0) return;
  const configured = new Set(platforms());
  const owned = ownedWorkflows(ledger);
  // Counts of what git does not know, or of what there was no room for, are of no one workflow.
  const stays = ({ platform, workflow }: { readonly platform: string; readonly workflow: string }): boolean =>
    configured.has(platform) && (!holds(platform) || workflow.startsWith('_') || owned.has(wordOf(platform, workflow)));
  const gone = counts.filter((count) => !stays(count));
  if (gone.length === 0) return;
  ledger.tallies.forgetRuns(gone);
  for (const { platform, workflow } of gone) metrics.forgetWorkflow(platform, workflow);
}

function ownedWorkflows(ledger: Ledger): ReadonlySet<string> {
  const owned = new Set<string>();
  for (const scope of ledger.scopes()) {
    for (const { key } of ledger.view(scope).owned.values()) {
      if (key.startsWith('Workflow/')) owned.add(wordOf(scope.platform, key.slice('Workflow/'.length)));
    }
  }
  return owned;
}

function wordOf(platform: string, workflow: string): string {
  return JSON.stringify([platform, workflow]);
}
