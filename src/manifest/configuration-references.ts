import type { Problem } from '../errors.ts';
import type { Configured } from './configured.ts';
import type { Platform } from './platform.ts';
import type { Plugin } from './plugin.ts';
import { didYouMean } from './suggest.ts';
import type { Sync } from './sync.ts';

interface Checking {
  readonly platforms: ReadonlyMap<string, Configured<Platform>>;
  readonly problems: Problem[];
}

/** Takes out Syncs whose platform or dependencies do not hold, and tells why. */
export function checkSyncs({
  platforms,
  syncs,
  problems,
}: Checking & { readonly syncs: Map<string, Configured<Sync>> }): void {
  const all = new Map(syncs);
  for (const [own, { document, at }] of all) {
    const refuse = (path: readonly PropertyKey[], message: string, remedy: string): void => {
      problems.push({ origin: at(path), message, remedy, severity: 'error', key: `Sync/${own}` });
      syncs.delete(own);
    };
    const { platform, platformSelector, dependsOn, references } = document.spec;
    if (platform !== undefined && !platforms.has(platform)) {
      refuse(
        ['spec', 'platform'],
        `spec.platform refers to Platform/${platform}, which is not configured or has a problem itself.`,
        didYouMean(platform, platforms.keys(), 'Add it, or correct the name.'),
      );
    }
    if (platformSelector !== undefined && selectPlatforms(platforms, platformSelector.matchLabels).length === 0) {
      refuse(
        ['spec', 'platformSelector'],
        'spec.platformSelector matches no Platform.',
        'Label a Platform so, or correct the labels.',
      );
    }
    for (const [index, name] of references.entries()) {
      const path = ['spec', 'references', index];
      if (name === own)
        refuse(path, 'spec.references names the Sync itself.', 'Remove it: its own objects always may be.');
      else if (!all.has(name))
        refuse(
          path,
          `spec.references refers to Sync/${name}, which is not configured or has a problem itself.`,
          didYouMean(name, all.keys(), 'Add it, or correct the name.'),
        );
    }
    for (const [index, name] of dependsOn.entries()) {
      const path = ['spec', 'dependsOn', index];
      if (!all.has(name))
        refuse(
          path,
          `spec.dependsOn refers to Sync/${name}, which is not configured or has a problem itself.`,
          didYouMean(name, all.keys(), 'Add it, or correct the name.'),
        );
      else if (reaches(all, name, own))
        refuse(path, `Sync/${own} and Sync/${name} wait for each other.`, 'Remove one of the two dependsOn.');
    }
  }
}

/** Takes out Plugins that name a platform which is not there, and tells which. */
export function checkPlugins({
  platforms,
  plugins,
  problems,
}: Checking & { readonly plugins: Map<string, Configured<Plugin>> }): void {
  for (const [own, { document, at }] of plugins) {
    for (const [index, platform] of (document.spec.platforms ?? []).entries()) {
      if (platforms.has(platform)) continue;
      problems.push({
        origin: at(['spec', 'platforms', index]),
        message: `spec.platforms refers to Platform/${platform}, which is not configured or has a problem itself.`,
        remedy: didYouMean(platform, platforms.keys(), 'Add it, or correct the name.'),
        severity: 'error',
        key: `Plugin/${own}`,
      });
      plugins.delete(own);
    }
  }
}

/** Names of the Platforms that carry all of these labels, sorted. */
function selectPlatforms(
  platforms: ReadonlyMap<string, Configured<Platform>>,
  labels: Readonly<Record<string, string>>,
): readonly string[] {
  const matches = ({ document }: Configured<Platform>): boolean =>
    Object.entries(labels).every(([name, value]) => document.metadata.labels[name] === value);
  return [...platforms]
    .filter(([, platform]) => matches(platform))
    .map(([name]) => name)
    .sort();
}

function reaches(syncs: ReadonlyMap<string, Configured<Sync>>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(syncs.get(name)?.document.spec.dependsOn ?? []));
  }
  return false;
}
