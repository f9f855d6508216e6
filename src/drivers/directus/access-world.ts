import { createHash } from 'node:crypto';
import { canonicalJson } from '../../manifest/canonical.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import { slug } from '../../manifest/slug.ts';
import type { Marker } from '../../plan/types.ts';
import { roleSpec } from './access-role.ts';
import { uuid } from './ids.ts';
import { compare, objectOf, textOf, without } from './json.ts';
import { type Note, readNote } from './note.ts';
import { keyOf, ruleOf } from './permissions.ts';

/** A row of `directus_access`: who, by role or by name, has a policy; neither is the public. */
export interface AccessRow {
  readonly id: string;
  readonly policy: string;
  readonly role: string | undefined;
  readonly user: string | undefined;
}

export interface User {
  readonly id: string;
  /** As grants name them: the address, else the identifier at an external provider, else the id. */
  readonly name: string;
  readonly role: string | undefined;
  readonly hasPassword: boolean;
}

/** A policy, a role, or a role with the policy of its own that has the same id: what an AccessRole stands for. */
export interface Holder {
  readonly id: string;
  readonly policy: JsonObject | undefined;
  readonly role: JsonObject | undefined;
  readonly title: string;
  /** Visible text and note of the role, else of the policy. */
  readonly text: string;
  readonly note: Note;
  readonly permissions: readonly JsonObject[];
}

export interface Tables {
  readonly policies: readonly JsonObject[];
  readonly roles: readonly JsonObject[];
  readonly permissions: readonly JsonObject[];
  readonly access: readonly JsonObject[];
  readonly users: readonly JsonObject[];
}

/** Roles, policies, and who has them on one server, as they were read together. */
export class AccessWorld {
  readonly holders: ReadonlyMap<string, Holder>;
  readonly access: readonly AccessRow[];
  readonly users: ReadonlyMap<string, User>;
  readonly #names: ReadonlyMap<string, string>;

  constructor(tables: Tables) {
    const policies = byId(tables.policies);
    const roles = byId(tables.roles);
    const permissions = Map.groupBy(tables.permissions, (row) => textOf(row['policy']) ?? '');
    const ids = [...new Set([...roles.keys(), ...policies.keys()])];
    this.holders = new Map(
      ids.map((id) => [id, holderOf(id, policies.get(id), roles.get(id), permissions.get(id) ?? [])]),
    );
    this.access = tables.access.map(accessRow);
    this.users = new Map(tables.users.map(userOf).map((user) => [user.id, user]));
    this.#names = namesOf([...this.holders.values()]);
  }

  /** The name by which git knows a role: from its marker, else its title as a slug, else the id. */
  nameOf(id: string): string {
    return this.#names.get(id) ?? id;
  }

