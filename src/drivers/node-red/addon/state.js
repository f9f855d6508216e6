'use strict';

/** What `wrap` (settings.js) and the plugin (loaded by the runtime) share: one Node-RED per process, so one object. */
module.exports = {
  /** The settings object that Node-RED was given; the runtime completes it (userDir, serverPort) as it starts. */
  settings: undefined,
  /** AccessStore once the plugin has opened it; until then only the operator's own users exist. */
  access: undefined,
  /** What auth.js made of adminAuth; undefined when access control is off. */
  auth: undefined,
  /** Nonce by which Plumbline knows its own child; undefined when Plumbline did not start this process. */
  nonce: undefined,
  /** Changes once the plugin has begun to watch. */
  changes: undefined,
  /** Second argument of `wrap`. */
  options: {},
};
