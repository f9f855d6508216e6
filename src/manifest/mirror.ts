import { createHash } from 'node:crypto';
import type { JsonObject } from './manifest.ts';
import { hashedSlug, NAME_PATTERN } from './slug.ts';

/** Most characters of a name in a cluster. */
const LONGEST = 253;
/** Longest text in a mirror. */
export const MIRROR_TEXT = 1024;
const LABEL = NAME_PATTERN.source.slice(1, -1);

/** What a mirror shows: one object of a Sync on a Platform, by the names that they have in the cluster. */
export interface Mirrored {
  readonly name: string;
  readonly sync: string;
  readonly platform: string;
  /** Where that is not the namespace of the Sync. */
  readonly platformNamespace?: string;
}

/**
 * `orders.shop.automation`: the object, the Sync, the Platform, and its namespace where that is another one. None of them has a dot, so that no two
 * mirrors are called the same; and no object that somebody wrote is called so, for its name has none either.
 */
export function mirrorName({ name, sync, platform, platformNamespace }: Mirrored): string {
  const label = NAME_PATTERN.test(name) ? name : hashedSlug(name);
  const parts = [label, sync, platform, ...(platformNamespace === undefined ? [] : [platformNamespace])];
  const whole = parts.join('.');
  if (whole.length <= LONGEST) return whole;
  // Of five parts, so that it is none of the others.
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 16);
  return [label, sync, hash, 'x', 'x'].join('.');
}

/** The Sync and the Platform of a mirror, by its name, which nobody can edit; undefined of a name that is too long to tell. */
export function mirroredIn(name: string): Mirrored | undefined {
  const [label, sync, platform, platformNamespace, ...more] = name.split('.');
  if (label === undefined || sync === undefined || platform === undefined || more.length > 0) return undefined;
  return { name: label, sync, platform, ...(platformNamespace === undefined ? {} : { platformNamespace }) };
}

/** Names of objects of desired state: a label, or labels with dots between them, which is a mirror's. */
export const MIRROR_PATTERN = `^${LABEL}([.]${LABEL})*$`;

export const MIRROR_NAME: JsonObject = {
  type: 'string',
  maxLength: LONGEST,
  pattern: MIRROR_PATTERN,
  description: 'A DNS label of at most 63 characters; only mirrors have dots in their names.',
};

/** Field of an object that is a mirror, instead of its `spec`. */
export const MIRROR_SCHEMA: JsonObject = {
  type: 'object',
  description:
    'What this object shows, where it is a mirror: written by Plumbline for a Sync with spec.mirror, never read, and set right when it is edited. It has no spec.',
  required: ['name', 'title', 'sync', 'platform'],
  properties: {
    name: text('Name of the object in its source.'),
    title: text('What people see on the platform.'),
    sync: text('The Sync that it belongs to.'),
    platform: text('The Platform on which it stands.'),
    platformNamespace: text('Namespace of the Platform where it is another one.'),
  },
};

/** A spec or a mirror, and the name of what it is. */
export function mirrorRules(needsSpec: boolean): readonly JsonObject[] {
  const rule = needsSpec ? 'has(self.spec) != has(self.mirror)' : '!(has(self.spec) && has(self.mirror))';
  return [
    { rule, message: 'Give spec, and no mirror: Plumbline writes those, of what Syncs read from git.' },
    {
      rule: "has(self.mirror) == self.metadata.name.contains('.')",
      message: 'metadata.name has to be a DNS label without dots: only mirrors have them, which Plumbline writes.',
    },
  ];
}

function text(description: string): JsonObject {
  return { type: 'string', maxLength: MIRROR_TEXT, description };
}
