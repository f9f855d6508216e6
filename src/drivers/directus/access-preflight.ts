import type { JsonObject } from '../../manifest/manifest.ts';
import { didYouMean, isSlip } from '../../manifest/suggest.ts';
import type { Refusal, Step } from '../driver.ts';
import type { Access } from './access.ts';
import { grantsOf, heldBy, membershipIn, normalizeGrant, usersOf } from './access-grant.ts';
import { NATIVE_FIELDS, normalizeRole } from './access-role.ts';
import type { AccessWorld, Holder } from './access-world.ts';
import type { DirectusClient } from './client.ts';
import type { Obstacle } from './flow-preflight.ts';
import { isObject, objectOf, objectsOf, textOf, textsOf } from './json.ts';
import type { Licence } from './licence.ts';
import { ACTIONS, type Rule, isPlain, obstacleOf, rulesOf, saidBy } from './permissions.ts';
import type { Account } from './probe.ts';

interface Ground {
  readonly client: DirectusClient;
  readonly access: Access;
  readonly licence: Licence | undefined;
  readonly account: Account;
  readonly signal: AbortSignal;
}
interface Scene {
  readonly world: AccessWorld;
  readonly collections: ReadonlySet<string>;
  readonly licence: Licence | undefined;
  readonly account: Account;
  /** Roles that the same plan writes, by name, in normal form. */
  readonly coming: ReadonlyMap<string, JsonObject>;
}

/** Access steps that Directus could not enforce exactly, would refuse, or that would lock somebody out. */
export async function preflightAccess(steps: readonly Step[], ground: Ground): Promise<readonly Refusal[]> {
  if (steps.length === 0) return [];
  const { client, access, licence, account, signal } = ground;
  const names = (await Promise.all(steps.map(wantedUsers))).flat();
  const [world, tables] = await Promise.all([
    access.world(signal, [...names, account.id]),
    client.data({ method: 'GET', route: '/collections', query: { fields: 'collection' }, signal }),
  ]);
  const coming = new Map<string, JsonObject>();
  for (const step of steps.filter(isWriting)) {
    if (step.change.kind === 'AccessRole')
      coming.set(step.change.key.slice('AccessRole/'.length), normalizeRole(await step.desired()));
  }
  const collections = new Set(objectsOf(tables).flatMap(({ collection }) => textOf(collection) ?? []));
  const scene: Scene = { world, collections, licence, account, coming };
  const refusals: Refusal[] = [];
  for (const step of steps) {
    const found =
      step.change.kind === 'AccessRole' ? await roleObstacles(step, scene) : await grantObstacles(step, scene);
    const obstacle = found.find(({ bearable }) => bearable !== true);
    const told = new Map(found.map((one) => [one.because, one]));
    for (const one of obstacle === undefined ? told.values() : [obstacle])
      refusals.push({ key: step.change.key, ...one });
  }
  return refusals;
}

async function roleObstacles(step: Step, scene: Scene): Promise<readonly Obstacle[]> {
  const { change } = step;
  const { world, account } = scene;
  const holder = change.verb === 'create' ? undefined : world.holders.get(change.remote.id);
  if (change.verb === 'release') return [];
  const mine = holder !== undefined && isHeldBy(world, holder, account.id);
  if (change.verb === 'delete') {
    return mine
      ? [ownAccount(`${account.name}, the account that Plumbline uses, has its rights through this role`)]
      : [];
  }
  const spec = normalizeRole(await step.desired());
  const native = objectOf(spec['native']);
  return [
    ...objectsOf(spec['permissions']).flatMap((permission) => obstacleOf(permission) ?? []),
    ...nativeObstacles(native),
    ...ruleObstacles(spec, scene),
    ...joiningObstacles(native, scene),
    ...(mine ? lockouts(holder, native, account) : []),
  ];
}

