import { pointerOf } from './pointer.ts';

/** Where a value and its name stand in a text; 1-based. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Place of the name, for fields; else of the value. */
  readonly keyLine: number;
  readonly keyColumn: number;
}

/**
 * Places by JSON pointer, as one text: 10,000 documents keep theirs between loads, and a text is a tenth of a map.
 * Read only when there is something to point at.
 */
export type PackedPlaces = string;

export function packPlaces(places: ReadonlyMap<string, Place>): PackedPlaces {
  const rows: string[] = [];
  for (const [pointer, place] of places) {
    // A name may hold a line break or a tab; such a place is found through its parent.
    if (/[\t\n]/.test(pointer)) continue;
    rows.push(`${pointer}\t${place.line}:${place.column}:${place.keyLine}:${place.keyColumn}`);
  }
  // Joined at once: a text that grows by pieces stays a tree of them in memory.
  return rows.join('\n');
}

export function unpackPlaces(packed: PackedPlaces): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const row of packed.split('\n')) {
    const tab = row.indexOf('\t');
    if (tab < 0) continue;
    const [line = 1, column = 1, keyLine = 1, keyColumn = 1] = row
      .slice(tab + 1)
      .split(':')
      .map(Number);
    places.set(row.slice(0, tab), { line, column, keyLine, keyColumn });
  }
  return places;
}

/** The place of a path, or of the nearest thing around it that has one; `exact` tells which. */
export function findPlace(
  places: ReadonlyMap<string, Place>,
  path: readonly PropertyKey[],
): { readonly place: Place; readonly depth: number } | undefined {
  for (let depth = path.length; depth >= 0; depth--) {
    const place = places.get(pointerOf(path.slice(0, depth)));
    if (place !== undefined) return { place, depth };
  }
  return undefined;
}
