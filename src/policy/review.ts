import type { Key } from '../manifest/manifest.ts';
import type { Reason } from '../plan/match.ts';
import type { Plan } from '../plan/types.ts';
import { openAt, type Window } from './windows.ts';

/** The rules under which changes may be applied at all. */
export interface Rules {
  readonly windows: readonly Window[];
  /** Why a person suspended the Sync; undefined when it runs. */
  readonly suspended?: string;
}

/**
 * Looks at a finished plan and says which changes have to wait. Taking access away never waits (law 16). Pure: `now` is
 * given in milliseconds since 1970.
 */
export function review(plan: Plan, rules: Rules, now: number): ReadonlyMap<Key, Reason> {
  const reason = suspended(rules) ?? closed(rules, now);
  if (reason === undefined) return new Map();
  const waiting = plan.stages.flat().filter((change) => change.revokes !== true);
  return new Map(waiting.map((change) => [change.key, reason]));
}

function suspended({ suspended }: Rules): Reason | undefined {
  if (suspended === undefined) return undefined;
  return {
    code: 'suspended',
    because: `the Sync is suspended: ${suspended}.`,
    remedy: 'Run "plumbline resume", or remove "suspend: true" from the Sync.',
  };
}

function closed({ windows }: Rules, now: number): Reason | undefined {
  const state = openAt(windows, now);
  if (state.open) return undefined;
  return {
    code: 'window',
    because: `${state.because}.`,
    remedy: 'Wait for the window; what is due is applied by itself then.',
  };
}
