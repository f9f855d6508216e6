import { createHash } from 'node:crypto';
import { contentHash } from '../../manifest/canonical.ts';
import type { JsonValue, Key } from '../../manifest/manifest.ts';
import type { Owner } from '../../plan/types.ts';

/** Namespace of every id that Plumbline chooses on a Directus (a UUIDv5 of `plumbline.dev/directus` in the URL namespace). */
const NAMESPACE = '8f0c1f0e-35f2-5a6d-9d0e-4a1c7f6f2b55';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether Directus could have such an id; anything else in a filter is an error on some databases. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A UUIDv5 (RFC 9562): equal for equal namespace and name. */
export function uuid(name: string, namespace: string = NAMESPACE): string {
  const space = Buffer.from(namespace.replaceAll('-', ''), 'hex');
  const hash = createHash('sha1').update(space).update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The id of an owner's object: a create that is sent twice makes one object. */
export function objectId(owner: Owner, key: Key): string {
  return uuid(`${owner}\n${key}`);
}

/**
 * Names the ids of a flow's operations after everything that hangs together in it. `resolve` and `reject` are UNIQUE
 * columns, so that a graph which is rewired in place collides with its own rows; a changed graph therefore gets new ids
 * throughout. `attempt` tells apart what a person left standing under ids of ours.
 */
export function operationIds(flow: string, operations: JsonValue, attempt = 0): (label: string) => string {
  const content = `${contentHash(operations)}${attempt === 0 ? '' : ` ${attempt}`}`;
  const known = new Map<string, string>();
  return (label) => {
    const id = known.get(label) ?? uuid(`${label}\n${content}`, flow);
    known.set(label, id);
    return id;
  };
}
