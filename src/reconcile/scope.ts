import type { Key, Manifest } from '../manifest/manifest.ts';
import { stampOf } from './memory.ts';
import type { Pass } from './pass.ts';
import { isOwn } from './references.ts';

/** A commit that touches more than this is looked at whole. */
const MOST = 500;

/**
 * The keys a commit concerns: manifests that are new, changed or gone since the last pass, and what was not in order
 * then. Undefined when everything has to be looked at (law 10: the cost of a commit follows the commit, not the repository).
 */
export function scopeOf(pass: Pass, manifests: ReadonlyMap<Key, Manifest>): ReadonlySet<Key> | undefined {
  const { memory, trigger, terms, driver } = pass;
  const { seen } = memory;
  const approved = Object.keys(terms.approvals).length > 0 || terms.release.length > 0;
  if (trigger !== 'commit' || seen === undefined || !driver.targeted || approved || terms.retire !== undefined)
    return undefined;
  const keys = new Set(memory.unsettled);
  const referring: Manifest[] = [];
  for (const [key, manifest] of manifests) {
    if (!asksForTheSame(seen.get(key), manifest)) keys.add(key);
    if (manifest.outputReferences.length > 0) referring.push(manifest);
  }
  addReferring(keys, referring, pass);
  for (const key of seen.keys()) if (!manifests.has(key)) keys.add(key);
  // A rename that did not go through yet is known to ledger and platform under its former name.
  for (const key of new Set(keys)) for (const old of manifests.get(key)?.renamedFrom ?? []) keys.add(old);
  // Who has a role is known from all grants only, and a role is narrowed or deleted with regard to them.
  const roles = [...keys].some((key) => key.startsWith('AccessRole/'));
  return keys.size > MOST || roles ? undefined : keys;
}

/** What uses an output of something that is looked at, or one that changed elsewhere, is looked at too. */
function addReferring(keys: Set<Key>, referring: readonly Manifest[], { others, platform }: Pass): void {
  for (let more = true; more;) {
    more = false;
    for (const manifest of referring) {
      const { key, outputReferences } = manifest;
      if (keys.has(key)) continue;
      const affected = outputReferences.some((reference) =>
        isOwn(manifest, reference, platform) ? keys.has(reference.key) : others?.changed(key, reference),
      );
      if (!affected) continue;
      keys.add(key);
      more = true;
    }
  }
}

/** An unchanged manifest is nearly always the same object as before: thousands are not looked up by their stamps for one commit. */
function asksForTheSame(before: Manifest | undefined, manifest: Manifest): boolean {
  return before === manifest || (before !== undefined && stampOf(before) === stampOf(manifest));
}
