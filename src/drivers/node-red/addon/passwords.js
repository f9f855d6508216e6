'use strict';

const { scrypt, timingSafeEqual } = require('node:crypto');
const { createRequire } = require('node:module');
const path = require('node:path');

const FORM = /^scrypt\$(\d{1,7})\$(\d{1,3})\$(\d{1,2})\$([A-Za-z0-9_-]{16,128})\$([A-Za-z0-9_-]{32,128})$/;

/** The parts of `scrypt$N$r$p$salt$key` (base64url), or undefined when it is none or would take too much to check. */
function parse(hash) {
  const match = typeof hash === 'string' ? FORM.exec(hash) : null;
  if (match === null) return undefined;
  const [N, r, p] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (N < 1024 || (N & (N - 1)) !== 0 || 128 * N * r * p > 2 ** 28) return undefined;
  return { N, r, p, salt: Buffer.from(match[4], 'base64url'), key: Buffer.from(match[5], 'base64url') };
}

/** Whether a password is the one behind a scrypt hash. */
function matches(password, hash) {
  const known = parse(hash);
  if (known === undefined || typeof password !== 'string') return Promise.resolve(false);
  const { N, r, p, salt, key } = known;
  return new Promise((resolve) => {
    scrypt(password, salt, key.length, { N, r, p, maxmem: 2 ** 29 }, (error, derived) => {
      resolve(error === null && timingSafeEqual(derived, key));
    });
  });
}

let bcrypt;

/**
 * The bcrypt that Node-RED itself uses. An add-on without dependencies has to find it beside the module of Node-RED that
 * is already loaded, wherever that was installed.
 */
function nodeRedBcrypt() {
  if (bcrypt !== undefined) return bcrypt;
  const users = path.join('@node-red', 'editor-api', 'lib', 'auth', 'users.js');
  const loaded = Object.keys(require.cache).find((file) => file.endsWith(users));
  if (loaded === undefined) return undefined;
  const near = createRequire(loaded);
  for (const name of ['@node-rs/bcrypt', 'bcryptjs']) {
    try {
      bcrypt = near(name);
      return bcrypt;
    } catch {
      // The next one; Node-RED does the same.
    }
  }
  return undefined;
}

/** Whether a password is that of a user of settings.js, who has a bcrypt hash (or a scrypt one, when Plumbline made it). */
async function matchesBase(password, hash) {
  if (typeof password !== 'string' || typeof hash !== 'string') return false;
  if (hash.startsWith('scrypt$')) return matches(password, hash);
  const library = nodeRedBcrypt();
  if (library === undefined)
    throw new Error('Plumbline: cannot find the bcrypt library of Node-RED, so no password can be checked.');
  return library.compare(password, hash).catch(() => false);
}

module.exports = { parse, matches, matchesBase };
