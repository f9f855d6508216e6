import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wordOf } from '../../../src/drivers/directus/json.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { slug } from '../../../src/manifest/slug.ts';
import type { DirectusDesk } from './desk.ts';
import type { RawDirectus } from './raw-directus.ts';

type Row = { readonly id: string; readonly name: string } & JsonObject;

/** What a template holds, as its tool writes it: one file per table. */
export interface Template {
  readonly flows: number;
  readonly operations: number;
  readonly policies: number;
  readonly roles: number;
  readonly permissions: number;
  readonly grants: number;
}

/** Makes the collections of a template, which its permissions are about. */
export async function applySchema(raw: RawDirectus, folder: string): Promise<void> {
  const snapshot = read(folder, 'schema-snapshot');
  const diff = await raw.ask('POST', '/schema/diff?force=true', snapshot);
  if (diff !== undefined) await raw.ask('POST', '/schema/apply?force=true', diff);
}

/**
 * Writes a template as manifests: flows and operations as one raw export, a policy as an AccessRole, a role as one that
 * joins policies, a user's policy as an AccessGrant. What every Directus has by itself is left out.
 */
export async function writeTemplate(raw: RawDirectus, folder: string, desk: DirectusDesk): Promise<Template> {
  const [flows, operations] = [read(folder, 'flows') as Row[], read(folder, 'operations') as Row[]];
  desk.put('flows.json', JSON.stringify({ flows, operations }));
  const rows = read(folder, 'permissions') as JsonObject[];
  const policies = (read(folder, 'policies') as Row[]).filter(isMade);
  const roles = (read(folder, 'roles') as Row[]).filter(isMade);
  const access = read(folder, 'access') as JsonObject[];
  const names = new Map(policies.map(({ id, name }) => [id, slug(name)]));
  for (const { id, name, icon, description, ip_access, enforce_tfa, admin_access, app_access } of policies) {
    const permissions = rows.filter((row) => row['policy'] === id).map(({ policy: _policy, ...rest }) => rest);
    const isPublic = access.some((row) => row['policy'] === id && row['role'] === null && row['user'] === null);
    const native = {
      icon,
      description,
      ip_access,
      enforce_tfa,
      admin_access,
      app_access,
      public: isPublic,
      permissions,
    };
    desk.manifest('AccessRole', slug(name), { title: name, native: defined(native) });
  }
  for (const { id, name, icon, description } of roles) {
    const joined = access.filter((row) => row['role'] === id).flatMap((row) => names.get(wordOf(row['policy'])) ?? []);
    desk.manifest('AccessRole', `role-${slug(name)}`, {
      title: name,
      native: defined({ icon, description, role: { policies: joined } }),
    });
  }
  let grants = 0;
  for (const row of access.filter(({ user }) => user !== null)) {
    const policy = names.get(wordOf(row['policy']));
    if (policy === undefined) continue;
    grants += 1;
    const user = `${wordOf(row['user']).slice(0, 8)}@example.com`;
    await raw.ask('POST', '/users', { email: user }).catch(() => undefined);
    desk.manifest('AccessGrant', `grant-${grants}`, { role: policy, subjects: [{ user }] });
  }
  const permissions = rows.filter((row) => names.has(wordOf(row['policy']))).length;
  return {
    flows: flows.length,
    operations: operations.length,
    policies: policies.length,
    roles: roles.length,
    permissions,
    grants,
  };
}

function isMade({ name }: Row): boolean {
  return name !== 'Administrator' && name !== '$t:public_label';
}

function defined(fields: Readonly<Record<string, JsonObject[string] | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter(
      (field): field is [string, JsonObject[string]] => field[1] !== undefined && field[1] !== null,
    ),
  );
}

function read(folder: string, table: string): unknown {
  return JSON.parse(readFileSync(join(folder, `${table}.json`), 'utf8'));
}
