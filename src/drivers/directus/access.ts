import type { JsonObject, Kind } from '../../manifest/manifest.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Look } from '../driver.ts';
import { grantsOf } from './access-grant.ts';
import { AccessWorld, type Holder, type Tables } from './access-world.ts';
import type { Seen } from './changes.ts';
import type { DirectusClient, Listing } from './client.ts';
import { isUuid } from './ids.ts';
import { objectOf, objectsOf, textOf, without, wordOf } from './json.ts';
import { readNote } from './note.ts';

export type AccessKind = 'AccessRole' | 'AccessGrant';

type List = (route: string, query: Readonly<Record<string, string>>) => Promise<readonly JsonObject[]>;

const ACCESS_FIELDS = 'id,policy,role,user';
/** Policies with their permissions and the rows that give them to somebody, which hang below `users`, roles or not. */
const POLICY = {
  fields: `id,name,icon,description,ip_access,enforce_tfa,admin_access,app_access,permissions.*,${ACCESS_FIELDS.split(
    ',',
  )
    .map((name) => `users.${name}`)
    .join(',')}`,
  'deep[permissions][_limit]': '-1',
  'deep[users][_limit]': '-1',
};
const ROLE_FIELDS = 'id,name,icon,description,parent';
const USER_FIELDS = 'id,email,external_identifier,role,password';
/** Rows that are in the table; the server adds what every user of the app may do. */
const STORED = JSON.stringify({ policy: { _nnull: true } });

export function isAccess(kind: Kind): kind is AccessKind {
  return kind === 'AccessRole' || kind === 'AccessGrant';
}

/** Reads roles and policies as AccessRoles, and who has them as AccessGrants. */
export class Access {
  readonly #client: DirectusClient;
  #named: AccessWorld | undefined;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** Everything of these kinds, or the named ones. @throws ReconcilerError when not all of it could be read. */
  async observe(kinds: ReadonlySet<Kind>, only: Look['only'], signal: AbortSignal): Promise<readonly Seen[]> {
    const world = await this.world(signal);
    this.#named = world;
    const seen = [...world.holders.values()].flatMap((holder): readonly Seen[] => [
      ...(kinds.has('AccessRole') ? [{ object: roleObject(world, holder), rows: rowsOf(holder) }] : []),
      ...(kinds.has('AccessGrant') ? grantsOf(world, holder).map((object) => ({ object, rows: [] })) : []),
    ]);
    if (only === undefined) return seen;
    const wanted = new Set([...only.remotes, ...only.titles]);
    return seen.filter(({ object: { remote, title } }) => wanted.has(remote) || wanted.has(title));
  }

  /** The name by which git knows a role, as of the last look; undefined for what has none of its own. */
  nameOf(remote: string): string | undefined {
    const name = this.#named?.nameOf(remote);
    return name === remote ? undefined : name;
  }

  /** Roles, policies and who has them; members of roles that carry no note are not counted, there may be a million. */
  async world(signal: AbortSignal, names: readonly string[] = []): Promise<AccessWorld> {
    const list = async (route: string, query: Readonly<Record<string, string>>): Promise<readonly JsonObject[]> =>
      (await this.#client.list(route, query, signal)).rows;
    const [listed, roles] = await Promise.all([
      this.#client.list('/policies', POLICY, signal),
      list('/roles', { fields: ROLE_FIELDS }),
    ]);
    const { policies, permissions, access } = await this.#whole(listed, list);
    const users = await this.#users({ policies, roles, access }, names, list);
    return new AccessWorld({ policies, roles, permissions, access, users });
  }

  /** What policies hold; read by itself where the server gives only so much of it with them. */
  async #whole({ rows, cap }: Listing, list: List): Promise<Pick<Tables, 'policies' | 'permissions' | 'access'>> {
    const held = (name: string): readonly JsonObject[] => rows.flatMap((row) => objectsOf(row[name]));
    const isCut =
      cap !== undefined &&
      rows.some((row) => ['permissions', 'users'].some((name) => objectsOf(row[name]).length >= cap));
    const [permissions, access] = isCut
      ? await Promise.all([
          list('/permissions', { fields: '*', filter: STORED }),
          list('/access', { fields: ACCESS_FIELDS }),
        ])
      : [held('permissions'), held('users')];
    return { policies: rows.map((row) => without(row, ['permissions', 'users'])), permissions, access };
  }

  /** Who is in the way of deleting a role: everybody who has it, counted on the server. */
  async members(role: string, signal: AbortSignal): Promise<readonly string[]> {
    const filter = JSON.stringify({ role: { _eq: role } });
    const { rows } = await this.#client.list('/users', { fields: 'id,email', filter }, signal);
    return rows.map((row) => textOf(row['email']) ?? textOf(row['id']) ?? '');
  }

  async #users(
    { policies, roles, access }: Pick<Tables, 'policies' | 'roles' | 'access'>,
    names: readonly string[],
    list: List,
  ): Promise<readonly JsonObject[]> {
    const noted = [...policies, ...roles].map((row) => ({ row, ...readNote(textOf(row['description']) ?? '') }));
    const ours = noted.filter(({ note }) => note.marker !== undefined).flatMap(({ row }) => textOf(row['id']) ?? []);
    const granted = noted.flatMap(({ note }) => Object.values(note.grants).flatMap(({ users }) => users));
    const direct = access.flatMap(({ user }) => textOf(user) ?? textOf(objectOf(user)['id']) ?? []);
    const ids = [...new Set([...granted, ...direct, ...names])].filter(isUuid);
    const roleIds = roles.flatMap(({ id }) => textOf(id) ?? []).filter((id) => ours.includes(id));
    const spelled = [...new Set(names.flatMap((name) => [name, name.toLowerCase()]))];
    const any = [
      ...(ids.length === 0 ? [] : [{ id: { _in: ids } }]),
      ...(roleIds.length === 0 ? [] : [{ role: { _in: roleIds } }]),
      ...spelled.flatMap((name) => [{ email: { _icontains: name } }, { external_identifier: { _eq: name } }]),
    ];
    if (any.length === 0) return [];
    return await list('/users', { fields: USER_FIELDS, filter: JSON.stringify({ _or: any }) });
  }
}

/** Rows of the activity that are about a role: its own, those of its policy, and those of its permissions. */
function rowsOf({ id, permissions }: Holder): readonly string[] {
  const rules = permissions.map((row) => `directus_permissions:${wordOf(row['id'])}`);
  return [`directus_policies:${id}`, `directus_roles:${id}`, ...rules];
}

export function roleObject(world: AccessWorld, holder: Holder): RemoteObject {
  const { id, title, note } = holder;
  return {
    kind: 'AccessRole',
    remote: id,
    title,
    value: world.specOf(holder),
    version: world.versionOf(holder),
    ...(note.marker === undefined ? {} : { marker: note.marker }),
  };
}
