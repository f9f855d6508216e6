import { ReconcilerError, messageOf } from '../../errors.ts';
import { contentHash } from '../../manifest/canonical.ts';
import type { RemoteObject } from '../../plan/types.ts';
import type { Listed, Outcome, Refusal, Step } from '../driver.ts';
import { normalizeGrant, normalizeRole } from './access-normalize.ts';
import { type Obstacle, grantObstacle, roleObstacle } from './access-rules.ts';
import { type Effect, type Hashes, effectOf, foreignMembers, markerOf } from './access-write.ts';
import type { Access, AccessEntry, AccessWrite, AddonClient } from './addon-client.ts';

export type AccessKind = 'AccessRole' | 'AccessGrant';

/** Front of the remote id of what a user of settings.js may do: reported, never written. */
const SETTINGS = 'settings.js:';
/** Writes that lose the race against another writer before it is left to the next pass. */
const ATTEMPTS = 5;
/** Codes that say: access cannot be listed here, the rest of the platform can. */
const UNLISTABLE = new Set(['addon-missing', 'access-control-off', 'access-store', 'unauthorized']);

/** Roles and grants on one Node-RED, kept by the add-on. Additive: what others may do there is only reported. */
export class AccessClient {
  readonly #addon: AddonClient;

  constructor(addon: AddonClient) {
    this.#addon = addon;
  }

  /** Roles, grants, and the permissions of the users of settings.js as unmanaged grants; a `Listed` per kind. */
  async *observe(kinds: readonly AccessKind[], signal: AbortSignal): AsyncGenerator<RemoteObject | Listed> {
    let access: Access;
    try {
      access = await this.#addon.access(signal);
    } catch (error) {
      if (!(error instanceof ReconcilerError) || !UNLISTABLE.has(error.code ?? '')) throw error;
      for (const listed of kinds) yield { listed, complete: false, because: error.message };
      return;
    }
    const wanted = new Set<string>(kinds);
    for (const entry of access.entries) {
      const object = remoteOf(entry);
      if (wanted.has(object.kind)) yield object;
    }
    if (wanted.has('AccessGrant')) yield* settingsUsers(access);
    for (const listed of kinds) yield { listed, complete: true };
  }

  /** Access steps that Node-RED could not enforce exactly, or that must not be made. */
  async preflight(steps: readonly Step[], signal: AbortSignal): Promise<readonly Refusal[]> {
    if (steps.length === 0) return [];
    let access: Access;
    try {
      access = await this.#addon.access(signal);
    } catch (error) {
      if (!(error instanceof ReconcilerError) || !UNLISTABLE.has(error.code ?? '')) throw error;
      const { message: because, remedy = 'See what Node-RED says in its log.' } = error;
      return steps.map(({ change }) => ({ key: change.key, because, remedy }));
    }
    const refusals: Refusal[] = [];
    for (const step of steps) {
      const obstacle = await obstacleOf(step, access, steps);
      if (obstacle !== undefined) refusals.push({ key: step.change.key, ...obstacle });
    }
    return refusals;
  }

  /**
   * Carries out access steps in one write. When somebody else wrote in between, the file is read again and what is still
   * true is written; a step whose object was changed meanwhile fails with `replan`. A refused write is split, so that
   * only the culprit fails.
   */
  async apply(steps: readonly Step[], signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#apply(steps, new Map(), signal);
  }

  async #apply(steps: readonly Step[], hashes: Hashes, signal: AbortSignal): Promise<readonly Outcome[]> {
    if (steps.length === 0) return [];
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const access = await this.#addon.access(signal);
        const effects = await Promise.all(steps.map((step) => effectOf(step, access, steps, hashes).catch(failed)));
        const set = effects.flatMap((effect): AccessWrite[] => ('set' in effect ? [effect.set] : []));
        const remove = effects.flatMap((effect) => ('remove' in effect ? [effect.remove] : []));
        if (set.length + remove.length === 0) return steps.map((step, index) => outcome(step, effects[index], access));
        const { revision } = access;
        const sensitive = await sensitiveOf(steps);
        const result = await this.#addon.changeAccess({ revision, set, remove, sensitive }, signal);
        if (result === 'stale') continue;
        if ('entries' in result) return steps.map((step, index) => outcome(step, effects[index], result));
        if (steps.length === 1) return steps.map((change) => refused(change, result));
        const middle = Math.ceil(steps.length / 2);
        const first = await this.#apply(steps.slice(0, middle), hashes, signal);
        return [...first, ...(await this.#apply(steps.slice(middle), hashes, signal))];
      }
      throw new ReconcilerError(
        'The access file of Node-RED was changed by others each time it was to be written.',
        'backoff',
        {
          code: 'stale-write',
          remedy: 'See who else writes there: one Plumbline per platform is enough.',
        },
      );
    } catch (error) {
      return steps.map(({ change }) => ({ status: 'failed', change, error: asReconcilerError(error) }));
    }
  }
}

