import type { Driver } from '../../../src/drivers/driver.ts';
import type { Dialect } from './changes.ts';

/** How a child process finds the platform: plain data. */
export interface Reach {
  readonly terrain: 'directus' | 'mint' | 'node-red' | 'n8n';
  readonly url: string;
  readonly secret: string;
}

/** A write that reached the platform. */
export interface Write {
  readonly what: 'create' | 'change' | 'remove';
  readonly object: string;
}

/** A platform on which passes are killed. */
export interface Terrain extends AsyncDisposable {
  readonly dialect: Dialect;
  readonly url: string;
  /** Reaches the platform under another URL, such as a proxy's. */
  reach(url: string): Reach;
  /** All that stands on the platform, ids replaced by what they mean, secrets included: equal when all is equal. */
  picture(): Promise<readonly string[]>;
  /** Takes a copy of everything, and puts it back. */
  save(): Promise<string>;
  restore(saved: string): Promise<void>;
  /** Writes since the last call, as the platform counted them. */
  takeWrites(): Promise<readonly Write[]>;
  /** Objects that a title may have at most one of; those that hold secrets may be written once more. */
  holdsSecrets(object: string): boolean;
}

export type Connect = (reach: Reach) => Driver;

/** What people see of two states: what came, what changed, what went. */
export function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly Write[] {
  const written = [...after].flatMap(([object, text]): Write[] => {
    const old = before.get(object);
    if (old === text) return [];
    return [{ what: old === undefined ? 'create' : 'change', object }];
  });
  const removed = [...before.keys()].flatMap((object): Write[] =>
    after.has(object) ? [] : [{ what: 'remove', object }],
  );
  return [...written, ...removed];
}
