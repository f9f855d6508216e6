'use strict';

const { EventEmitter } = require('node:events');
const { readJson, writeAtomically } = require('./files.js');
const { has, union } = require('./permissions.js');
const { checkChange } = require('./access-check.js');

/** Node caps timers at this many milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Roles and grants, in one file of the user directory. A revision number counts the writes: who writes says which
 * revision he has seen. Emits `reduced` when somebody may do less than before, by a write or because a grant ran out.
 */
class AccessStore extends EventEmitter {
  constructor(file) {
    super();
    this.file = file;
    /** Why the file cannot be used. Nobody has a grant then, and nothing is written over it. */
    this.broken = undefined;
    this.revision = 0;
    this.entries = new Map();
    this.byUser = new Map();
    this.load();
  }

  load() {
    try {
      const stored = readJson(this.file) ?? { format: 1, revision: 0, entries: [] };
      if (stored.format !== 1 || !Array.isArray(stored.entries)) throw new Error(`unknown format ${stored.format}`);
      this.take(stored.revision, new Map(stored.entries.map((entry) => [entry.id, entry])));
    } catch (error) {
      this.broken = error.message;
    }
  }

  take(revision, entries) {
    this.revision = revision;
    this.entries = entries;
    this.byUser = new Map();
    for (const entry of entries.values()) {
      for (const user of entry.kind === 'grant' ? entry.users : []) {
        this.byUser.set(user, [...(this.byUser.get(user) ?? []), entry]);
      }
    }
    this.scheduleExpiry();
  }

  /** What grants that have not run out give a user now. */
  permissionsOf(username, now = Date.now()) {
    let permissions = [];
    for (const grant of this.byUser.get(username) ?? []) {
      if (grant.expiresAt !== undefined && grant.expiresAt <= now) continue;
      const role = this.entries.get(grant.roleId);
      if (role?.kind === 'role') permissions = union(permissions, role.permissions);
    }
    return permissions;
  }

  /** Hashes of the passwords by which a user may log in. */
  passwordsOf(username) {
    const grants = this.byUser.get(username) ?? [];
    return grants.flatMap((grant) =>
      Object.hasOwn(grant.passwords, username) ? [grant.passwords[username].hash] : [],
    );
  }

  /** Users that grants make administrators now. */
  administrators(now = Date.now()) {
    return [...this.byUser.keys()].filter((user) => has(this.permissionsOf(user, now), '*'));
  }

  /** Everything but the hashes. */
  view() {
    const entries = [...this.entries.values()].map((entry) => {
      const { passwords, ...shown } = entry;
      if (passwords === undefined) return shown;
      const masked = Object.entries(passwords).map(([user, { slot }]) => [
        user,
        { has_password: true, ...(slot && { slot }) },
      ]);
      return { ...shown, passwords: Object.fromEntries(masked) };
    });
    return { revision: this.revision, entries };
  }

  /**
   * Writes `set` (whole entries) and takes `remove` (ids) away, all or nothing.
   * @param guard (candidate: AccessStore) => Promise<{code, message} | undefined>, asked before anything is written.
   * @returns {status: 200 | 409 | 422 | 500, body}
   */
  async change({ set, remove, revision }, by, guard) {
    if (this.broken !== undefined) return { status: 500, body: { code: 'store-broken', message: this.broken } };
    if (revision !== this.revision) return { status: 409, body: { code: 'stale-revision', revision: this.revision } };
    const problem = checkChange(set, remove, this.entries);
    if (problem !== undefined) return { status: 422, body: problem };
    const entries = this.merge(set, remove, by);
    const candidate = Object.create(AccessStore.prototype, { scheduleExpiry: { value: () => undefined } });
    candidate.take(revision + 1, entries);
    const refusal = await guard(candidate);
    if (refusal !== undefined) return { status: 422, body: refusal };
    // The guard waits for the operator's functions; somebody else may have written meanwhile.
    if (revision !== this.revision) return { status: 409, body: { code: 'stale-revision', revision: this.revision } };
    const before = this.rights();
    writeAtomically(
      this.file,
      `${JSON.stringify({ format: 1, revision: revision + 1, entries: [...entries.values()] })}\n`,
    );
    this.take(revision + 1, entries);
    this.announce(before, by);
    return { status: 200, body: this.view() };
  }

  merge(set, remove, by) {
    const entries = new Map(this.entries);
    for (const id of remove) entries.delete(id);
    for (const entry of set) {
      const known = this.entries.get(entry.id);
      const stored = {
        ...entry,
        revision: this.revision + 1,
        createdAt: known?.createdAt ?? Date.now(),
        changedAt: Date.now(),
      };
      if (by !== undefined) stored.changedBy = by;
      if (entry.kind === 'grant') {
        const kept = Object.entries(entry.passwords ?? {}).map(([user, password]) => [
          user,
          password === 'keep' ? known.passwords[user] : password,
        ]);
        stored.passwords = Object.fromEntries(kept);
      }
      entries.set(entry.id, stored);
    }
    return entries;
  }

  rights() {
    return new Map([...this.byUser.keys()].map((user) => [user, this.permissionsOf(user)]));
  }

  announce(before, by) {
    const reduced = [...before].filter(([user, held]) => !held.every((one) => has(this.permissionsOf(user), one)));
    this.emit('changed', { by });
    if (reduced.length > 0) this.emit('reduced');
  }

  scheduleExpiry() {
    clearTimeout(this.expiry);
    const now = Date.now();
    const next = [...this.entries.values()].map((entry) => entry.expiresAt ?? 0).filter((at) => at > now);
    if (next.length === 0) return;
    const wait = Math.min(Math.min(...next) - now, LONGEST_TIMER);
    this.expiry = setTimeout(() => {
      const ranOut = [...this.entries.values()].some((entry) => entry.expiresAt > now && entry.expiresAt <= Date.now());
      this.scheduleExpiry();
      if (ranOut) this.emit('reduced');
    }, wait);
    this.expiry.unref();
  }
}

module.exports = { AccessStore };
