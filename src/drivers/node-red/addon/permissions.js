'use strict';

const READ = /^((.+)\.)?read$/;
const WRITE = /^((.+)\.)?write$/;

/** Node-RED's own rule: whether what is held (a string or a list) contains one permission. */
function has(held, permission) {
  if (Array.isArray(held)) return held.some((one) => has(one, permission));
  if (held === '*' || held === permission) return true;
  if (held === 'read' || held === '*.read') return READ.test(permission);
  if (held === 'write' || held === '*.write') return WRITE.test(permission);
  return false;
}

const list = (permissions) =>
  Array.isArray(permissions) ? permissions : permissions === undefined ? [] : [permissions];

/** What is in both: a token's scope as it was at login, and what its user may do now. */
function narrow(scope, live) {
  const kept = list(scope).filter((one) => has(live, one));
  const within = list(live).filter((one) => has(scope, one));
  return [...new Set([...kept, ...within])];
}

/** Both together, without repetitions. */
function union(one, other) {
  return [...new Set([...list(one), ...list(other)])];
}

module.exports = { has, narrow, union };
