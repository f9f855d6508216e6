import type { Problem } from '../errors.ts';
import type { Doc } from './document.ts';
import type { JsonValue, Kind } from './manifest.ts';
import { foldName, slug } from './slug.ts';

/** What a file with manifests turned out to say. */
export interface Reading {
  readonly docs: Doc[];
  /** Definitions that stand inside a manifest, to be looked into while they are at hand. */
  readonly inline: Map<Doc, JsonValue>;
  readonly problems: Problem[];
  readonly unknownKeys: Set<string>;
  readonly unknownKinds: Set<Kind>;
}

export function emptyReading(): Reading {
  return { docs: [], inline: new Map(), problems: [], unknownKeys: new Set(), unknownKinds: new Set() };
}

/** A broken document concerns the object that it names, in every spelling that may have been meant. */
export function noteUnknown(reading: Pick<Reading, 'unknownKeys'>, kind: Kind, name: string): void {
  for (const spelling of [name, foldName(name), slug(name)]) reading.unknownKeys.add(`${kind}/${spelling}`);
}
