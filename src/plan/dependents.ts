import type { Key } from '../manifest/manifest.ts';
import type { Reason } from './match-reasons.ts';
import type { Change, Withheld } from './types.ts';

/** What else has to wait, because of objects that a plan knows of but does not change. */
export interface Surroundings {
  /** Objects that do not stand and will not: what needs one of them waits. With the reason, for people. */
  readonly missing?: ReadonlySet<Key>;
  /** Objects that something which stays as it is refers to: they are not deleted. */
  readonly held?: ReadonlySet<Key>;
  readonly left?: 'out';
}

/** Law 8 before the fact: what needs an object that will not be created waits; what is still needed is not deleted. */
export function withoutDependents(
  changes: readonly Change[],
  withheld: readonly Withheld[],
  around: Surroundings = {},
): { due: Change[]; withheld: Withheld[] } {
  const missing = new Set(around.missing);
  const held = new Set(around.held);
  const note = (change: Change) => {
    if (change.verb === 'create') missing.add(change.key);
    if (change.verb === 'delete') for (const need of change.dependsOn) held.add(need);
    // What uses its outputs would be given those that it does not have yet.
    if (change.verb === 'update' && change.changesOutputs === true) missing.add(change.key);
    if (change.verb === 'update') for (const need of change.formerly ?? []) held.add(need);
  };
  for (const one of withheld) note(one.change);
  const result = [...withheld];
  let due = [...changes];
  for (;;) {
    const waits = due.filter((change) => mustWait(change, missing, held));
    if (waits.length === 0) return { due, withheld: result };
    const waiting = new Set(waits);
    due = due.filter((change) => !waiting.has(change));
    for (const change of waits) {
      note(change);
      result.push({ change, ...reasonFor(change, missing, around) });
    }
  }
}

function mustWait(change: Change, missing: ReadonlySet<Key>, held: ReadonlySet<Key>): boolean {
  if (change.verb === 'release') return false;
  return change.verb === 'delete' ? held.has(change.key) : change.dependsOn.some((need) => missing.has(need));
}

function reasonFor(change: Change, missing: ReadonlySet<Key>, { left }: Surroundings): Reason {
  if (change.verb === 'delete') {
    return {
      code: 'dependency',
      because: `${change.key} is still needed by an object that stays as it is for now.`,
      remedy: 'See why that object is not changed or deleted; this delete follows by itself.',
    };
  }
  const needs = change.dependsOn.filter((need) => missing.has(need)).join(', ');
  return {
    code: 'dependency',
    because: `${change.key} needs ${needs}, which ${left === 'out' ? 'is withheld or left out' : 'is withheld or has a problem'}.`,
    remedy: `See why ${needs} is ${left === 'out' ? 'not among the changes, or name it too' : 'held back'}; this one follows by itself.`,
  };
}
