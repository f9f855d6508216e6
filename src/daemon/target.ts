import type { DefinitionFormat } from '../manifest/manifest.ts';
import type { Select } from '../manifest/desired.ts';
import { ManifestLoader } from '../manifest/load.ts';
import type { Sync } from '../manifest/sync.ts';
import type { Terms } from '../plan/terms.ts';
import type { Window } from '../policy/windows.ts';
import { PassMemory } from '../reconcile/memory.ts';
import type { SecretScope } from '../secrets/secrets.ts';
import type { Snapshot, Source } from '../source/source.ts';
import type { Place } from './queue.ts';
import { NOTHING, laneOf } from './sources.ts';
import { retiredTerms, secretScopeOf, targetKey, termsOf, windowsOf } from './targets.ts';
import type { TargetName } from './targets.ts';

/** When passes of a target come, in milliseconds. */
interface Pace {
  readonly interval: number;
  readonly retryInterval: number;
  readonly timeout: number;
  readonly gracePeriod: number;
}

/** One Sync on one Platform with what its passes need, and what is remembered between them. */
export interface Target extends TargetName {
  readonly place: Place;
  readonly source: Source;
  readonly loader: ManifestLoader;
  readonly terms: Terms;
  readonly windows: readonly Window[];
  readonly secretScope: SecretScope;
  readonly pace: Pace;
  readonly dependsOn: readonly string[];
  /** Syncs whose objects its manifests may refer to. */
  readonly references: readonly string[];
  /** Suspended by its own configuration. */
  readonly suspend: boolean;
  /** What its Integrations may run; nothing when absent. */
  readonly code?: Sync['spec']['code'];
  readonly memory: PassMemory;
  readonly progress: Progress;
}

interface Progress {
  /** Failures in a row. */
  attempt: number;
  /** When everything is to be looked at again; milliseconds since 1970. */
  nextLook: number;
  /** A pass has ended, however. */
  attempted: boolean;
  /** A pass has ended with everything in order. */
  succeeded: boolean;
  /** The source as it was read for the pass that is about to run. */
  reading?: Promise<Snapshot>;
}

export interface TargetParts {
  readonly installation: string;
  readonly formats: readonly DefinitionFormat[];
  readonly defaultFormat: string;
}

export function targetOf(sync: Sync, platform: string, source: Source, parts: TargetParts): Target {
  const { spec, metadata } = sync;
  const name = { sync: metadata.name, platform };
  const secretScope = secretScopeOf(sync);
  return {
    ...name,
    place: { key: targetKey(name), group: platform, lane: laneOf(sync) },
    source,
    loader: new ManifestLoader({
      formats: parts.formats,
      defaultFormat: parts.defaultFormat,
      overlays: spec.overlays,
      variables: spec.variables,
      select: selectOf(sync),
      secretScope,
      platform,
    }),
    terms: termsOf(sync, parts.installation),
    windows: windowsOf(sync),
    secretScope,
    pace: {
      interval: spec.interval,
      retryInterval: spec.retryInterval,
      timeout: spec.timeout,
      gracePeriod: spec.gracePeriod,
    },
    dependsOn: spec.dependsOn,
    references: spec.references,
    suspend: spec.suspend,
    ...(spec.code === undefined ? {} : { code: spec.code }),
    memory: new PassMemory(),
    progress: { attempt: 0, nextLook: 0, attempted: false, succeeded: false },
  };
}

function selectOf({ spec }: Sync): Select {
  const { kinds, matchLabels } = spec.select;
  return { matchLabels, ...(kinds === undefined ? {} : { kinds }) };
}

const RETIRING: Pace = { interval: 300_000, retryInterval: 30_000, timeout: 300_000, gracePeriod: 0 };

/** A Sync that is gone and still owns something: its passes release or delete that, until nothing is left. */
export function retiringTarget(name: TargetName, policy: 'Orphan' | 'Delete', parts: TargetParts): Target {
  const { formats, defaultFormat, installation } = parts;
  return {
    ...name,
    place: { key: targetKey(name), group: name.platform, lane: 'nothing' },
    source: NOTHING,
    loader: new ManifestLoader({ formats, defaultFormat }),
    terms: retiredTerms(name.sync, policy, installation),
    windows: [],
    secretScope: { kind: 'source', env: [] },
    pace: RETIRING,
    dependsOn: [],
    references: [],
    suspend: false,
    memory: new PassMemory(),
    progress: { attempt: 0, nextLook: 0, attempted: true, succeeded: true },
  };
}
