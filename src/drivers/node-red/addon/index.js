'use strict';

const state = require('./state.js');
const { wrapAdminAuth } = require('./auth.js');
const { logAsJson, watchParent } = require('./child.js');

const DEPLOY = /\/flows?(\/[^/]+)?\/?$/;

/**
 * The whole installation, as the last line of settings.js:
 *
 *   module.exports = require('plumbline/dist/drivers/node-red/addon').wrap(module.exports);
 *
 * Nothing of the operator's settings is taken away: his users, his default, his middleware and his directories stay.
 * @param settings what settings.js exports.
 * @param options executions: {settleMs, idleMs, maxOpen, keep}; hosted: true when Plumbline starts this process itself.
 */
function wrap(settings, options = {}) {
  if (state.settings !== undefined)
    throw new Error('Plumbline: settings are wrapped twice; settings.js needs one wrap only.');
  state.settings = settings;
  state.options = options;
  const middleware = [reportDeploys];
  if (settings.adminAuth) {
    state.auth = wrapAdminAuth(settings.adminAuth, () => state.access);
    settings.adminAuth = state.auth.adminAuth;
    middleware.push(state.auth.narrowing);
  }
  settings.httpAdminMiddleware = [settings.httpAdminMiddleware ?? [], middleware].flat();
  settings.nodesDir = [settings.nodesDir ?? [], __dirname].flat();
  if (options.hosted) {
    watchParent((nonce) => {
      state.nonce = nonce;
    });
    settings.logging = { plumbline: { level: 'info', metrics: false, audit: false, handler: () => logAsJson } };
  }
  return settings;
}

/** Tells the record of changes when a deploy has been answered, and who had asked for it. */
function reportDeploys(req, res, next) {
  if (req.method !== 'GET' && req.method !== 'HEAD' && DEPLOY.test(req.path)) {
    res.on('finish', () => state.changes?.answered(req.user, res.statusCode < 300));
  }
  next();
}

module.exports = { wrap };
