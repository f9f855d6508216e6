import { ReconcilerError } from '../../errors.ts';
import type { JsonObject } from '../../manifest/manifest.ts';
import type { Step } from '../driver.ts';
import { grantVersion, grantsOf, heldBy, membershipIn, normalizeGrant, usersOf } from './access-grant.ts';
import { type AccessWorld, type Holder, type User, grantRow } from './access-world.ts';
import type { DirectusClient } from './client.ts';
import { stale, taken } from './outcomes.ts';
import { objectId, uuid } from './ids.ts';
import { textOf } from './json.ts';
import { type GrantNote, writeNote } from './note.ts';

interface Scene {
  readonly world: AccessWorld;
  readonly signal: AbortSignal;
}

/** A grant on the platform, with what it gives. */
interface Place {
  readonly id: string;
  readonly holder: Holder;
  readonly grant: GrantNote | undefined;
}

/**
 * Gives roles to users and takes them away. What a policy gives changes in one request, together with the note that says
 * whose it is. A role that is one in Directus' sense is given by making the user its member, of which there can be one.
 */
export class GrantWriter {
  readonly #client: DirectusClient;

  constructor(client: DirectusClient) {
    this.#client = client;
  }

  /** @throws ReconcilerError when it cannot be done, or was changed meanwhile. */
  async write(step: Step, scene: Scene): Promise<void> {
    const { change } = step;
    const id = change.verb === 'create' ? objectId(step.owner, change.key) : change.remote.id;
    const place = placeOf(id, scene.world);
    if (change.verb === 'delete' || change.verb === 'release') {
      if (place === undefined) return;
      if (versionAt(place, scene.world) !== change.remote.version) throw stale(step);
      if (change.verb === 'delete') await this.#take(place, scene);
      else if (place.grant !== undefined)
        await this.#note(place.holder, { ...place.holder.note.grants, [id]: bare(place.grant) }, [], scene);
      return;
    }
    if (change.verb === 'create') expectOurs(step, place);
    else if (place === undefined || versionAt(place, scene.world) !== change.remote.version) throw stale(step);
    await this.#give(step, { id, place }, scene);
  }

