import { ReconcilerError } from '../../errors.ts';
import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject, Key } from '../../manifest/manifest.ts';
import type { Marker, Owner } from '../../plan/types.ts';
import type { Step } from '../driver.ts';
import { normalizeGrant, normalizeRole, usersOf } from './access-normalize.ts';
import { hashPassword } from './access-password.ts';
import { permissionsOf } from './access-rules.ts';
import type { Access, AccessEntry, AccessWrite } from './addon-client.ts';
import { stableId } from './tokens.ts';

/** What one step asks of the access file. `nothing`: it is so already. */
export type Effect =
  | { readonly set: AccessWrite }
  | { readonly remove: string }
  | { readonly nothing: { readonly id: string; readonly version: string } | undefined }
  | { readonly error: ReconcilerError };

/** Hashes made so far: a repeated write must not spend the time again. */
export type Hashes = Map<string, { readonly hash: string; readonly slot: string }>;

/** The id of a role or grant of an owner: equal for equal owner and key, so that a create can be repeated. */
function accessId(owner: Owner, key: Key): string {
  return stableId(owner, key);
}

/** What a step means for the access file as it stands. Touches nothing. */
export async function effectOf(step: Step, access: Access, batch: readonly Step[], hashes: Hashes): Promise<Effect> {
  const { change } = step;
  const id = change.verb === 'create' ? accessId(step.owner, change.key) : change.remote.id;
  const entry = access.entries.find((one) => one.id === id);
  if (change.verb === 'delete' || change.verb === 'release') {
    if (entry === undefined) return { nothing: undefined };
    if (String(entry.revision) !== change.remote.version) return { error: stale(step) };
    if (change.verb === 'delete') return removal(step, entry, access, batch);
    const { marker: _, ...rest } = written(entry);
    return entry.marker === undefined ? { nothing: { id, version: String(entry.revision) } } : { set: rest };
  }
  if (change.verb !== 'create' && entry === undefined) return { error: stale(step) };
  const wanted = await wantedEntry(step, id, access, hashes);
  if (wanted instanceof ReconcilerError) return { error: wanted };
  if (entry === undefined) return { set: wanted };
  if (Object.keys(await step.secrets()).length === 0 && sameAs(entry, wanted))
    return { nothing: { id, version: String(entry.revision) } };
  if (change.verb === 'create') return claims(entry, step) ? { set: wanted } : { error: taken(step) };
  return String(entry.revision) === change.remote.version ? { set: wanted } : { error: stale(step) };
}

async function wantedEntry(
  step: Step,
  id: string,
  access: Access,
  hashes: Hashes,
): Promise<AccessWrite | ReconcilerError> {
  const { change } = step;
  const marker = step.marker === undefined ? {} : { marker: { ...step.marker } };
  if (change.kind === 'AccessRole') {
    const value = normalizeRole(await step.desired());
    return { id, kind: 'role', title: change.title, ...marker, value, permissions: permissionsOf(value) };
  }
  const value = normalizeGrant(await step.desired());
  const roleKey: Key = `AccessRole/${typeof value['role'] === 'string' ? value['role'] : ''}`;
  const role = access.entries.find(
    (entry) => entry.kind === 'role' && claims(entry, { owner: step.owner, change: { key: roleKey } }),
  );
  if (role === undefined) {
    return new ReconcilerError(`${change.key} grants ${roleKey}, which is not on the platform.`, 'replan', {
      code: 'dependency-missing',
      remedy: 'Nothing to do if the role is about to be created; else see why it was withheld.',
    });
  }
  const users = usersOf(value);
  const known = access.entries.find((entry) => entry.id === id)?.passwords ?? {};
  const kept = users.filter((user) => known[user]?.has_password === true).map((user) => [user, 'keep'] as const);
  const passwords = Object.fromEntries([...kept, ...(await newPasswords(step, users, hashes))]);
  const until = typeof value['expiresAt'] === 'string' ? { expiresAt: Date.parse(value['expiresAt']) } : {};
  return { id, kind: 'grant', title: change.title, ...marker, value, users, roleId: role.id, ...until, passwords };
}

async function newPasswords(
  step: Step,
  users: readonly string[],
  hashes: Hashes,
): Promise<[string, { hash: string; slot: string }][]> {
  const result: [string, { hash: string; slot: string }][] = [];
  for (const [name, value] of Object.entries(await step.secrets())) {
    const user = /^password[:/](.+)$/s.exec(name)?.[1];
    if (user === undefined || !users.includes(user)) continue;
    const slot = value.keyedHash(`${step.change.key}#${name}`);
    const known = hashes.get(slot) ?? { hash: await hashPassword(value.reveal()), slot };
    hashes.set(slot, known);
    result.push([user, known]);
  }
  return result;
}

function removal(step: Step, entry: AccessEntry, access: Access, batch: readonly Step[]): Effect {
  const members = foreignMembers(entry, access, batch);
  if (members.length === 0) return { remove: entry.id };
  const error = new ReconcilerError(
    `${step.change.key} is held by ${members.join(', ')}, through grants that stay.`,
    'never',
    {
      code: 'role-in-use',
      remedy: 'Take those grants away first, or release the role.',
    },
  );
  return { error };
}

/** Users who hold a role through grants that the same batch does not delete. */
export function foreignMembers(role: AccessEntry, access: Access, batch: readonly Step[]): readonly string[] {
  const leaving = new Set(batch.flatMap(({ change }) => (change.verb === 'delete' ? [change.remote.id] : [])));
  const staying = access.entries.filter((entry) => entry.roleId === role.id && !leaving.has(entry.id));
  return [...new Set(staying.flatMap((grant) => grant.users ?? []))];
}

/** The marker of an entry, when it has a whole one. */
export function markerOf(entry: AccessEntry): Marker | undefined {
  const { owner, key, applied, how } = entry.marker ?? {};
  if (typeof owner !== 'string' || !owner.includes('/') || typeof key !== 'string' || !key.includes('/'))
    return undefined;
  return {
    owner: owner as Owner,
    key: key as Key,
    ...(typeof applied === 'string' ? { applied } : {}),
    ...(how === 'created' || how === 'adopted' ? { how } : {}),
  };
}

function claims(entry: AccessEntry, by: { readonly owner: Owner; readonly change: { readonly key: Key } }): boolean {
  const marker = markerOf(entry);
  return marker?.owner === by.owner && marker.key === by.change.key;
}

function written(entry: AccessEntry): AccessWrite {
  const { revision: _, createdAt: _c, changedAt: _a, changedBy: _b, passwords, ...rest } = entry;
  const kept = Object.fromEntries(Object.keys(passwords ?? {}).map((user) => [user, 'keep'] as const));
  return { ...(rest as Omit<AccessWrite, 'passwords'>), ...(entry.kind === 'grant' ? { passwords: kept } : {}) };
}

function sameAs(entry: AccessEntry, wanted: AccessWrite): boolean {
  return canonicalJson(written(entry) as unknown as JsonObject) === canonicalJson(wanted as unknown as JsonObject);
}

function stale(step: Step): ReconcilerError {
  return new ReconcilerError(`${step.change.key} was changed on the platform after it was looked at.`, 'replan', {
    code: 'stale-write',
    remedy: 'Nothing to do: the next pass looks again.',
  });
}

function taken(step: Step): ReconcilerError {
  return new ReconcilerError(
    `${step.change.key} cannot be created: its id belongs to an object without that marker.`,
    'replan',
    {
      code: 'id-taken',
      remedy: 'If it was released before, let the Sync adopt it (adopt: matching).',
    },
  );
}