function nativeObstacles(native: JsonObject): readonly Obstacle[] {
  const remedy = `Write only ${NATIVE_FIELDS.join(', ')} under native.`;
  const unknown = Object.keys(native).filter((name) => !NATIVE_FIELDS.includes(name));
  const role = native['role'];
  const strange = isObject(role) ? Object.keys(role).filter((name) => name !== 'parent' && name !== 'policies') : [];
  return [
    ...unknown.map((name) => ({ because: `Directus knows no native.${name} of a role`, remedy })),
    ...strange.map((name) => ({
      because: `Directus knows no native.role.${name}`,
      remedy: 'Write only parent and policies under native.role.',
    })),
    ...(role === undefined || isObject(role)
      ? []
      : [
          {
            because: 'native.role is not an object',
            remedy: 'Write native.role: {policies: […]}, or {} for a role with its own policy only.',
          },
        ]),
  ];
}

function ruleObstacles(spec: JsonObject, { collections, licence }: Scene): readonly Obstacle[] {
  return rulesOf(saidBy(spec)).flatMap((rule): readonly Obstacle[] => {
    const { collection, action } = rule;
    const found: Obstacle[] = [];
    if (!ACTIONS.includes(action))
      found.push({ because: `Directus knows no action "${action}"`, remedy: `Use one of ${ACTIONS.join(', ')}.` });
    found.push(...collectionObstacle(rule, collections));
    if (licence?.customRules === false && !isPlain(rule))
      found.push({
        because: `the licence "${licence.name}" has no custom permission rules, and ${action} on ${collection} has conditions, presets or a list of fields`,
        remedy: 'Give the permission on all records and fields, or get a licence that includes custom rules.',
      });
    return found;
  });
}

/**
 * Directus takes a permission on any name. Those on collections of one's own that are not there lie about in many projects,
 * and wait; a name that is one slip away from a collection that is there does not, nor does one that only Directus itself could make.
 */
function collectionObstacle({ collection, action }: Rule, collections: ReadonlySet<string>): readonly Obstacle[] {
  if (collections.has(collection)) return [];
  const because = `there is no collection "${collection}" to ${action}; Directus would take the permission, and it would say nothing`;
  if (collection.startsWith('directus_'))
    return [{ because, remedy: didYouMean(collection, collections, 'Correct its name.') }];
  const meant = [...collections].filter((name) => isSlip(collection, name)).toSorted()[0];
  if (meant !== undefined)
    return [{ because, remedy: `Did you mean "${meant}"? If "${collection}" is still to come, make it first.` }];
  const until = `there is no collection "${collection}"; until there is, permissions on it say nothing.`;
  return [{ because: until, remedy: 'Make the collection, or correct its name.', bearable: true }];
}

function joiningObstacles(native: JsonObject, { world, coming }: Scene): readonly Obstacle[] {
  const role = objectOf(native['role']);
  const parent = textOf(role['parent']);
  return [...textsOf(role['policies']), ...(parent === undefined ? [] : [parent])]
    .filter((name) => world.named(name) === undefined && !coming.has(name))
    .map((name) => ({
      because: `it joins ${name}, which is neither on the platform, by one object of that name, nor in git`,
      remedy: `Write an AccessRole ${name}, or correct native.role.`,
    }));
}

/** What a change to a role that Plumbline itself needs would break. */
function lockouts({ policy }: Holder, native: JsonObject, account: Account): readonly Obstacle[] {
  const found: Obstacle[] = [];
  if (policy?.['admin_access'] === true && native['admin_access'] !== true)
    found.push(ownAccount(`${account.name}, the account that Plumbline uses, is an administrator through this role`));
  const tightens = ['ip_access', 'enforce_tfa'].find(
    (name) => native[name] !== undefined && JSON.stringify(native[name]) !== JSON.stringify(policy?.[name]),
  );
  if (policy !== undefined && tightens !== undefined)
    found.push(ownAccount(`${tightens} could lock out ${account.name}, the account that Plumbline uses`));
  return found;
}

