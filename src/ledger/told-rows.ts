import type { Key } from '../manifest/manifest.ts';
import { SUCCEEDED } from './shared-rows.ts';
import type { SharedRows } from './shared-rows.ts';

/** What a part of an inventory tells of a Sync on a Platform to those who do not write there. */
export interface ToldRows {
  /** Outputs of what is owned there, by key. */
  readonly outputs: ReadonlyMap<Key, Readonly<Record<string, string>>>;
  /** Syncs of which a pass has succeeded on the Platform, each with what stood for its settings then. */
  readonly succeeded: ReadonlyMap<string, string>;
}

/** Reads the text of a part; nothing is told by what cannot be read. */
export function toldIn(text: string): ToldRows {
  const { output = [], cursor = [] } = rowsIn(text);
  const succeeded = cursor.flatMap(([name, value]) => {
    const [, sync] = SUCCEEDED.exec(String(name)) ?? [];
    return sync === undefined ? [] : [[sync, String(value)] as const];
  });
  return { outputs: new Map(output.flatMap(([, , key, told]) => outputsIn(key, told))), succeeded: new Map(succeeded) };
}

function outputsIn(key: unknown, told: unknown): (readonly [Key, Readonly<Record<string, string>>])[] {
  if (typeof key !== 'string' || typeof told !== 'string') return [];
  return [[key as Key, JSON.parse(told) as Readonly<Record<string, string>>]];
}

function rowsIn(text: string): SharedRows {
  try {
    return JSON.parse(text) as SharedRows;
  } catch {
    return {};
  }
}
