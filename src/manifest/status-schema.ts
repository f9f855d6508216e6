import type { JsonObject } from './manifest.ts';
import type { AnyKind } from './schemas.ts';

/** Entries of each list in a status: what one object may hold is bounded, the counts are whole. */
export const STATUS_LIMITS = {
  problems: 20,
  withheld: 20,
  supply: 20,
  inventory: 100,
  history: 10,
  platforms: 50,
  syncs: 50,
} as const;

const CONDITIONS: JsonObject = {
  type: 'array',
  maxItems: 8,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  description:
    'Ready says whether all is as it is meant. Reconciling is there while Plumbline goes on by itself, Stalled while it cannot without a person; each is left out otherwise.',
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: text(63, 'Ready, Reconciling or Stalled; of a Sync with spec.mirror also Mirrored.'),
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: text(128, 'One word, for programs.'),
      message: text(32_768, 'What is the case, and what to do.'),
      lastTransitionTime: { type: 'string', format: 'date-time' },
      observedGeneration: { type: 'integer', description: 'Generation of the object that this was said of.' },
    },
  },
};

const COMMON = {
  observedGeneration: { type: 'integer', description: 'Generation of the object that the status was made of.' },
  conditions: CONDITIONS,
};

const COUNTS: JsonObject = {
  type: 'object',
  description: 'How many objects, over all platforms.',
  properties: {
    owned: count('That it owns.'),
    changed: count('Changed by the last pass that changed anything.'),
    drifted: count('That differ on the platform.'),
    withheld: count('Changes that are withheld.'),
    problems: count('Problems in the source.'),
    supply: count('Things that a person has to supply on the platform.'),
  },
};

const PROBLEM: JsonObject = {
  origin: text(4096, 'File, line and column, or namespace, kind and name.'),
  severity: text(16, 'error or warning.'),
  key: text(512, 'The object concerned.'),
  message: text(8192, 'What is wrong.'),
  remedy: text(8192, 'What to do.'),
};
const WITHHELD: JsonObject = {
  platform: text(512, 'On which platform.'),
  key: text(512, 'The object concerned.'),
  verb: text(32, 'What would be done with it.'),
  code: text(64, 'Why, for programs.'),
  because: text(8192, 'Why.'),
  remedy: text(8192, 'What to do.'),
};
const SUPPLY: JsonObject = {
  platform: text(512, 'On which platform.'),
  key: text(512, 'The object concerned.'),
  origin: text(4096, 'Where it was written.'),
  message: text(8192, 'What is missing.'),
  remedy: text(8192, 'What to do.'),
};
const INVENTORY: JsonObject = {
  platform: text(512, 'On which platform.'),
  key: text(512, 'Kind and name.'),
  remote: text(1024, "The platform's id."),
  title: text(4096, 'What people see.'),
  how: text(16, 'created or adopted.'),
  revision: text(256, 'Revision at which it was last written.'),
  driftSince: { type: 'string', format: 'date-time' },
  held: { type: 'boolean', description: 'Left alone as it is.' },
};
const HISTORY: JsonObject = {
  platform: text(512, 'On which platform.'),
  revision: text(256, 'What was applied.'),
  at: { type: 'string', format: 'date-time' },
  result: text(32, 'How it ended.'),
  changed: count('Changes applied.'),
  failed: count('Changes that failed.'),
};
const PLATFORM: JsonObject = {
  platform: text(512, 'The platform.'),
  revision: text(256, 'What was last read.'),
  lastChange: { type: 'string', format: 'date-time' },
  lastSuccess: { type: 'string', format: 'date-time' },
  ready: { type: 'string', enum: ['True', 'False', 'Unknown'] },
  reason: text(128, 'One word, for programs.'),
  message: text(32_768, 'What is the case.'),
};

const OF_SYNC: JsonObject = {
  lastHandledReconcileAt: text(
    256,
    'Value of the annotation plumbline.dev/reconcile-requested-at that was last obeyed.',
  ),
  revision: text(256, 'What was last read of the source.'),
  lastChange: { type: 'string', format: 'date-time', description: 'When something was last changed on a platform.' },
  lastSuccess: { type: 'string', format: 'date-time', description: 'When a pass last ended with everything in order.' },
  counts: COUNTS,
  platforms: list(PLATFORM, STATUS_LIMITS.platforms, 'How it stands on each platform.'),
  problems: list(PROBLEM, STATUS_LIMITS.problems, 'What is wrong in the source; the counts have them all.'),
  withheld: list(WITHHELD, STATUS_LIMITS.withheld, 'Changes that are withheld; the counts have them all.'),
  supply: list(SUPPLY, STATUS_LIMITS.supply, 'What a person has to supply on the platform.'),
  inventory: list(
    INVENTORY,
    STATUS_LIMITS.inventory,
    'What it owns, the first of them by key; the counts have them all.',
  ),
  history: list(HISTORY, STATUS_LIMITS.history, 'The last passes that changed something, newest first.'),
};

const SYNC: JsonObject = {
  sync: text(512, 'Namespace and name.'),
  generation: { type: 'integer', description: 'Generation of the Sync that this was said of.' },
  state: text(16, 'ready, going-on, stalled or unknown.'),
  reason: text(128, 'One word, for programs.'),
  message: text(32_768, 'What is the case.'),
  revision: text(256, 'What was last read.'),
  lastChange: { type: 'string', format: 'date-time' },
  counts: COUNTS,
};

const OF_PLATFORM: JsonObject = {
  syncs: list(
    SYNC,
    STATUS_LIMITS.syncs,
    'How Syncs stand here whose own status another replica may write: those that select their Platforms.',
  ),
};

const OF_DESIRED: JsonObject = {
  sync: text(63, 'The Sync that applies it.'),
  platform: text(512, 'Where it is applied.'),
  remote: text(1024, "The platform's id."),
  revision: text(256, 'Revision at which it was last written.'),
};

const OF_CONFIGURATION: Readonly<Partial<Record<AnyKind, JsonObject>>> = {
  Sync: OF_SYNC,
  Platform: OF_PLATFORM,
  Plugin: {},
};

/** Schema of the `status` of a kind. */
export function statusSchema(kind: AnyKind): JsonObject {
  const own = OF_CONFIGURATION[kind] ?? OF_DESIRED;
  return { type: 'object', description: 'How it stands, written by Plumbline.', properties: { ...COMMON, ...own } };
}

function text(maxLength: number, description: string): JsonObject {
  return { type: 'string', maxLength, description };
}

function count(description: string): JsonObject {
  return { type: 'integer', minimum: 0, description };
}

function list(properties: JsonObject, maxItems: number, description: string): JsonObject {
  return {
    type: 'array',
    maxItems,
    description,
    'x-kubernetes-list-type': 'atomic',
    items: { type: 'object', properties },
  };
}
