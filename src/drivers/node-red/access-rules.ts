import type { JsonObject } from '../../manifest/manifest.ts';
import { isObject, objects, strings } from './access-normalize.ts';

const PERMISSION = /^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_*-]+)*|\*\.[A-Za-z0-9_-]+)$/;

/**
 * What the portable verbs mean on Node-RED, which knows no parts: who may read or write flows may do so with all of them,
 * config nodes included, and whoever may change flows may run code on that machine.
 */
const PERMISSIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  workflow: { read: 'read', run: 'inject.write', create: 'flows.write', update: 'flows.write', delete: 'flows.write' },
  integration: { read: 'read', create: 'flows.write', update: 'flows.write', delete: 'flows.write' },
};

/** Why something cannot be put in force, and what to do; the shape of a `Refusal` without its key. */
export interface Obstacle {
  readonly because: string;
  readonly remedy: string;
}

/** Node-RED's permission strings for a role that `roleObstacle` lets pass, sorted. */
export function permissionsOf(role: JsonObject): readonly string[] {
  const portable = objects(role['permissions']).flatMap((permission) =>
    strings(permission['verbs']).flatMap((verb) => PERMISSIONS[targetOf(permission)]?.[verb] ?? []),
  );
  const native = isObject(role['native']) ? strings(role['native']['permissions']) : [];
  return [...new Set([...portable, ...native])].toSorted();
}

const targetOf = ({ on }: JsonObject): string => (typeof on === 'string' ? on : '');

/** The first reason why Node-RED cannot enforce a role exactly. */
export function roleObstacle(role: JsonObject): Obstacle | undefined {
  if (role['exclusive'] === true) {
    return {
      because: 'users of settings.js have their permissions without a role, so Node-RED cannot enforce exclusive: true',
      remedy: 'Remove exclusive.',
    };
  }
  for (const permission of objects(role['permissions'])) {
    const obstacle = permissionObstacle(permission);
    if (obstacle !== undefined) return obstacle;
  }
  return nativeObstacle(role['native']);
}

function permissionObstacle(permission: JsonObject): Obstacle | undefined {
  const on = targetOf(permission);
  const verbs = PERMISSIONS[on];
  if (on === 'data') {
    return {
      because: 'Node-RED keeps no records, so it has no permissions on data',
      remedy: 'Remove the permission on data.',
    };
  }
  if (verbs === undefined)
    return { because: `Node-RED knows no permission on ${on}`, remedy: 'Use on: workflow or on: integration.' };
  const narrow = ['collection', 'fields', 'where'].find((name) => permission[name] !== undefined);
  if (narrow !== undefined) {
    return {
      because: `Node-RED can enforce permissions on the whole instance only, not ${narrow}`,
      remedy: `Remove ${narrow}.`,
    };
  }
  const unknown = strings(permission['verbs']).find((verb) => verbs[verb] === undefined);
  if (unknown === undefined) return undefined;
  return {
    because: `Node-RED knows no permission to ${unknown} on ${on}`,
    remedy: `Use ${Object.keys(verbs).join(', ')}.`,
  };
}

function nativeObstacle(native: JsonObject[string] | undefined): Obstacle | undefined {
  const remedy = 'Write native: {permissions: [flows.read, …]} with the permissions of Node-RED.';
  if (native === undefined) return undefined;
  if (!isObject(native)) return { because: 'native is not an object', remedy };
  const other = Object.keys(native).find((name) => name !== 'permissions');
  if (other !== undefined) return { because: `Node-RED knows no native.${other}`, remedy };
  const listed = native['permissions'];
  const texts = strings(listed);
  if (listed !== undefined && (!Array.isArray(listed) || texts.length !== listed.length)) {
    return { because: 'native.permissions is not a list of texts', remedy };
  }
  const bad = texts.find((text) => text.length > 100 || !PERMISSION.test(text));
  return bad === undefined ? undefined : { because: `native.permissions has "${bad}", which is no permission`, remedy };
}

/** The first reason why Node-RED cannot enforce a grant exactly. */
export function grantObstacle(grant: JsonObject): Obstacle | undefined {
  const scope = isObject(grant['scope']) ? grant['scope'] : {};
  if (scope['platform'] !== true || Object.keys(scope).length > 1) {
    const narrow = Object.keys(scope).find((name) => name !== 'platform') ?? 'nothing';
    return {
      because: `Node-RED can enforce a grant on the whole instance only, not on one ${narrow}`,
      remedy: 'Write scope: {platform: true}, or run a Node-RED of its own for it.',
    };
  }
  const other = objects(grant['subjects']).find(
    (subject) => typeof subject['user'] !== 'string' || Object.keys(subject).length > 1,
  );
  if (other !== undefined)
    return { because: 'Node-RED knows users only, no other subjects', remedy: 'Name users: subjects: [{user: …}].' };
  const until = grant['expiresAt'];
  if (until !== undefined && (typeof until !== 'string' || Number.isNaN(Date.parse(until)))) {
    return { because: 'expiresAt is not a point in time', remedy: 'Write it as "2027-01-31T00:00:00Z".' };
  }
  return undefined;
}
