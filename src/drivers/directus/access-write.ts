import type { RemoteObject } from '../../plan/types.ts';
import type { Outcome, Step } from '../driver.ts';
import type { Access } from './access.ts';
import { roleObject } from './access.ts';
import { GrantWriter } from './access-grant-write.ts';
import { grantsOf, usersOf } from './access-grant.ts';
import { RoleWriter, type Scene } from './access-role-write.ts';
import { normalizeRole } from './access-role.ts';
import type { AccessWorld, Holder } from './access-world.ts';
import type { DirectusClient } from './client.ts';
import { asReconcilerError, failed, skipped, stale, taken, unconfirmed } from './outcomes.ts';
import { objectId } from './ids.ts';
import { objectOf } from './json.ts';

/**
 * Carries out access steps one after the other, each on what was read just before it: they are few, and they share the
 * descriptions in which they are noted. A policy changes with all its permissions in one request.
 */
export class AccessWriter {
  readonly #access: Access;
  readonly #roles: RoleWriter;
  readonly #grants: GrantWriter;

  constructor(client: DirectusClient, access: Access) {
    this.#access = access;
    this.#roles = new RoleWriter(client, access);
    this.#grants = new GrantWriter(client);
  }

  async *write(steps: readonly Step[], signal: AbortSignal): AsyncGenerator<Outcome> {
    const subjects = await subjectsOf(steps);
    const sent: Step[] = [];
    let world: AccessWorld | undefined;
    let isNew = true;
    for (const step of await inOrder(steps)) {
      if (signal.aborted) {
        yield skipped(step);
        continue;
      }
      try {
        // New policies have nothing to do with each other; everything else is done on what the last step left.
        if (world === undefined || !(isNew &&= await standsAlone(step)))
          world = await this.#access.world(signal, subjects);
        await this.#one(step, { world, signal });
        sent.push(step);
      } catch (error) {
        world = undefined;
        yield failed(step, asReconcilerError(error));
      }
    }
    yield* this.#confirm(sent, subjects, signal);
  }

  /** What was written is looked at: Directus answers 204 to a change of nothing. */
  async *#confirm(steps: readonly Step[], subjects: readonly string[], signal: AbortSignal): AsyncGenerator<Outcome> {
    if (steps.length === 0) return;
    try {
      const world = await this.#access.world(signal, subjects);
      for (const step of steps) yield outcomeOf(step, world);
    } catch (error) {
      yield* steps.map((step) => failed(step, asReconcilerError(error)));
    }
  }

  async #one(step: Step, scene: Scene): Promise<void> {
    const { change } = step;
    if (change.kind === 'AccessGrant') return await this.#grants.write(step, scene);
    const id = change.verb === 'create' ? objectId(step.owner, change.key) : change.remote.id;
    const holder = scene.world.holders.get(id);
    if (change.verb === 'delete' || change.verb === 'release') {
      if (holder === undefined) return;
      if (scene.world.versionOf(holder) !== change.remote.version) throw stale(step);
      await (change.verb === 'delete' ? this.#roles.remove(step, holder, scene) : this.#roles.release(holder, scene));
      return;
    }
    if (change.verb === 'create') expectOurs(step, holder);
    else if (holder === undefined || scene.world.versionOf(holder) !== change.remote.version) throw stale(step);
    const spec = normalizeRole({ ...(await step.desired()), title: change.title });
    await this.#roles.policy(step, { id, spec, holder }, scene);
    await this.#roles.role(step, { id, spec, holder }, scene);
  }
}

/** Policies before roles that join them, parents before children, grants last. */
async function inOrder(steps: readonly Step[]): Promise<readonly Step[]> {
  const ranked = await Promise.all(
    steps.map(async (step) => {
      const { verb, kind } = step.change;
      if (kind === 'AccessGrant') return { step, rank: verb === 'delete' ? -1 : 3 };
      if (verb === 'delete') return { step, rank: 4 };
      if (verb === 'release') return { step, rank: 0 };
      const role = objectOf(objectOf((await step.desired())['native'])['role']);
      return { step, rank: Object.keys(role).length === 0 ? 0 : role['parent'] === undefined ? 1 : 2 };
    }),
  );
  return ranked.toSorted((one, other) => one.rank - other.rank).map(({ step }) => step);
}

/** Whether a step makes a policy that depends on nothing else in its stage. */
async function standsAlone(step: Step): Promise<boolean> {
  const { change } = step;
  if (change.kind !== 'AccessRole' || change.verb !== 'create') return false;
  return objectOf((await step.desired())['native'])['role'] === undefined;
}

async function subjectsOf(steps: readonly Step[]): Promise<readonly string[]> {
  const grants = steps.filter(
    ({ change }) => change.kind === 'AccessGrant' && change.verb !== 'delete' && change.verb !== 'release',
  );
  return [...new Set((await Promise.all(grants.map(async (step) => usersOf(await step.desired())))).flat())];
}

function outcomeOf(step: Step, world: AccessWorld): Outcome {
  const { change, owner } = step;
  const id = change.verb === 'create' ? objectId(owner, change.key) : change.remote.id;
  const object = objectIn(world, change.kind, id);
  if (change.verb === 'delete')
    return object === undefined ? { status: 'applied', change } : failed(step, unconfirmed(step));
  if (object === undefined)
    return change.verb === 'release' ? { status: 'applied', change } : failed(step, unconfirmed(step));
  const claim = object.marker;
  const isMarked = claim?.key === change.key && claim.applied === step.marker?.applied;
  if (change.verb !== 'release' && !isMarked) return failed(step, unconfirmed(step));
  return { status: 'applied', change, remote: { id, version: object.version } };
}

function objectIn(world: AccessWorld, kind: string, id: string): RemoteObject | undefined {
  if (kind === 'AccessRole') {
    const holder = world.holders.get(id);
    return holder === undefined ? undefined : roleObject(world, holder);
  }
  for (const holder of world.holders.values()) {
    const found = grantsOf(world, holder).find(({ remote }) => remote === id);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An id that is taken is ours by an earlier try, or it is not ours any more. */
function expectOurs(step: Step, holder: Holder | undefined): void {
  const claim = holder?.note.marker;
  if (holder !== undefined && (claim?.owner !== step.owner || claim.key !== step.change.key)) throw taken(step);
}
