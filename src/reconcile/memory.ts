import type { Outputs } from '../manifest/output-reference.ts';
import { hash } from 'node:crypto';
import type { Facts } from '../drivers/driver.ts';
import type { Desired, Key, Manifest } from '../manifest/manifest.ts';

import { canonicalJson } from '../manifest/canonical.ts';
import type { Notice } from '../plan/types.ts';

/** What normalising one manifest gave, so that a quiet pass need not read a single definition. */
export interface Normal {
  /** Stamp of the manifest that was normalised, and of the values that it was given. */
  readonly manifest: string;
  /** Of its normal form. */
  readonly fingerprint: string;
  /** The manifest leaves open whether the workflow is active. */
  readonly leavesActive: boolean;
  readonly exclusive: boolean;
  /** An Integration that is nothing but code. */
  readonly isCode?: true;
  readonly lock?: string;
  /** Hashes of what the platform shows to nobody, by name (`Driver.writeOnly`). */
  readonly hidden: Readonly<Record<string, string>>;
  readonly expiresAt?: number;
  readonly outputs?: Outputs;
}

/** Manifests never change, and an unchanged one is the same object in the next load: 10,000 are not hashed again for one commit. */
const stamps = new WeakMap<Manifest, string>();

/**
 * Equal exactly when two readings of a manifest ask for the same: its fingerprint names the content, and what stands beside
 * the content (annotations, ignored fields, former names, the file) steers a pass just as well.
 */
export function stampOf(manifest: Manifest): string {
  const known = stamps.get(manifest);
  if (known !== undefined) return known;
  const { fingerprint, title, annotations, ignoreFields, renamedFrom, dependsOn, origin } = manifest;
  const beside = [title, canonicalJson(annotations), ignoreFields, renamedFrom, dependsOn, origin.file];
  const stamp = hash('sha256', `${fingerprint}${JSON.stringify(beside)}`, 'base64');
  stamps.set(manifest, stamp);
  return stamp;
}

/**
 * What one Sync on one Platform remembers from pass to pass. Losing it costs time, never correctness: the next pass
 * looks at everything.
 */
export class PassMemory {
  readonly normal = new Map<Key, Normal>();
  /** What the platform said of itself last. */
  facts: Facts | undefined;
  /** The manifests that the last finished pass saw; undefined until a pass has looked at everything. */
  seen: ReadonlyMap<Key, Manifest> | undefined;
  /** What the source said last, whatever came of it. */
  desired: Desired | undefined;
  /** Keys that were not in order when the last pass ended: they are looked at again, whatever the next commit touches. */
  readonly unsettled = new Set<Key>();

  /** What is yet to be supplied for objects, as the last finished pass knew it. */
  supplies: ReadonlyMap<Key, readonly Notice[]> = new Map();

  /** What one manifest came to is found out anew, whatever it says. */
  forgetNormal(key: Key): void {
    this.normal.delete(key);
    this.forget();
  }

  /** After an error: the next pass looks at everything again. */
  forget(): void {
    this.facts = undefined;
    this.seen = undefined;
  }
}
