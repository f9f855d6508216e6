import type { Key } from '../manifest/manifest.ts';
import type { Change } from './types.ts';

/*
 * Order of a plan. A change comes after the changes of what it depends on; members of a cycle (workflows that call each other)
 * share a stage. Deletes come after everything else and in the reverse order, so that nothing is taken from under
 * what still needs it:
 *
 *   create role → create workflow → create grant  |  delete grant → delete workflow → delete role
 */
export function stages(changes: readonly Change[]): readonly (readonly Change[])[] {
  const deletes = changes.filter((change) => change.verb === 'delete' || change.verb === 'release');
  const rest = changes.filter((change) => change.verb !== 'delete' && change.verb !== 'release');
  return [...levels(rest), ...levels(deletes).toReversed()];
}

function levels(changes: readonly Change[]): Change[][] {
  const byKey = new Map(changes.map((change) => [change.key, change]));
  const depth = depths(byKey);
  const result: Change[][] = [];
  for (const change of changes) (result[depth.get(change.key) ?? 0] ??= []).push(change);
  return result.filter((stage) => stage.length > 0);
}

/** Length of the longest chain of dependencies below each change; cycles count as one (Tarjan, without recursion). */
function depths(changes: ReadonlyMap<Key, Change>): Map<Key, number> {
  const index = new Map<Key, number>();
  const low = new Map<Key, number>();
  const depth = new Map<Key, number>();
  const path: Key[] = [];
  const needs = (key: Key) => (changes.get(key)?.dependsOn ?? []).filter((need) => changes.has(need) && need !== key);
  for (const root of changes.keys()) {
    if (index.has(root)) continue;
    const work: { key: Key; rest: Key[] }[] = [];
    const enter = (key: Key) => {
      index.set(key, index.size);
      low.set(key, index.get(key) ?? 0);
      path.push(key);
      work.push({ key, rest: needs(key) });
    };
    enter(root);
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const next = frame.rest.pop();
      if (next !== undefined) {
        if (!index.has(next)) enter(next);
        else if (!depth.has(next)) low.set(frame.key, Math.min(low.get(frame.key) ?? 0, index.get(next) ?? 0));
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent !== undefined) low.set(parent.key, Math.min(low.get(parent.key) ?? 0, low.get(frame.key) ?? 0));
      if (low.get(frame.key) === index.get(frame.key)) settle(path.splice(path.lastIndexOf(frame.key)), needs, depth);
    }
  }
  return depth;
}

function settle(members: readonly Key[], needs: (key: Key) => Key[], depth: Map<Key, number>): void {
  const below = members.flatMap((member) => needs(member).filter((need) => !members.includes(need)));
  const level = below.reduce((most, need) => Math.max(most, (depth.get(need) ?? 0) + 1), 0);
  for (const member of members) depth.set(member, level);
}