  /** The role that git calls so. */
  named(name: string): Holder | undefined {
    const [id] = [...this.#names].find(([, one]) => one === name) ?? [];
    return this.holders.get(id ?? name);
  }

  /** The role that carries a marker with this owner and key. */
  claimed({ owner, key }: Pick<Marker, 'owner' | 'key'>): Holder | undefined {
    const claims = [...this.holders.values()].filter(
      ({ note: { marker } }) => marker?.owner === owner && marker.key === key,
    );
    return claims.find(({ id, note }) => note.marker?.remote === id) ?? claims[0];
  }

  rowsOf(policy: string): readonly AccessRow[] {
    return this.access.filter((row) => row.policy === policy);
  }

  /** Ids of policies that a role joins, its own one apart. */
  joined(role: string): readonly string[] {
    return this.access.filter((row) => row.role === role && row.policy !== role).map(({ policy }) => policy);
  }

  /** The content of an AccessRole in normal form. */
  specOf(holder: Holder): JsonObject {
    const { id, policy, role, title, text, note, permissions } = holder;
    const parent = textOf(role?.['parent']);
    const detached = policy !== undefined && !this.access.some((row) => row.role === id && row.policy === id);
    const joins = {
      ...(parent === undefined ? {} : { parent: this.nameOf(parent) }),
      policies: this.joined(id).map((one) => this.nameOf(one)),
      ...(detached ? { detached } : {}),
    };
    return roleSpec({
      title,
      exclusive: note.fields['exclusive'] === 'true',
      description: text,
      icon: textOf((role ?? policy)?.['icon']),
      policy,
      permissions,
      isPublic: this.rowsOf(id).some((row) => row.role === undefined && row.user === undefined),
      joins: role === undefined ? undefined : joins,
    });
  }

  /** Changes whenever a role, its policy, its permissions or what it joins changes; not when somebody gets it. */
  versionOf(holder: Holder): string {
    const { id, policy, role } = holder;
    const bare = (row: JsonObject | undefined): JsonObject | null =>
      row === undefined
        ? null
        : {
            ...without(row, ['description', 'permissions', 'users', 'roles', 'policies', 'children']),
            ...describe(row),
          };
    const rules = holder.permissions.map((row) => keyOf(ruleOf(row))).toSorted();
    const rows = this.access
      .filter((row) => row.user === undefined && (row.policy === id || row.role === id))
      .map((row) => `${row.policy} ${row.role ?? ''}`)
      .toSorted();
    return hash([bare(policy), bare(role), rules, rows]);
  }
}

/** What a description says but for the grants in it, which are versions of their own. */
function describe(row: JsonObject): JsonObject {
  const { text, note } = readNote(textOf(row['description']) ?? '');
  return { description: text, marker: { ...note.marker }, noted: note.fields };
}

export function hash(value: JsonObject[string]): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 32);
}

/** The id of the row by which a grant gives a policy to a user; an adopted row keeps its own id, which is the grant's. */
export function grantRow(grant: string, user: string): string {
  return uuid(`grant ${user}`, grant);
}

function holderOf(
  id: string,
  policy: JsonObject | undefined,
  role: JsonObject | undefined,
  permissions: readonly JsonObject[],
): Holder {
  const main = role ?? policy ?? {};
  const { text, note } = readNote(textOf(main['description']) ?? '');
  return { id, policy, role, title: textOf(main['name']) ?? '', text, note, permissions };
}

/** Names that two would share are nobody's; but a role often has the name of the policy that it joins, which then goes first. */
function namesOf(holders: readonly Holder[]): ReadonlyMap<string, string> {
  const policies = new Set(holders.filter(({ role }) => role === undefined).map(({ title }) => slug(title)));
  const wanted = holders.map(({ id, role, title, note: { marker } }) => {
    const ours = marker?.key.startsWith('AccessRole/') === true && (marker.remote ?? id) === id;
    const called = role !== undefined && policies.has(slug(title)) ? `${slug(title)}-role` : slug(title);
    return { id, name: ours ? marker.key.slice('AccessRole/'.length) : called };
  });
  const count = Map.groupBy(wanted, ({ name }) => name);
  return new Map(wanted.filter(({ name }) => count.get(name)?.length === 1).map(({ id, name }) => [id, name]));
}

function accessRow(row: JsonObject): AccessRow {
  return {
    id: textOf(row['id']) ?? '',
    policy: textOf(row['policy']) ?? '',
    role: textOf(row['role']),
    user: textOf(row['user']),
  };
}

function userOf(row: JsonObject): User {
  const id = textOf(row['id']) ?? '';
  const role = row['role'];
  return {
    id,
    name: (textOf(row['email']) ?? textOf(row['external_identifier']) ?? id).toLowerCase(),
    role: textOf(role) ?? textOf(objectOf(role)['id']),
    hasPassword: textOf(row['password']) !== undefined,
  };
}

function byId(rows: readonly JsonObject[]): ReadonlyMap<string, JsonObject> {
  const pairs = rows.map((row): [string, JsonObject] => [textOf(row['id']) ?? '', row]);
  return new Map(pairs.toSorted(([one], [other]) => compare(one, other)));
}
