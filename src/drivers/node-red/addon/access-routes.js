'use strict';

const state = require('./state.js');
const { has, union } = require('./permissions.js');

/** Names that neither of Node-RED's wildcards `read` and `write` covers: only `*`, or exactly this. */
const SEE = 'plumbline.access.get';
const SET = 'plumbline.access.set';

/**
 * Why a change must not be made, though it is well-formed: it would shut out who makes it, or the last administrator, or
 * it would let a repository decide the password of a user whom settings.js has.
 */
async function guard(candidate, user) {
  for (const entry of candidate.entries.values()) {
    for (const name of entry.kind === 'grant' ? entry.users : []) {
      const { base, grantable } = await state.auth.inspect(name);
      if (base && Object.hasOwn(entry.passwords, name)) {
        const message = `${name} is a user of settings.js, which alone decides that password`;
        return { code: 'base-user', id: entry.id, message };
      }
      if (!grantable) {
        const message = `settings.js tells the permissions of ${name} only at login, so a grant could not be taken away again`;
        return { code: 'base-user', id: entry.id, message };
      }
    }
  }
  const own = union(await state.auth.basePermissions(user), candidate.permissionsOf(user.username));
  if (!has(own, SET)) {
    return {
      code: 'own-account',
      message: `${user.username}, who makes this change, would no longer be allowed to make the next`,
    };
  }
  const base = state.auth.baseUsers;
  const outside = base === undefined || base.some((one) => has(one.permissions, '*'));
  if (!outside && state.access.administrators().length > 0 && candidate.administrators().length === 0) {
    return { code: 'last-administrator', message: 'nobody would be left with the permission "*"' };
  }
  return undefined;
}

/** GET and PUT /plumbline/access. */
function accessRoutes(app, allow) {
  app.get('/plumbline/access', allow(SEE), (_req, res) => {
    if (state.auth === undefined) return res.status(403).json(OFF);
    if (state.access.broken !== undefined)
      return res.status(500).json({ code: 'store-broken', message: state.access.broken });
    return res.json({ ...state.access.view(), users: state.auth.baseUsers ?? null });
  });

  app.put('/plumbline/access', allow(SET), async (req, res) => {
    if (state.auth === undefined) return res.status(403).json(OFF);
    const match = /^"?(\d{1,15})"?$/.exec(req.headers['if-match'] ?? '');
    if (match === null)
      return res.status(428).json({ code: 'if-match', message: 'If-Match has to name the revision that was read' });
    try {
      const change = { set: req.body?.set, remove: req.body?.remove, revision: Number(match[1]) };
      const { status, body } = await state.access.change(change, req.user.username, (candidate) =>
        guard(candidate, req.user),
      );
      return res.status(status).json(status === 200 ? { ...body, users: state.auth.baseUsers ?? null } : body);
    } catch (error) {
      return res.status(500).json({ code: 'store-failed', message: error.code ?? error.message });
    }
  });
}

const OFF = {
  code: 'access-control-off',
  message: 'adminAuth is not set in settings.js, so everybody may do everything',
};

module.exports = { accessRoutes };
