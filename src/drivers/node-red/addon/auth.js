'use strict';

const { narrow, union } = require('./permissions.js');
const { matches, matchesBase } = require('./passwords.js');

/**
 * Puts Plumbline's grants on top of the operator's adminAuth: his users, tokens and anonymous default keep working as they
 * are, a grant only adds. Three places decide, because Node-RED asks at three:
 *
 *   login            authenticate()   operator's password first; a granted user's own only when settings.js has no such user
 *   each request     users()          nobody left by that name → 401, although the token is still valid
 *   each request     authInfo         Node-RED checks a token's scope as it was at login; `narrowing` cuts it to what holds now
 *
 * @param adminAuth the operator's setting. @param access () => AccessStore | undefined
 */
function wrapAdminAuth(adminAuth, access) {
  const base = { ...adminAuth, ...adminAuth.module };
  delete base.module;
  const listed = typeof base.users === 'function' ? undefined : [base.users ?? []].flat();
  /** Users whose permissions were computed here, so that a scope may be narrowed to them. */
  const live = new WeakSet();

  const findBase = async (username) => {
    if (typeof username !== 'string') return undefined;
    return (
      (listed === undefined ? await base.users(username) : listed.find((user) => user.username === username)) ??
      undefined
    );
  };
  const granted = (username) => access()?.permissionsOf(username) ?? [];

  // Whose rights settings.js tells only at login cannot lose a grant while logged in, so he gets none.
  const known = (own) => own.permissions !== undefined;

  const withGrants = (user) => {
    const { password: _, ...shown } = user;
    const added = granted(user.username);
    const whole = { ...shown, permissions: union(user.permissions, added) };
    live.add(whole);
    return whole;
  };

  async function users(username) {
    const own = await findBase(username);
    if (own !== undefined) return known(own) ? withGrants(own) : own;
    return granted(username).length === 0 ? null : withGrants({ username });
  }

  async function authenticateBase(own, args) {
    if (typeof base.authenticate === 'function') return base.authenticate(...args);
    if (own === undefined) return null;
    if (args.length < 2) return { ...own, ...(args[0]?.photos?.[0] && { image: args[0].photos[0].value }) };
    return (await matchesBase(args[1], own.password)) ? own : null;
  }

  async function authenticate(...args) {
    const username = typeof args[0] === 'string' ? args[0] : args[0]?.username;
    const own = await findBase(username);
    const user = await authenticateBase(own, args);
    if (user) return own === undefined || known(own) ? withGrants(user) : user;
    if (own !== undefined || typeof username !== 'string' || granted(username).length === 0) return null;
    // One argument: a profile that an identity provider vouches for.
    if (args.length === 1) return withGrants({ username });
    for (const hash of access()?.passwordsOf(username) ?? []) {
      if (await matches(args[1], hash)) return withGrants({ username });
    }
    return null;
  }

  /** Express middleware; must run before Node-RED's own routes. */
  function narrowing(req, _res, next) {
    let info;
    Object.defineProperty(req, 'authInfo', {
      configurable: true,
      enumerable: true,
      get: () => info,
      set: (given) => {
        info = given && live.has(req.user) ? { ...given, scope: narrow(given.scope, req.user.permissions) } : given;
      },
    });
    next();
  }

  return {
    adminAuth: { ...base, users, authenticate },
    narrowing,
    /** Whether settings.js has a user of that name, and whether grants can add to what he may do. */
    inspect: async (username) => {
      const own = await findBase(username);
      return { base: own !== undefined, grantable: own === undefined || known(own) };
    },
    /** What settings.js alone gives the user of a request, whatever way he came in. */
    basePermissions: async (user) => (live.has(user) ? (await findBase(user.username))?.permissions : user.permissions),
    /** Users of settings.js with their permissions; undefined when they come from a function. */
    baseUsers: listed?.map((user) => ({ username: user.username, permissions: union(user.permissions, []) })),
  };
}

module.exports = { wrapAdminAuth };
