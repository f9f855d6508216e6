import { namespaceOf } from '../manifest/cluster-name.ts';
import { KINDS } from '../manifest/manifest.ts';
import type { Platform } from '../manifest/platform.ts';
import type { Sync } from '../manifest/sync.ts';
import type { Owner } from '../plan/types.ts';
import type { Terms } from '../plan/terms.ts';
import type { Window } from '../policy/windows.ts';
import type { SecretScope } from '../secrets/secrets.ts';

/** One Sync on one Platform: what a pass is about. */
export interface TargetName {
  readonly sync: string;
  readonly platform: string;
}

/** What names a target in the queue. */
export function targetKey({ sync, platform }: TargetName): string {
  return `${sync} on ${platform}`;
}

/** The platforms that a Sync names, by name or by label, sorted. */
export function platformsOf(sync: Sync, platforms: ReadonlyMap<string, Platform>): readonly string[] {
  const { platform, platformSelector } = sync.spec;
  if (platform !== undefined) return [platform];
  const wanted = Object.entries(platformSelector?.matchLabels ?? {});
  const from = namespaceOf(sync.metadata.name);
  const home = sync.spec.platformNamespace ?? from;
  return [...platforms]
    .filter(([name]) => namespaceOf(name) === home)
    .filter(
      ([, { spec }]) => home === from || (spec.allowedNamespaces ?? []).some((one) => one === '*' || one === from),
    )
    .filter(([, { metadata }]) => wanted.every(([label, value]) => metadata.labels?.[label] === value))
    .map(([name]) => name)
    .toSorted();
}

/** The terms that a Sync's settings amount to, before anybody approves anything. */
export function termsOf({ metadata, spec }: Sync, installation: string): Terms {
  const owner = (name: string): Owner => `${installation}/${name}`;
  return {
    owner: owner(metadata.name),
    previousOwners: spec.previousNames.map(owner),
    ...(spec.drift === undefined ? {} : { drift: spec.drift }),
    gracePeriod: spec.gracePeriod,
    adopt: spec.adopt,
    prune: spec.prune,
    exclusive: spec.exclusive,
    kinds: spec.select.kinds ?? KINDS,
    release: [],
    approvals: {},
  };
}

/** The terms on which a Sync that is gone gives up what it owns. */
export function retiredTerms(sync: string, policy: 'Orphan' | 'Delete', installation: string): Terms {
  return {
    owner: `${installation}/${sync}`,
    previousOwners: [],
    gracePeriod: 0,
    adopt: 'refuse',
    // The person who removed the Sync has decided; a cap would leave a part of it behind that nobody looks after.
    prune: { enabled: true, maxDeletions: { percent: 100 }, maxRevocations: { percent: 100 } },
    exclusive: false,
    kinds: KINDS,
    retire: policy,
    release: [],
    approvals: {},
  };
}

export function windowsOf({ spec }: Sync): readonly Window[] {
  return spec.windows.map(({ allow, deny, duration, timeZone }) => ({
    effect: deny === undefined ? 'allow' : 'deny',
    schedule: deny ?? allow ?? '',
    duration,
    timeZone,
  }));
}

/** What manifests of this Sync's source may refer to. */
export function secretScopeOf({ metadata, spec }: Sync): SecretScope {
  const { env, dir, names } = spec.secrets;
  const namespace = namespaceOf(metadata.name);
  if (namespace === undefined) return { kind: 'source', env, ...(dir === undefined ? {} : { dir }) };
  const allowed = names ?? (spec.source.cluster === undefined ? [] : ['*']);
  return { kind: 'source', env: [], cluster: { namespace, names: allowed } };
}

/** What a Platform or Sync itself may refer to. */
export function ownScopeOf(name: string, baseDir: string): SecretScope {
  const namespace = namespaceOf(name);
  return namespace === undefined ? { kind: 'configuration', baseDir } : { kind: 'namespace', namespace };
}
