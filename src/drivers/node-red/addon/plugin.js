'use strict';

const path = require('node:path');
const { createHmac } = require('node:crypto');
const state = require('./state.js');
const { AccessStore } = require('./access-store.js');
const { accessRoutes } = require('./access-routes.js');
const { Changes } = require('./changes.js');
const { Executions } = require('./executions.js');
const { executionRoutes } = require('./execution-routes.js');
const { instanceId } = require('./files.js');
const { Ring } = require('./ring.js');
const { version } = require('./package.json');

const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);
const LONGEST_WAIT = 30_000;

/** Called by the runtime once it stands and before it loads flows: what `wrap` announced in settings.js is put in place here. */
module.exports = function plumbline(RED) {
  if (state.settings === undefined) {
    RED.log.warn('Plumbline: the add-on is installed, but settings.js does not wrap its settings with it.');
    return;
  }
  const folder = path.join(state.settings.userDir, 'plumbline');
  const instance = instanceId(folder);
  const events = eventLog();
  state.access = new AccessStore(path.join(folder, 'access.json'));
  if (state.access.broken !== undefined) {
    RED.log.error(
      'Plumbline: the access file cannot be read, so nobody has a grant. Repair or remove it, and restart.',
    );
  }
  state.access.on('changed', ({ by }) =>
    events.push({ type: 'access', at: Date.now(), ...(by !== undefined && { by }) }),
  );
  state.access.on('reduced', closeEditors(RED.server));
  const executions = new Executions(state.options.executions);
  executions.attach(RED.hooks);
  const changes = new Changes(path.join(folder, 'changes.json'), RED.nodes.eachNode, (change) => {
    events.push({ type: 'deploy', ...change });
  });
  state.changes = changes;
  listen(RED, changes, executions);
  const allow = permissionCheck(RED.auth);
  routes(RED.httpAdmin, allow, {
    instance,
    events,
    changes,
    nodeRed: typeof RED.version === 'function' ? RED.version() : RED.version,
  });
  executionRoutes(RED.httpAdmin, allow, executions);
  accessRoutes(RED.httpAdmin, allow);
};

function listen(RED, changes, executions) {
  RED.log.addHandler({
    emit: (_event, message) => {
      if (message.level === RED.log.AUDIT && message.event === 'flows.set') changes.begins(message.user);
      else if (message.level === RED.log.ERROR && message.id !== undefined) executions.logged(message);
    },
  });
  RED.events.on('runtime-event', (event) => {
    if (event.id === 'runtime-deploy') changes.deployed();
  });
  RED.events.on('flows:stopped', ({ type } = {}) => {
    if (type === undefined || type === 'full') executions.interrupt();
  });
}

/** A ring of events, and the readers that wait for the next one. */
function eventLog() {
  const ring = new Ring(1000);
  const waiting = new Set();
  return {
    push(event) {
      ring.push(event);
      for (const wake of waiting) wake();
    },
    waiting,
    after: (cursor) => {
      const { items, ...rest } = ring.after(cursor, 1000);
      return { ...rest, events: items };
    },
  };
}

/**
 * The editor's web sockets are asked who they are only when they open. When rights shrink, all are closed: editors open
 * them again at once, and those who may not any more are refused.
 */
function closeEditors(server) {
  const sockets = new Set();
  server?.on('upgrade', (request, socket) => {
    if (!/\/comms(\?|$)/.test(request.url)) return;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

/** Like Node-RED's own check, but closed to the anonymous, and to other machines when access control is off. */
function permissionCheck(auth) {
  return (permission) => [
    auth.needsPermission(permission),
    (req, res, next) => {
      const open =
        state.auth === undefined && LOOPBACK.has(req.socket.remoteAddress) && !req.headers['x-forwarded-for'];
      if (open || (req.user !== undefined && !req.user.anonymous)) return next();
      return res
        .status(401)
        .json({ code: 'unauthorized', message: 'Plumbline answers only to users of Node-RED who are logged in' });
    },
  ];
}

function routes(app, allow, { instance, events, changes, nodeRed }) {
  // Open to everybody: it tells only whether this is the process that was handed the nonce, and listens on that port.
  app.get('/plumbline/challenge', (req, res) => {
    const challenge = String(req.query.challenge ?? '');
    if (state.nonce === undefined || !/^[\w-]{16,128}$/.test(challenge)) return res.status(404).end();
    const answer = createHmac('sha256', state.nonce).update(`${challenge}:${req.socket.localPort}`).digest('hex');
    return res.json({ answer, ready: changes.loaded });
  });

  app.get('/plumbline/hello', allow('plumbline.read'), (req, res) => {
    const accessControl = state.auth !== undefined;
    const account = req.user?.username;
    const { httpAdminRoot, httpNodeRoot } = state.settings;
    const about = { instance, version, nodeRed, accessControl, ready: changes.loaded, httpAdminRoot, httpNodeRoot };
    res.json({ ...about, ...(account && { account }) });
  });

  app.get('/plumbline/changes', allow('plumbline.read'), (_req, res) => res.json({ changes: changes.view() }));

  app.get('/plumbline/events', allow('plumbline.read'), (req, res) => {
    const cursor = req.query.after;
    const now = events.after(cursor);
    const asked = Number.parseInt(req.query.wait, 10);
    const wait = asked > 0 ? Math.min(asked, LONGEST_WAIT) : 0;
    if (now.events.length > 0 || now.restarted || cursor === undefined || wait === 0 || events.waiting.size >= 100)
      return res.json(now);
    const answer = () => {
      clearTimeout(timer);
      events.waiting.delete(answer);
      if (!res.writableEnded && !res.destroyed) res.json(events.after(cursor));
    };
    const timer = setTimeout(answer, wait);
    events.waiting.add(answer);
    res.on('close', answer);
    return undefined;
  });
}
