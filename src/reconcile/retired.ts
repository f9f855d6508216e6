import { ReconcilerError } from '../errors.ts';
import type { Desired } from '../manifest/manifest.ts';
import type { Snapshot } from '../source/source.ts';

const REVISION = 'retired';

/** What a Sync that goes away wants. Its source is not asked any more: it may be gone already, or broken. */
export const NO_SNAPSHOT: Snapshot = {
  revision: REVISION,
  files: [],
  problems: [],
  // eslint-disable-next-line require-yield
  async *read([path = '']) {
    throw new ReconcilerError(`${path} is not read for a Sync that is going away`, 'never', { code: 'no-such-file' });
  },
  lastCommits: () => Promise.resolve(new Map()),
};

export const NO_MANIFESTS: Desired = {
  revision: REVISION,
  manifests: new Map(),
  problems: [],
  unknown: { keys: new Set(), kinds: new Set() },
};
