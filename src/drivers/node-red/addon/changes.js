'use strict';

const { createHash } = require('node:crypto');
const { readJson, writeAtomically } = require('./files.js');

/**
 * Who changed which tab, subflow or config node, and when: at each deploy the flows are compared with those before. Node-RED
 * names the user only in its audit log and on the request, so a deploy is settled
 *
 *   when its request has been answered                (the user is on the request)
 *   when the next deploy begins, before it changes    (Node-RED lets in one after the other)
 *   a moment after a deploy that no request asked for (start, reload by another add-on): by nobody we know
 *
 * Credentials are not part of what is compared: the runtime does not hand them out.
 */
class Changes {
  /** @param eachNode calls back with every node's configuration. @param onChange ({by, at, remotes}) => void */
  constructor(file, eachNode, onChange) {
    this.file = file;
    this.eachNode = eachNode;
    this.onChange = onChange;
    this.units = this.read();
    this.pending = undefined;
    this.loaded = false;
  }

  read() {
    try {
      const stored = readJson(this.file);
      return new Map(Object.entries(stored?.units ?? {}));
    } catch {
      // Only a memory of names and times: a broken file costs no more than those.
      return new Map();
    }
  }

  /** The audit log says that a deploy begins. */
  begins(user) {
    if (this.pending !== undefined) this.settle(this.pending.by);
    this.pending = { by: user?.username };
  }

  /** The request of a deploy has been answered. */
  answered(user, succeeded) {
    if (succeeded) this.settle(user?.username);
    this.pending = undefined;
  }

  /** The runtime has taken over a set of flows. */
  deployed() {
    if (!this.loaded) {
      this.loaded = true;
      this.settle(undefined);
      return;
    }
    clearTimeout(this.late);
    this.late = setTimeout(() => {
      if (this.pending === undefined) this.settle(undefined);
    }, 100);
    this.late.unref();
  }

  settle(by) {
    if (!this.loaded) return;
    const first = this.units.size === 0;
    const hashes = this.hashes();
    const at = Date.now();
    const remotes = [];
    for (const [id, hash] of hashes) {
      const known = this.units.get(id);
      if (known?.hash === hash) continue;
      remotes.push(id);
      // What was there when the add-on first looked was changed by nobody knows whom, nobody knows when.
      this.units.set(id, first && by === undefined ? { hash } : { hash, at, ...(by !== undefined && { by }) });
    }
    for (const id of this.units.keys()) {
      if (hashes.has(id)) continue;
      remotes.push(id);
      this.units.delete(id);
    }
    if (remotes.length === 0) return;
    this.save();
    if (!first || by !== undefined)
      this.onChange({ at, remotes: remotes.slice(0, 1000), ...(by !== undefined && { by }) });
  }

  /** One hash for each tab and subflow with all that is in it, and for each node outside of both. */
  hashes() {
    const digests = new Map();
    this.eachNode((node) => {
      const unit = node.z && node.type !== 'tab' ? node.z : node.id;
      const digest = digests.get(unit) ?? createHash('sha256');
      digest.update(JSON.stringify(node));
      digests.set(unit, digest);
    });
    return new Map([...digests].map(([id, digest]) => [id, digest.digest('base64url')]));
  }

  save() {
    try {
      writeAtomically(this.file, JSON.stringify({ units: Object.fromEntries(this.units) }));
    } catch {
      // A full disk must not stop a deploy.
    }
  }

  /** {id: {by?, at?}} of everything that is there. */
  view() {
    if (this.pending !== undefined) this.settle(this.pending.by);
    return Object.fromEntries([...this.units].map(([id, { by, at }]) => [id, { by, at }]));
  }
}

module.exports = { Changes };