  async #give(
    step: Step,
    { id, place }: { readonly id: string; readonly place: Place | undefined },
    scene: Scene,
  ): Promise<void> {
    const { world } = scene;
    const spec = normalizeGrant(await step.desired());
    const holder = roleFor(step, textOf(spec['role']) ?? '', world);
    const users = await this.#users(step, usersOf(spec), scene);
    // A grant that now gives another role first stops giving the old one.
    if (place !== undefined && place.holder.id !== holder.id) await this.#take(place, scene);
    const until = textOf(spec['expiresAt']);
    const why = textOf(spec['justification']);
    const grant: GrantNote = {
      title: step.change.title,
      ...(step.marker === undefined ? {} : { marker: { ...step.marker, remote: id } }),
      users: users.map((user) => user.id).toSorted(),
      ...(until === undefined ? {} : { until }),
      ...(why === undefined ? {} : { why }),
    };
    const before = place?.holder.id === holder.id ? (place.grant?.users ?? []) : [];
    const gone = before.filter((user) => !grant.users.includes(user));
    const missing = grant.users.filter((user) => heldBy(world, holder, id, user) === undefined);
    if (holder.role === undefined) {
      const surplus = gone.flatMap((user) => heldBy(world, holder, id, user) ?? []);
      const access = { create: missing.map((user) => ({ id: grantRow(id, user), user })), update: [], delete: surplus };
      await this.#note(holder, { ...holder.note.grants, [id]: grant }, access, scene);
      return;
    }
    await this.#member(
      gone.filter((user) => world.users.get(user)?.role === holder.id),
      null,
      scene,
    );
    await this.#note(holder, { ...holder.note.grants, [id]: grant }, [], scene);
    await this.#member(missing, holder.id, scene);
  }

  /** Takes away what a grant gave, or what somebody gave by hand, and the note of it. */
  async #take({ id, holder, grant }: Place, scene: Scene): Promise<void> {
    const { world, signal } = scene;
    const hand = membershipIn(id);
    if (hand !== undefined) return await this.#member([hand.user], null, scene);
    if (grant === undefined) {
      await this.#client.send({ method: 'DELETE', route: '/access/:id', params: { id }, signal });
      return;
    }
    const { [id]: _, ...grants } = holder.note.grants;
    const held = grant.users.filter((user) => heldBy(world, holder, id, user) !== undefined);
    if (holder.role !== undefined) await this.#member(held, null, scene);
    const rows = holder.role === undefined ? held.flatMap((user) => heldBy(world, holder, id, user) ?? []) : [];
    await this.#note(holder, grants, { create: [], update: [], delete: rows }, scene);
  }

  async #note(
    { id, role, text, note }: Holder,
    grants: Readonly<Record<string, GrantNote>>,
    access: JsonObject | readonly [],
    { signal }: Scene,
  ): Promise<void> {
    const description = writeNote(text, { ...note, grants });
    const rows = Object.keys(access).length === 0 ? {} : { users: access };
    await (role === undefined
      ? this.#client.send({
          method: 'PATCH',
          route: '/policies/:id',
          params: { id },
          body: { description, ...rows },
          signal,
        })
      : this.#client.send({ method: 'PATCH', route: '/roles/:id', params: { id }, body: { description }, signal }));
  }

  async #member(users: readonly string[], role: string | null, { signal }: Scene): Promise<void> {
    if (users.length === 0) return;
    const body = { keys: users, data: { role } };
    await this.#client.send({ method: 'PATCH', route: '/users', body, idempotent: true, signal });
  }

  /** The users that a grant names; one who is not there is made where the grant brings a password. */
  async #users(step: Step, names: readonly string[], scene: Scene): Promise<readonly User[]> {
    const { world, signal } = scene;
    const secrets = await step.secrets();
    const users: User[] = [];
    for (const name of names) {
      const password = secrets[`password:${name}`]?.reveal() ?? passwordFor(secrets, name)?.reveal();
      const known = [...world.users.values()].find((user) => user.name === name);
      if (known === undefined && password === undefined) throw nobody(step, name);
      const id = known?.id ?? uuid(`user ${name}`);
      const sensitive = password === undefined ? [] : [password];
      if (known === undefined)
        await this.#client.send({
          method: 'POST',
          route: '/users',
          body: { id, email: name, password: password ?? null },
          sensitive,
          signal,
        });
      else if (password !== undefined)
        await this.#client.send({
          method: 'PATCH',
          route: '/users/:id',
          params: { id },
          body: { password },
          idempotent: true,
          sensitive,
          signal,
        });
      users.push(known ?? { id, name, role: undefined, hasPassword: true });
    }
    return users;
  }
}

function passwordFor<Value>(secrets: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.entries(secrets).find(([key]) => key.toLowerCase() === `password:${name}`)?.[1];
}

function placeOf(id: string, world: AccessWorld): Place | undefined {
  const holders = [...world.holders.values()];
  const noted = holders.find(({ note }) => note.grants[id] !== undefined);
  if (noted !== undefined) return { id, holder: noted, grant: noted.note.grants[id] };
  const holder = holders.find((one) => grantsOf(world, one).some(({ remote }) => remote === id));
  return holder === undefined ? undefined : { id, holder, grant: undefined };
}

function versionAt({ id, holder, grant }: Place, world: AccessWorld): string | undefined {
  if (grant !== undefined) return grantVersion(world, holder, id, grant);
  return grantsOf(world, holder).find(({ remote }) => remote === id)?.version;
}

/** The role of a grant: the one that carries its owner's marker, else the only one of that name. */
function roleFor({ change, owner }: Step, name: string, world: AccessWorld): Holder {
  const holder = world.claimed({ owner, key: `AccessRole/${name}` }) ?? world.named(name);
  if (holder !== undefined) return holder;
  throw new ReconcilerError(`${change.key} grants AccessRole/${name}, which is not on the platform.`, 'replan', {
    code: 'dependency-missing',
    remedy: 'Nothing to do if the role is about to be created; else see why it was withheld.',
  });
}

function bare(noted: GrantNote): GrantNote {
  const { marker: _marker, ...grant } = noted;
  return grant;
}

function expectOurs(step: Step, place: Place | undefined): void {
  const claim = place?.grant?.marker;
  if (place !== undefined && (claim?.owner !== step.owner || claim.key !== step.change.key)) throw taken(step);
}

function nobody({ change }: Step, name: string): ReconcilerError {
  return new ReconcilerError(`${change.key} names ${name}, and this Directus has no such user.`, 'never', {
    code: 'unknown-user',
    remedy: 'Invite the user on the platform, or give the subject a password, so that Plumbline makes the account.',
  });
}
