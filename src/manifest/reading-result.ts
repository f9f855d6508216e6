import type { Problem } from '../errors.ts';
import type { Doc } from './doc.ts';
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

const NO_INLINE: Reading['inline'] = new Map();
const NO_KEYS: Reading['unknownKeys'] = new Set();
const NO_KINDS: Reading['unknownKinds'] = new Set();
const NO_PROBLEMS: Problem[] = [];

/** What a file without manifests says. Shared by all of them: never written to. */
export const NO_READING: Reading = {
  docs: [],
  inline: NO_INLINE,
  problems: NO_PROBLEMS,
  unknownKeys: NO_KEYS,
  unknownKinds: NO_KINDS,
};

/** What stays of a reading between loads: no definitions, and nothing empty of its own. */
export function trim({ docs, problems, unknownKeys, unknownKinds }: Reading): Reading {
  return {
    docs,
    inline: NO_INLINE,
    problems: problems.length === 0 ? NO_PROBLEMS : problems,
    unknownKeys: unknownKeys.size === 0 ? NO_KEYS : unknownKeys,
    unknownKinds: unknownKinds.size === 0 ? NO_KINDS : unknownKinds,
  };
}

export function emptyReading(): Reading {
  return { docs: [], inline: new Map(), problems: [], unknownKeys: new Set(), unknownKinds: new Set() };
}

/** A broken document concerns the object that it names, in every spelling that may have been meant. */
export function noteUnknown(reading: Pick<Reading, 'unknownKeys'>, kind: Kind, name: string): void {
  for (const spelling of [name, foldName(name), slug(name)]) reading.unknownKeys.add(`${kind}/${spelling}`);
}
