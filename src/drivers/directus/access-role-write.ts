import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Step } from '../driver.ts';
import type { Access } from './access.ts';
import { grantsOf, usersOf } from './access-grant.ts';
import { ICONS, hasPolicy, policyFields } from './access-role.ts';
import type { AccessWorld, Holder } from './access-world.ts';
import type { DirectusClient } from './client.ts';
import { uuid } from './ids.ts';
import { objectOf, textOf, textsOf } from './json.ts';
import { type Note, readNote, writeNote } from './note.ts';
import { type Rule, keyOf, ruleOf, rulesOf, rowOf, saidBy } from './permissions.ts';

export interface Scene {
  readonly world: AccessWorld;
  readonly signal: AbortSignal;
}

/** What is to stand under an id, and what stands there. */
export interface Wanted {
  readonly id: string;
  readonly spec: JsonObject;
  readonly holder: Holder | undefined;
}

/** Writes policies and roles. A policy changes with all its permissions in one request. */
export class RoleWriter {
  readonly #client: DirectusClient;
  readonly #access: Access;

  constructor(client: DirectusClient, access: Access) {
    this.#client = client;
    this.#access = access;
  }

  async policy(step: Step, wanted: Wanted, { world, signal }: Scene): Promise<void> {
    const { id, spec, holder } = wanted;
    const present = holder?.policy;
    const native = objectOf(spec['native']);
    if (!hasPolicy(spec)) {
      if (present !== undefined && holder?.role !== undefined)
        await this.#client.send({ method: 'DELETE', route: '/policies/:id', params: { id }, signal });
      return;
    }
    const isPublic = native['public'] === true;
    const rows = world.rowsOf(id).filter((row) => row.role === undefined && row.user === undefined);
    const access = {
      create: isPublic && rows.length === 0 ? [{ id: uuid('public', id), role: null, user: null }] : [],
      update: [],
      delete: isPublic ? [] : rows.map((row) => row.id),
    };
    const body: JsonObject = {
      ...policyFields(spec),
      description: describe(step, wanted, present),
      permissions: ruleChanges(rulesOf(saidBy(spec)), holder?.permissions ?? []),
      ...(access.create.length + access.delete.length === 0 ? {} : { users: access }),
    };
    await (present === undefined
      ? this.#client.send({ method: 'POST', route: '/policies', body: { id, ...body }, signal })
      : this.#client.send({ method: 'PATCH', route: '/policies/:id', params: { id }, body, signal }));
  }

  async role(step: Step, wanted: Wanted, { world, signal }: Scene): Promise<void> {
    const { id, spec, holder } = wanted;
    const present = holder?.role;
    const native = objectOf(spec['native']);
    if (native['role'] === undefined) {
      if (present === undefined) return;
      await this.#expectEmpty(step, id, signal);
      await this.#client.send({ method: 'DELETE', route: '/roles/:id', params: { id }, signal });
      return;
    }
    const joining = objectOf(native['role']);
    const parent = textOf(joining['parent']);
    const joins = new Set([
      ...textsOf(joining['policies']).map((name) => found(step, world.named(name), name).id),
      ...(hasPolicy(spec) ? [id] : []),
    ]);
    const rows = world.access.filter((row) => row.role === id);
    const missing = [...joins].filter((policy) => !rows.some((row) => row.policy === policy));
    const surplus = rows.filter((row) => !joins.has(row.policy) && (row.policy !== id || !hasPolicy(spec)));
    const body: JsonObject = {
      name: spec['title'] ?? '',
      icon: native['icon'] ?? ICONS.role,
      description: describe(step, wanted, present),
      parent: parent === undefined ? null : found(step, world.named(parent), parent).id,
      policies: {
        create: missing.map((policy) => ({ id: uuid(`joins ${policy}`, id), policy })),
        update: [],
        delete: surplus.filter((row) => row.policy !== id || holder?.policy === undefined).map((row) => row.id),
      },
    };
    await (present === undefined
      ? this.#client.send({ method: 'POST', route: '/roles', body: { id, ...body }, signal })
      : this.#client.send({ method: 'PATCH', route: '/roles/:id', params: { id }, body, signal }));
  }

  async remove(step: Step, holder: Holder, { world, signal }: Scene): Promise<void> {
    const { id } = holder;
    const held = grantsOf(world, holder).filter(({ value }) => usersOf(value).length > 0);
    if (held.length > 0)
      throw inUse(
        step,
        held.map(({ title }) => title),
      );
    if (holder.role !== undefined) {
      await this.#expectEmpty(step, id, signal);
      await this.#client.send({ method: 'DELETE', route: '/roles/:id', params: { id }, signal });
    }
    if (holder.policy !== undefined)
      await this.#client.send({ method: 'DELETE', route: '/policies/:id', params: { id }, signal });
  }

  async release(holder: Holder, { signal }: Scene): Promise<void> {
    for (const [route, row] of [
      ['/roles/:id', holder.role],
      ['/policies/:id', holder.policy],
    ] as const) {
      if (row === undefined) continue;
      const { text, note } = readNote(textOf(row['description']) ?? '');
      const { marker: _, ...rest } = note;
      const body = { description: writeNote(text, rest) };
      await this.#client.send({ method: 'PATCH', route, params: { id: holder.id }, body, signal });
    }
  }

  /** Deleting a role would leave its members without any, and nobody would hear of it. */
  async #expectEmpty(step: Step, role: string, signal: AbortSignal): Promise<void> {
    const members = await this.#access.members(role, signal);
    if (members.length > 0) throw inUse(step, members);
  }
}

/** What a description is to say: the visible text, and the note with the marker and the grants that stand in it. */
function describe(step: Step, { id, spec }: Wanted, present: JsonObject | undefined): string | null {
  const kept: Note = readNote(textOf(present?.['description']) ?? '').note;
  const fields: Readonly<Record<string, string>> = spec['exclusive'] === true ? { exclusive: 'true' } : {};
  const marker = step.marker === undefined ? {} : { marker: { ...step.marker, remote: id } };
  return writeNote(textOf(objectOf(spec['native'])['description']) ?? '', { ...kept, ...marker, fields });
}

/** Rules that are missing, and rows that are too many; rows that stand are not touched. */
function ruleChanges(wanted: readonly Rule[], present: readonly JsonObject[]): JsonObject {
  const missing = new Map(wanted.map((rule) => [keyOf(rule), rule]));
  const surplus: JsonObject[string][] = [];
  for (const row of present) if (!missing.delete(keyOf(ruleOf(row)))) surplus.push(row['id'] ?? null);
  return { create: [...missing.values()].map(rowOf), update: [], delete: surplus };
}

function found(step: Step, holder: Holder | undefined, name: string): Holder {
  if (holder !== undefined) return holder;
  throw new ReconcilerError(`${step.change.key} joins ${name}, which is not on the platform, or not once.`, 'replan', {
    code: 'dependency-missing',
    remedy: 'Write an AccessRole of that name, or correct native.role.',
  });
}

function inUse({ change }: Step, who: readonly string[]): ReconcilerError {
  const some = who.slice(0, 3).join(', ');
  return new ReconcilerError(`${change.key} is held by ${who.length} (${some}), through grants that stay.`, 'never', {
    code: 'role-in-use',
    remedy: 'Take those grants away first, or release the role.',
  });
}
