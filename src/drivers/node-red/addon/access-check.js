'use strict';

const { parse } = require('./passwords.js');

const PERMISSION = /^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_*-]+)*|\*\.[A-Za-z0-9_-]+)$/;
const text = (value, longest) => typeof value === 'string' && value.length > 0 && value.length <= longest;

/** What is wrong with a change, or undefined. `known` is what is stored, by id. */
function checkChange(set, remove, known) {
  if (!Array.isArray(set) || !Array.isArray(remove)) return refusal('"set" and "remove" have to be lists');
  if (set.length + remove.length > 50_000) return refusal('more than 50,000 entries in one change');
  const ids = new Set();
  for (const entry of set) {
    const problem = checkEntry(entry, known);
    if (problem !== undefined) return refusal(problem, entry?.id);
    if (ids.has(entry.id)) return refusal('the id is there twice', entry.id);
    ids.add(entry.id);
  }
  return remove.every((id) => text(id, 200) && !ids.has(id))
    ? undefined
    : refusal('"remove" has to name ids that are not in "set"');
}

function checkEntry(entry, known) {
  if (entry === null || typeof entry !== 'object') return 'an entry has to be an object';
  if (!text(entry.id, 200)) return 'an entry needs an id of at most 200 characters';
  if (!text(entry.title, 500)) return 'an entry needs a title of at most 500 characters';
  if (entry.value === null || typeof entry.value !== 'object') return 'an entry needs a value';
  if (known.has(entry.id) && known.get(entry.id).kind !== entry.kind) return 'an entry does not change its kind';
  if (entry.kind === 'role') return checkRole(entry);
  if (entry.kind === 'grant') return checkGrant(entry, known.get(entry.id));
  return 'the kind has to be "role" or "grant"';
}

function checkRole(entry) {
  const fine =
    Array.isArray(entry.permissions) && entry.permissions.every((one) => text(one, 100) && PERMISSION.test(one));
  return fine ? undefined : 'a role needs a list of permissions such as "flows.read"';
}

function checkGrant(entry, known) {
  if (!Array.isArray(entry.users) || !entry.users.every((user) => text(user, 200)))
    return 'a grant needs a list of users';
  if (!text(entry.roleId, 200)) return 'a grant needs the id of its role';
  if (entry.expiresAt !== undefined && !Number.isSafeInteger(entry.expiresAt))
    return 'expiresAt has to be in milliseconds since 1970';
  for (const [user, password] of Object.entries(entry.passwords ?? {})) {
    if (!entry.users.includes(user)) return 'a password is for a user whom the grant does not name';
    if (password === 'keep') {
      if (!Object.hasOwn(known?.passwords ?? {}, user)) return 'a password that is not there cannot be kept';
    } else if (parse(password?.hash) === undefined || !(password.slot === undefined || text(password.slot, 200))) {
      return 'a password has to come as a scrypt hash';
    }
  }
  return undefined;
}

function refusal(message, id) {
  return { code: 'invalid', message, ...(id !== undefined && { id: String(id) }) };
}

module.exports = { checkChange };
