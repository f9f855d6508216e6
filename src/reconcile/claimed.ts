import type { Problem } from '../errors.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { LedgerView, Owner } from '../plan/types.ts';

/**
 * Manifests whose key another Sync of this installation owns on this platform: one key has one owner, whatever the
 * objects are called and whether they could carry a marker. A manifest that names that owner as the one to take over
 * from is no second claim.
 */
export function claimedTwice(
  manifests: readonly Manifest[],
  view: LedgerView,
  { owner, platform }: { readonly owner: Owner; readonly platform: string },
): { readonly free: readonly Manifest[]; readonly problems: readonly Problem[] } {
  const { keysOfOthers } = view;
  if (keysOfOthers === undefined || keysOfOthers.size === 0) return { free: manifests, problems: [] };
  const installation = owner.slice(0, owner.indexOf('/'));
  const free: Manifest[] = [];
  const problems: Problem[] = [];
  for (const manifest of manifests) {
    const { key, origin, annotations } = manifest;
    const other = view.owned.has(key) ? undefined : keysOfOthers.get(key);
    const from = other === undefined ? undefined : `${installation}/${other.sync}`;
    if (other === undefined || annotations['plumbline.dev/adopt-from'] === from) free.push(manifest);
    else {
      const file = other.file === '' ? '' : ` (from ${other.file})`;
      problems.push({
        origin,
        key,
        severity: 'error',
        message: `${key} belongs to the Sync ${other.sync} on ${platform} already${file}, and one object has one owner; this manifest is left aside.`,
        remedy: `Take it out of one of the two Syncs, or give this one another name. To take the object over, annotate this manifest with "plumbline.dev/adopt-from: ${from}".`,
      });
    }
  }
  return { free, problems };
}
