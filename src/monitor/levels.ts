import type { RegisteredServiceLevel } from '../drivers/service-level-register.ts';
import type { Series } from '../ledger/tallies.ts';
import { objectivesOf } from './objective.ts';
import type { Objective } from './objective.ts';

/** A service level in force, and what it is measured on. */
export interface Level extends RegisteredServiceLevel {
  readonly parsed: readonly Objective[];
  /** Names of the objects that are measured, each by itself. */
  readonly measured: readonly string[];
}

/** A platform as the configuration has it. */
export interface KnownPlatform {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What stands in place of objects for which there was no room. */
export const OTHER = '_other';

/** The service levels of platforms that are configured. */
export function levelsOf(
  registered: readonly RegisteredServiceLevel[],
  platforms: readonly KnownPlatform[],
): readonly Level[] {
  const known = new Map(platforms.map((platform) => [platform.name, platform]));
  return registered.flatMap((level): Level[] => {
    const platform = known.get(level.platform);
    return platform === undefined
      ? []
      : [{ ...level, parsed: objectivesOf(level.spec), measured: measuredOf(level, platform) }];
  });
}

function measuredOf({ spec }: RegisteredServiceLevel, { name, labels }: KnownPlatform): readonly string[] {
  const { kind, names, matchLabels = {} } = spec.selector;
  if (kind !== 'Platform') return spec.objects;
  const meant = names === undefined || names.includes(name);
  return meant && Object.entries(matchLabels).every(([label, value]) => labels[label] === value) ? [name] : [];
}

/** One series with what it belongs to. */
export interface Placed extends Series {
  readonly of: Level;
  readonly measures: Objective;
  /** The objects that are counted under it: one, or those for which there was no room. */
  readonly objects: readonly string[];
}

/**
 * What is counted by itself: each objective for each object, as far as `room` series per platform go. What is beyond that is
 * counted together, under `_other` of its service level.
 */
export function seriesOf(levels: readonly Level[], room: number): readonly Placed[] {
  const left = new Map<string, number>();
  return levels.flatMap((level) => {
    const { platform, name } = level;
    return level.parsed.flatMap((objective): Placed[] => {
      const free = left.get(platform) ?? room;
      const alone = level.measured.slice(0, free);
      const folded = level.measured.slice(free);
      left.set(platform, free - alone.length);
      const place = (object: string, objects: readonly string[]): Placed => ({
        platform,
        level: name,
        objective: objective.name,
        bound: objective.bound,
        object,
        of: level,
        measures: objective,
        objects,
      });
      return [
        ...alone.map((object) => place(object, [object])),
        ...(folded.length === 0 ? [] : [place(OTHER, folded)]),
      ];
    });
  });
}

/** The Sync that a service level came from. */
export function syncOf({ marker, changedBy }: RegisteredServiceLevel): string {
  const owner = marker?.owner ?? changedBy;
  return owner.slice(owner.indexOf('/') + 1);
}