function remoteOf(entry: AccessEntry): RemoteObject {
  const role = entry.kind === 'role';
  const marker = markerOf(entry);
  const secrets = Object.entries(entry.passwords ?? {}).map(
    ([user, { has_password }]) => [`password:${user}`, has_password] as const,
  );
  return {
    kind: role ? 'AccessRole' : 'AccessGrant',
    remote: entry.id,
    title: entry.title,
    value: role ? normalizeRole(entry.value) : normalizeGrant(entry.value),
    version: String(entry.revision),
    createdAt: entry.createdAt,
    changedAt: entry.changedAt,
    ...(marker === undefined ? {} : { marker }),
    ...(role ? {} : { secretsSet: Object.fromEntries(secrets) }),
    ...(entry.changedBy === undefined ? {} : { changedBy: entry.changedBy }),
  };
}

function* settingsUsers(access: Access): Generator<RemoteObject> {
  for (const { username, permissions } of access.users ?? []) {
    const title = `${username} (settings.js)`;
    const value = { title, subjects: [{ user: username }], scope: { platform: true }, native: { permissions } };
    yield { kind: 'AccessGrant', remote: `${SETTINGS}${username}`, title, value, version: contentHash(value) };
  }
}

async function obstacleOf(step: Step, access: Access, steps: readonly Step[]): Promise<Obstacle | undefined> {
  const { change } = step;
  if (change.verb !== 'create' && change.remote.id.startsWith(SETTINGS)) {
    return {
      because: 'users of settings.js are not changed by Plumbline',
      remedy: 'Change settings.js on the server.',
    };
  }
  if (change.verb === 'release') return undefined;
  if (change.verb === 'delete') {
    const role = access.entries.find((entry) => entry.id === change.remote.id && entry.kind === 'role');
    const members = role === undefined ? [] : foreignMembers(role, access, steps);
    if (members.length === 0) return undefined;
    return {
      because: `${members.join(', ')} would lose the role through a grant that Plumbline does not take away here`,
      remedy: 'Take those grants away first, or release the role.',
    };
  }
  if (change.kind === 'AccessRole') return roleObstacle(normalizeRole(await step.desired()));
  const base = new Set((access.users ?? []).map(({ username }) => username));
  const own = change.secrets.map((name) => name.replace(/^password[:/]/, '')).find((user) => base.has(user));
  if (own !== undefined) {
    return {
      because: `${own} is a user of settings.js, which alone decides that password`,
      remedy: 'Remove the password from the grant.',
    };
  }
  return grantObstacle(normalizeGrant(await step.desired()));
}

function outcome({ change }: Step, effect: Effect | undefined, access: Access): Outcome {
  if (effect === undefined) return { status: 'skipped', change, because: 'it was not looked at' };
  if ('error' in effect) return { status: 'failed', change, error: effect.error };
  if ('remove' in effect) return { status: 'applied', change };
  if ('nothing' in effect)
    return { status: 'applied', change, ...(effect.nothing === undefined ? {} : { remote: effect.nothing }) };
  const entry = access.entries.find(({ id }) => id === effect.set.id);
  return {
    status: 'applied',
    change,
    remote: { id: effect.set.id, version: String(entry?.revision ?? access.revision) },
  };
}

function refused({ change }: Step, refusal: { readonly code: string; readonly message?: string | undefined }): Outcome {
  const error = new ReconcilerError(`${change.key} was refused: ${refusal.message ?? refusal.code}.`, 'never', {
    code: refusal.code,
    remedy:
      refusal.code === 'own-account' || refusal.code === 'last-administrator'
        ? 'Give an administrator that stays the permission "*" first.'
        : 'Change the manifest accordingly.',
  });
  return { status: 'failed', change, error };
}

function failed(error: unknown): Effect {
  return { error: asReconcilerError(error) };
}

function asReconcilerError(error: unknown): ReconcilerError {
  return error instanceof ReconcilerError ? error : new ReconcilerError(messageOf(error), 'backoff', { cause: error });
}

/** Passwords that these steps set: only their hashes are sent, and no error may show them. */
async function sensitiveOf(steps: readonly Step[]): Promise<string[]> {
  const writing = steps.filter(({ change }) => 'secrets' in change && change.secrets.length > 0);
  const values = await Promise.all(writing.map((step) => step.secrets()));
  return values.flatMap((byName) => Object.values(byName).map((value) => value.reveal()));
}
