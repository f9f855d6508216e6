import type { JsonObject } from '../../manifest/manifest.ts';
import { isObject, objectOf, textOf, textsOf, without } from './json.ts';
import { normalizePermissions, rulesOf, saidBy } from './permissions.ts';

/** Icons that the columns have when nobody says one. */
export const ICONS = { policy: 'badge', role: 'supervised_user_circle' } as const;
const FLAGS = ['admin_access', 'app_access', 'enforce_tfa'] as const;
/** What `native` of a role may hold. */
export const NATIVE_FIELDS: readonly string[] = [
  ...FLAGS,
  'description',
  'icon',
  'ip_access',
  'permissions',
  'public',
  'role',
];

/**
 * The form in which roles are compared. An AccessRole is a policy; with `native.role` it is a role, which has a policy of
 * its own where it says more than which other policies it joins. Idempotent; what Directus cannot enforce stays in, so
 * that it is refused and never silently dropped.
 */
export function normalizeRole(spec: JsonObject): JsonObject {
  const said = objectOf(spec['native']);
  const { permissions, native } = normalizePermissions(saidBy(spec));
  const role = said['role'];
  const icon = textOf(said['icon']);
  const isDefault = icon === (role === undefined ? ICONS.policy : ICONS.role);
  const networks = textsOf(said['ip_access']);
  const description = textOf(said['description'])?.trimEnd();
  return {
    exclusive: spec['exclusive'] === true,
    native: {
      ...without(said, [...NATIVE_FIELDS]),
      ...Object.fromEntries([...FLAGS, 'public'].filter((name) => said[name] === true).map((name) => [name, true])),
      ...(description === undefined || description === '' ? {} : { description }),
      ...(icon === undefined || isDefault ? {} : { icon }),
      ...(networks.length === 0 ? {} : { ip_access: [...new Set(networks)].toSorted() }),
      ...(native.length === 0 ? {} : { permissions: native }),
      ...(role === undefined || role === null ? {} : { role: normalizeJoining(role) }),
    },
    permissions,
    title: spec['title'] ?? '',
  };
}

/** Whether a role in normal form needs a policy of its own: always, unless it only joins others. */
export function hasPolicy(spec: JsonObject): boolean {
  const native = objectOf(spec['native']);
  if (native['role'] === undefined) return true;
  return rulesOf(saidBy(spec)).length > 0 || POLICY_ONLY.some((name) => native[name] !== undefined);
}
const POLICY_ONLY = [...FLAGS, 'ip_access', 'public'] as const;

/** The columns of the policy. */
export function policyFields(spec: JsonObject): JsonObject {
  const native = objectOf(spec['native']);
  const isRole = native['role'] !== undefined;
  const networks = textsOf(native['ip_access']);
  return {
    name: spec['title'] ?? '',
    icon: isRole ? ICONS.policy : (native['icon'] ?? ICONS.policy),
    ip_access: networks.length === 0 ? null : networks,
    ...Object.fromEntries(FLAGS.map((name) => [name, native[name] === true])),
  };
}

/** The normal form of a policy, or of a role with its policy, as the tables say it. */
export function roleSpec(from: {
  readonly title: string;
  readonly exclusive: boolean;
  readonly description: string;
  readonly icon: string | undefined;
  readonly policy: JsonObject | undefined;
  readonly permissions: readonly JsonObject[];
  readonly isPublic: boolean;
  readonly joins: JsonObject | undefined;
}): JsonObject {
  const { policy = {}, joins } = from;
  return normalizeRole({
    title: from.title,
    exclusive: from.exclusive,
    permissions: [],
    native: {
      ...Object.fromEntries(FLAGS.map((name) => [name, policy[name] ?? false])),
      description: from.description,
      icon: from.icon ?? '',
      ip_access: policy['ip_access'] ?? [],
      permissions: from.permissions,
      public: from.isPublic,
      ...(joins === undefined ? {} : { role: joins }),
    },
  });
}

function normalizeJoining(role: JsonObject[string]): JsonObject[string] {
  if (!isObject(role)) return role;
  const parent = textOf(role['parent']);
  const policies = [...new Set(textsOf(role['policies']))].toSorted();
  return {
    ...without(role, ['parent', 'policies']),
    ...(parent === undefined ? {} : { parent }),
    ...(policies.length === 0 ? {} : { policies }),
  };
}
