'use strict';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ID = /^.{1,200}$/s;

/** Header of a request to an http in node; names are lower case once Node.js has read them. */
const HEADER = 'x-plumbline-correlation';

/**
 * Which runs Plumbline is about to start. Anybody may send a header to a public endpoint, so a correlation counts only when
 * it was announced over the admin API before, for one entry node of one tab; the first message that brings it to that node
 * has it, no other ever. Bounded, and forgotten after `keepMs`; an execution that has begun keeps its correlation.
 */
class Announced {
  constructor({ keepMs = 300_000, most = 10_000 } = {}) {
    this.keepMs = keepMs;
    this.most = most;
    /** Correlation → {workflow, entry, expires, execution?}, oldest first. */
    this.known = new Map();
  }

  /** @returns the status to answer with: 201, 409 when it was announced before, 422, or 503 when too many are. */
  announce({ correlation, workflow, entry } = {}) {
    if (!matches(UUID, correlation) || !matches(ID, workflow) || !matches(ID, entry)) return 422;
    this.sweep();
    if (this.known.has(correlation)) return 409;
    if (this.known.size >= this.most) return 503;
    this.known.set(correlation, { workflow, entry, expires: performance.now() + this.keepMs });
    return 201;
  }

  /** The correlation of an execution that begins with this message at this node; undefined for all that is not announced. */
  claim(msg, node, execution) {
    if (this.known.size === 0) return undefined;
    const said = saidBy(msg, node);
    const announced = typeof said === 'string' ? this.known.get(said) : undefined;
    if (announced === undefined || announced.execution !== undefined) return undefined;
    if (announced.workflow !== execution.tab || announced.entry !== node.id) return undefined;
    if (announced.expires <= performance.now()) return undefined;
    announced.execution = execution.id;
    return said;
  }

  /** {workflow, execution?}: the execution once it has begun; undefined when nobody announced it, or long ago. */
  view(correlation) {
    this.sweep();
    const announced = this.known.get(correlation);
    if (announced === undefined) return undefined;
    const { workflow, execution } = announced;
    return { workflow, ...(execution !== undefined && { execution }) };
  }

  sweep() {
    const now = performance.now();
    for (const [correlation, { expires }] of this.known) {
      if (expires > now) return;
      this.known.delete(correlation);
    }
  }
}

function saidBy(msg, node) {
  if (node.type === 'http in') return msg.req?.headers?.[HEADER];
  return node.type === 'inject' ? msg.plumbline?.correlation : undefined;
}

function matches(form, value) {
  return typeof value === 'string' && form.test(value);
}

module.exports = { Announced };
