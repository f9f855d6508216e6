import type { JsonObject } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import type { RemoteObject } from '../../plan/types.ts';
import { type AccessWorld, type Holder, grantRow, hash } from './access-world.ts';
import { compare, isObject, objectsOf, textOf, without } from './json.ts';
import type { GrantNote } from './note.ts';

/** The form in which grants are compared: users in lower case and order, the end as UTC with milliseconds. Idempotent. */
export function normalizeGrant(spec: JsonObject): JsonObject {
  const users = [...new Set(usersOf(spec))].toSorted();
  const until = textOf(spec['expiresAt']);
  const time = until === undefined ? Number.NaN : Date.parse(until);
  return {
    ...without(spec, ['exclusive', 'subjects', 'scope', 'expiresAt']),
    ...(Number.isNaN(time)
      ? until === undefined
        ? {}
        : { expiresAt: until }
      : { expiresAt: new Date(time).toISOString() }),
    scope: isObject(spec['scope']) ? spec['scope'] : { platform: true },
    subjects: users.map((user) => ({ user })),
  };
}

/** Users that a grant names. */
export function usersOf(grant: JsonObject): readonly string[] {
  return objectsOf(grant['subjects']).flatMap(({ user }) => textOf(user)?.toLowerCase() ?? []);
}

/** Who has a role through which grant, and who has it because somebody gave it by hand. */
export function grantsOf(world: AccessWorld, holder: Holder): readonly RemoteObject[] {
  const grants = Object.entries(holder.note.grants);
  const ours = new Set(
    grants.flatMap(([id, grant]) => grant.users.flatMap((user) => heldBy(world, holder, id, user) ?? [])),
  );
  return [
    ...grants.map(([id, grant]) => notedGrant(world, holder, id, grant)),
    ...heldByHand(world, holder).filter(({ remote }) => !ours.has(remote)),
  ];
}

/** What shows that a user really has the role by a grant: the id of a row, or of the membership; undefined when nothing does. */
export function heldBy(world: AccessWorld, holder: Holder, grant: string, user: string): string | undefined {
  if (holder.role !== undefined)
    return world.users.get(user)?.role === holder.id ? membership(holder.id, user) : undefined;
  const wanted = new Set([grant, grantRow(grant, user)]);
  return world.rowsOf(holder.id).find((row) => row.user === user && wanted.has(row.id))?.id;
}

/** The version of a grant: changes with what is noted of it and with who of its users has the role. */
export function grantVersion(world: AccessWorld, holder: Holder, id: string, grant: GrantNote): string {
  const held = grant.users.map((user) => `${user} ${heldBy(world, holder, id, user) ?? ''}`);
  return hash([holder.id, { ...grant, marker: { ...grant.marker } }, held]);
}

/** The id of a membership that no grant stands for. */
function membership(role: string, user: string): string {
  return `${role}:${user}`;
}

/** Role and user of such an id; undefined for any other. */
export function membershipIn(remote: string): { readonly role: string; readonly user: string } | undefined {
  const [role, user, ...more] = remote.split(':');
  return role === undefined || user === undefined || more.length > 0 ? undefined : { role, user };
}

function notedGrant(world: AccessWorld, holder: Holder, id: string, grant: GrantNote): RemoteObject {
  const held = grant.users.filter((user) => heldBy(world, holder, id, user) !== undefined);
  const known = held.flatMap((user) => world.users.get(user) ?? []);
  const value = normalizeGrant({
    ...(grant.until === undefined ? {} : { expiresAt: grant.until }),
    ...(grant.why === undefined ? {} : { justification: grant.why }),
    role: world.nameOf(holder.id),
    subjects: known.map(({ name }) => ({ user: name })),
    title: grant.title,
  });
  return {
    kind: 'AccessGrant',
    remote: id,
    title: grant.title,
    value,
    version: grantVersion(world, holder, id, grant),
    ...(grant.marker === undefined ? {} : { marker: grant.marker }),
    secretsSet: Object.fromEntries(known.map((user) => [`password:${user.name}`, user.hasPassword])),
  };
}

/** One object for each user who has the role without a grant: by a row of access, or as a member. */
function heldByHand(world: AccessWorld, holder: Holder): readonly RemoteObject[] {
  const rows = world.rowsOf(holder.id).flatMap(({ id, user }) => (user === undefined ? [] : [{ remote: id, user }]));
  const members =
    holder.role === undefined
      ? []
      : [...world.users.values()]
          .filter(({ role }) => role === holder.id)
          .map(({ id }) => ({ remote: membership(holder.id, id), user: id }));
  return [...rows, ...members]
    .map(({ remote, user }): RemoteObject => {
      const name = world.users.get(user)?.name ?? user;
      // A grant's title is its name in git, so that what is exported finds what it stands for.
      const title = slug(`${name} has ${holder.title}`);
      const value = normalizeGrant({ role: world.nameOf(holder.id), subjects: [{ user: name }], title });
      return { kind: 'AccessGrant', remote, title, value, version: hash(value) };
    })
    .toSorted((one, other) => compare(one.remote, other.remote));
}
