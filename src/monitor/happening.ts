import type { SelectedKind } from '../manifest/objective.ts';
import type { Counts } from '../ledger/tallies.ts';
import { within } from './objective.ts';
import type { Objective } from './objective.ts';

/** Something that happened and that objectives are measured by. Times are seconds. */
export type Happening =
  /** A run of a workflow ended; without a duration where the platform tells none. */
  | { readonly what: 'run'; readonly ok: boolean; readonly seconds?: number }
  /** A request to a platform was answered, or not. */
  | { readonly what: 'request'; readonly ok: boolean; readonly seconds: number }
  /** An Integration's own code ran. */
  | { readonly what: 'sync'; readonly ok: boolean }
  /** A record was checked against its schema. */
  | { readonly what: 'record'; readonly valid: boolean }
  /** A record arrived, or was given up; `latency`: from the change in the source until then. */
  | { readonly what: 'delivery'; readonly ok: boolean; readonly latency: number };

/** What happens to objects of a kind and says whether something went well. */
const RUNS: Readonly<Record<SelectedKind, Happening['what']>> = {
  Workflow: 'run',
  Platform: 'request',
  Integration: 'sync',
};

/** What a happening counts for an objective of an object of that kind; undefined when it says nothing about it. */
export function countOf(kind: SelectedKind, objective: Objective, happening: Happening): Counts | undefined {
  switch (objective.name) {
    case 'successRate':
    case 'errorRate':
    case 'freshness':
      return happening.what === RUNS[kind] && 'ok' in happening ? counted(happening.ok) : undefined;
    case 'averageDuration':
    case 'durationP95':
      return happening.what === 'run' ? timed(objective, happening.seconds) : undefined;
    case 'latencyP99':
      return happening.what === 'request' ? timed(objective, happening.seconds) : undefined;
    case 'syncLatency':
      if (happening.what !== 'delivery') return undefined;
      return happening.ok ? timed(objective, happening.latency) : counted(false, happening.latency);
    case 'dataQuality':
      break;
  }
  return happening.what === 'record' ? counted(happening.valid) : undefined;
}

function timed(objective: Objective, seconds: number | undefined): Counts | undefined {
  return seconds === undefined ? undefined : counted(within(objective, seconds), seconds);
}

function counted(good: boolean, seconds = 0): Counts {
  return { good: good ? 1 : 0, bad: good ? 0 : 1, seconds };
}

/** Two counts together. */
export function plus(left: Counts | undefined, right: Counts): Counts {
  if (left === undefined) return right;
  return { good: left.good + right.good, bad: left.bad + right.bad, seconds: left.seconds + right.seconds };
}
