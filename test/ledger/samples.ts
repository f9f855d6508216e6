import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveEntry } from '../../src/apply/journal.ts';
import type { Key } from '../../src/manifest/manifest.ts';
import type { Intent, Owned } from '../../src/plan/types.ts';

/** A folder of its own per test, removed after it. */
export function stateDirectories(): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
  });
  return () => {
    const directory = mkdtempSync(join(tmpdir(), 'plumbline-ledger-'));
    made.push(directory);
    return directory;
  };
}

export const SCOPE = { sync: 'orders', platform: 'automation' };

export function owned(key: Key, more: Partial<Owned> = {}): Owned {
  return {
    key,
    remote: `remote-of-${key}`,
    title: `Title of ${key}`,
    fingerprint: 'f1',
    secretHashes: {},
    how: 'created',
    dependsOn: [],
    file: 'orders.yaml',
    revision: 'r1',
    allowDataLoss: false,
    ...more,
  };
}

export function intent(id: string, more: Partial<Intent> = {}): Intent {
  return { id, verb: 'create', key: 'Workflow/orders', title: 'Orders', since: 1000, ...more };
}

export function copy(key: Key, value: ArchiveEntry['value'], more: Partial<ArchiveEntry> = {}): ArchiveEntry {
  return { key, kind: 'Workflow', remote: 'r-1', title: 'Orders', value, reason: 'drift', revision: 'r1', ...more };
}
