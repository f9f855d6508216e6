import type { Key } from '../manifest/manifest.ts';
import type { Reason } from '../plan/match-reasons.ts';
import type { Change, Plan } from '../plan/types.ts';
import { openAt, type Window } from './windows.ts';

/** The rules under which changes may be applied at all. */
export interface Rules {
  readonly windows: readonly Window[];
  /** Why a person suspended the Sync; undefined when it runs. */
  readonly suspended?: string;
  /** Why another Sync has to succeed first. */
  readonly waits?: string;
  /** What somebody who was asked refuses, and why. */
  readonly refused?: ReadonlyMap<Key, Reason>;
}

/**
 * Looks at a finished plan and says which changes have to wait. Taking access away never waits (law 16). Pure: `now` is
 * given in milliseconds since 1970.
 */
export function review(plan: Plan, rules: Rules, now: number): ReadonlyMap<Key, Reason> {
  const general = suspended(rules) ?? waiting(rules) ?? closed(rules, now);
  const { refused } = rules;
  if (general === undefined && (refused === undefined || refused.size === 0)) return new Map();
  const changes = plan.stages.flat();
  const passes = neededToRevoke(changes);
  return new Map(
    changes.flatMap(({ key }) => {
      const reason = passes.has(key) ? undefined : (general ?? refused?.get(key));
      return reason === undefined ? [] : [[key, reason] as const];
    }),
  );
}

/** Changes that may be refused: whatever gives or makes something, unless access cannot be taken away without it. */
export function refusable(plan: Plan): readonly Change[] {
  const changes = plan.stages.flat();
  const passes = neededToRevoke(changes);
  return changes.filter(({ key, verb }) => verb !== 'delete' && verb !== 'release' && !passes.has(key));
}

/** Revocations, and what has to be made so that they can be carried out (the narrower role that replaces a wide one). */
function neededToRevoke(changes: readonly Change[]): ReadonlySet<Key> {
  const creates = new Map(
    changes.flatMap((change) => (change.verb === 'create' ? [[change.key, [change]] as const] : [])),
  );
  const passes = new Set<Key>();
  const open = changes.filter((change) => change.revokes === true);
  for (let change = open.pop(); change !== undefined; change = open.pop()) {
    if (passes.has(change.key)) continue;
    passes.add(change.key);
    if (change.verb === 'delete') continue;
    for (const need of change.dependsOn) open.push(...(creates.get(need) ?? []));
  }
  return passes;
}

function suspended({ suspended }: Rules): Reason | undefined {
  if (suspended === undefined) return undefined;
  return {
    code: 'suspended',
    because: `the Sync is suspended: ${suspended}.`,
    remedy: 'Run "plumbline resume", or remove "suspend: true" from the Sync.',
  };
}

function waiting({ waits }: Rules): Reason | undefined {
  if (waits === undefined) return undefined;
  return { code: 'dependency', because: waits, remedy: 'See how that Sync stands; this one follows by itself.' };
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
