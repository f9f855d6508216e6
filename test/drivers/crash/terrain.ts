import type { Driver } from '../../../src/drivers/driver.ts';
import type { Dialect } from './changes.ts';

/** How a child process finds the platform: plain data. */
export interface Reach {
  readonly terrain: 'mint' | 'node-red';
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