async function grantObstacles(step: Step, scene: Scene): Promise<readonly Obstacle[]> {
  const { change } = step;
  const { world, account } = scene;
  if (change.verb === 'release') return [];
  if (change.verb === 'delete') return takesFromUs(change.remote.id, [], scene);
  const spec = normalizeGrant(await step.desired());
  const found: Obstacle[] = [];
  const scope = objectOf(spec['scope']);
  if (scope['platform'] !== true || Object.keys(scope).length > 1) {
    const narrow = Object.keys(scope).find((name) => name !== 'platform') ?? 'nothing';
    found.push({
      because: `Directus gives a role on everything that its permissions name, not on one ${narrow}`,
      remedy:
        'Write scope: {platform: true}, and narrow the permissions of the role with collection, fields and where.',
    });
  }
  const name = textOf(spec['role']) ?? '';
  const holder = world.claimed({ owner: step.owner, key: `AccessRole/${name}` }) ?? world.named(name);
  const isRole = coming(scene, name) ?? holder?.role !== undefined;
  for (const user of usersOf(spec)) {
    const known = [...world.users.values()].find((one) => one.name === user);
    if (known === undefined && !change.secrets.some((secret) => secret.toLowerCase() === `password:${user}`))
      found.push({
        because: `this Directus has no user ${user}`,
        remedy: 'Invite the user on the platform, or give the subject a password, so that Plumbline makes the account.',
      });
    if (!isRole || known?.role === undefined || known.role === holder?.id) continue;
    if (known.id === account.id)
      found.push(ownAccount(`${user} is the account that Plumbline uses, and has a role already`));
    else
      found.push({
        because: `${user} has the role "${world.holders.get(known.role)?.title ?? known.role}", and a user of Directus has one`,
        remedy:
          'Take that role away on the platform, or grant an AccessRole without native.role, of which a user may have many.',
      });
  }
  return [...found, ...(change.verb === 'create' ? [] : takesFromUs(change.remote.id, usersOf(spec), scene))];
}

/** Whether the role of a grant, as git has it, is one in Directus' sense. */
function coming({ coming: roles }: Scene, name: string): boolean | undefined {
  const spec = roles.get(name);
  return spec === undefined ? undefined : objectOf(spec['native'])['role'] !== undefined;
}

/** Plumbline never takes away what it needs itself. */
function takesFromUs(remote: string, staying: readonly string[], { world, account }: Scene): readonly Obstacle[] {
  if (staying.includes(account.name)) return [];
  for (const holder of world.holders.values()) {
    const grant = holder.note.grants[remote];
    const row = world.access.find(({ id }) => id === remote);
    const mine =
      (grant !== undefined &&
        grant.users.includes(account.id) &&
        heldBy(world, holder, remote, account.id) !== undefined) ||
      (row?.user === account.id && row.policy === holder.id) ||
      (membershipIn(remote)?.user === account.id && membershipIn(remote)?.role === holder.id);
    if (mine) return [ownAccount(`${account.name} is the account that Plumbline uses`)];
  }
  return [];
}

function isHeldBy(world: AccessWorld, holder: Holder, user: string): boolean {
  const roles = new Set<string>();
  for (let role = world.users.get(user)?.role; role !== undefined && !roles.has(role);) {
    roles.add(role);
    role = textOf(world.holders.get(role)?.role?.['parent']);
  }
  if (holder.role !== undefined && roles.has(holder.id)) return true;
  const byHand = grantsOf(world, holder).some(({ value }) =>
    usersOf(value).includes(world.users.get(user)?.name ?? user),
  );
  return byHand || world.rowsOf(holder.id).some((row) => row.role !== undefined && roles.has(row.role));
}

function ownAccount(because: string): Obstacle {
  return {
    because,
    remedy: 'Give Plumbline an account of its own with admin_access, through a role that git does not manage.',
  };
}

function isWriting({ change }: Step): boolean {
  return change.verb !== 'delete' && change.verb !== 'release';
}

async function wantedUsers(step: Step): Promise<readonly string[]> {
  return step.change.kind === 'AccessGrant' && isWriting(step) ? usersOf(await step.desired()) : [];
}
