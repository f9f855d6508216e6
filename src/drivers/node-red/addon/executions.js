'use strict';

const { Announced } = require('./announced.js');
const { Ring } = require('./ring.js');
const { Correlation } = require('./correlation.js');

/**
 * Counts what runs, by the runtime's hooks. An execution is everything that one message sets off on one tab:
 *
 *   preDeliver   a message is on its way         pending + 1
 *   onReceive    a node has it                   (+ 1 when nothing announced it: inject, link in, catch, status)
 *   postReceive  the node's handler returned     pending − 1 when the handler has no `done`
 *   onComplete   the node said done(error?)      pending − 1
 *
 * With nothing pending for `settleMs` it is over; it ended when it last did something. So an answer that a node sends
 * without having announced it, within that time, still belongs to it. A node that promised `done` and never calls it
 * keeps an execution open for `idleMs`; it then counts as a success with `unfinished: true`, because nothing failed.
 * An error counts also when a catch node dealt with it (`caught: true`): a catch-all that logs does not make it a success.
 * The table is bounded: beyond `maxOpen` the oldest execution is closed as unfinished.
 */
class Executions {
  constructor({ settleMs = 2000, idleMs = 600_000, maxOpen = 10_000, keep = 10_000, announced } = {}) {
    this.settleMs = settleMs;
    this.idleMs = idleMs;
    this.maxOpen = maxOpen;
    this.ring = new Ring(keep);
    this.announced = new Announced(announced);
    this.correlation = new Correlation(maxOpen * 10);
    this.open = new Map();
    /** Executions with nothing pending, in the order in which they became so. */
    this.quiet = new Map();
    this.counters = new Map();
    this.lastId = 0;
    this.failures = 0;
  }

  /** Registers the hooks. A fault in here must never reach a flow. */
  attach(hooks) {
    const guarded = (handler) => (event) => {
      try {
        handler(event);
      } catch {
        this.failures += 1;
      }
    };
    // Node-RED tells by the number of parameters whether a hook is synchronous: each takes one.
    hooks.add(
      'preDeliver.plumbline',
      guarded((event) => this.delivered(event)),
    );
    hooks.add(
      'onReceive.plumbline',
      guarded((event) => this.received(event)),
    );
    hooks.add(
      'postReceive.plumbline',
      guarded((event) => this.returned(event)),
    );
    hooks.add(
      'onComplete.plumbline',
      guarded((event) => this.completed(event)),
    );
    this.sweeper = setInterval(() => this.sweep(), Math.min(this.idleMs, 60_000));
    this.sweeper.unref();
  }

  delivered({ msg, source, destination }) {
    const execution = this.executionOf(msg, source.node, false);
    if (execution === undefined) return;
    this.correlation.announce(msg, destination.node);
    this.begin(execution);
  }

  received({ msg, destination: { node } }) {
    const announced = this.correlation.arrive(msg, node);
    const execution = this.executionOf(msg, node, !announced);
    if (execution === undefined) return;
    if (!announced) this.begin(execution);
    this.correlation.enter(msg, node, execution);
    if (node.type === 'catch') this.caught(execution, msg);
  }

  returned({ msg, destination: { node } }) {
    const handling = this.correlation.leave(msg, node);
    if (handling === undefined) return;
    // Without a third parameter the handler cannot say when it is done; one that threw never will.
    if (!node._expectedDoneCount || handling.failed) this.finish(handling);
  }

  completed({ msg, error, node: { node } }) {
    const handling = this.correlation.find(msg, node);
    if (handling === undefined) return;
    if (error) this.failed(handling.execution, error, node);
    this.finish(handling);
  }

  /** An error that a node logged without saying so by `done(error)`: thrown, or by node.error(). */
  logged({ id, msg }) {
    const handling = this.correlation.handlingAt(id);
    if (handling === undefined) return;
    handling.failed = true;
    this.failed(handling.execution, msg, handling.node);
  }

  caught(execution, msg) {
    const source = msg.error?.source?.id;
    const handling = source === undefined ? undefined : this.correlation.handlingAt(source);
    if (handling !== undefined) handling.failed = true;
    this.failed(execution, msg.error, { id: source, type: msg.error?.source?.type });
    execution.caught = true;
  }

  failed(execution, error, node) {
    // Only what happened where: the text of an error holds whatever the flow was working on.
    execution.error ??= `${nameOf(error)} in ${node?.type ?? 'node'} ${node?._alias ?? node?.id ?? ''}`.trim();
    execution.lastAt = performance.now();
  }

  /** The execution a message belongs to on its node's tab; a new one when it belongs to none. */
  executionOf(msg, node, handed) {
    const tab = this.correlation.tabOf(node);
    if (tab === undefined || typeof msg?._msgid !== 'string') return undefined;
    const known = this.correlation.lookup(msg, node, tab, handed);
    if (known !== undefined) return known;
    if (this.open.size >= this.maxOpen) this.closeOldest();
    this.lastId += 1;
    const now = performance.now();
    const started = {
      id: `${this.ring.epoch}-${this.lastId}`,
      tab,
      startedAt: Date.now(),
      firstAt: now,
      lastAt: now,
      pending: 0,
      messages: [],
    };
    started.said = this.announced.claim(msg, node, started);
    this.open.set(started.id, started);
    this.correlation.remember(msg, started);
    return started;
  }

  begin(execution) {
    execution.pending += 1;
    execution.lastAt = performance.now();
    this.quiet.delete(execution.id);
  }

  finish(handling) {
    if (!this.correlation.end(handling)) return;
    const { execution } = handling;
    execution.pending -= 1;
    execution.lastAt = performance.now();
    if (execution.pending > 0 || execution.closed) return;
    this.quiet.set(execution.id, execution);
    this.arm();
  }

  arm() {
    if (this.timer !== undefined || this.quiet.size === 0) return;
    const oldest = this.quiet.values().next().value;
    const wait = Math.max(1, oldest.lastAt + this.settleMs - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const due = performance.now() - this.settleMs;
      for (const execution of this.quiet.values()) {
        if (execution.lastAt > due) break;
        this.close(execution, false);
      }
      this.arm();
    }, wait);
    this.timer.unref();
  }

  sweep() {
    const due = performance.now() - this.idleMs;
    for (const execution of this.open.values()) if (execution.lastAt <= due) this.close(execution, true);
  }

  /** Makes room: the oldest one is over if nothing is pending in it, else it is given up. */
  closeOldest() {
    const oldest = this.open.values().next().value;
    this.close(oldest, oldest.pending > 0);
  }

  /** Flows were stopped: what was under way in them never ends by itself. */
  interrupt() {
    for (const execution of this.open.values()) if (execution.pending > 0) this.close(execution, true);
  }

  close(execution, unfinished) {
    execution.closed = true;
    this.open.delete(execution.id);
    this.quiet.delete(execution.id);
    this.correlation.forget(execution);
    const { id, tab, startedAt, firstAt, lastAt, error, caught, said } = execution;
    const durationMs = Math.round((lastAt - firstAt) * 1000) / 1000;
    const status = error === undefined ? 'success' : 'error';
    const record = { id, workflow: tab, status, startedAt, endedAt: Math.round(startedAt + durationMs), durationMs };
    if (said !== undefined) record.correlation = said;
    if (error !== undefined) record.error = error;
    if (caught) record.caught = true;
    if (unfinished) record.unfinished = true;
    this.ring.push(record);
    const counter = this.counters.get(tab) ?? { success: 0, error: 0, seconds: 0 };
    counter[status] += 1;
    counter.seconds += durationMs / 1000;
    this.counters.set(tab, counter);
  }

  after(cursor, limit) {
    const { items, ...rest } = this.ring.after(cursor, limit);
    const open = [...this.open.values()].slice(Math.max(0, this.open.size - limit)).map(running);
    return { ...rest, executions: items, running: this.open.size, open };
  }

  /** One that runs, or one that has ended and is still kept. */
  find(id) {
    const execution = this.open.get(id);
    return execution === undefined ? this.ring.findLast((record) => record.id === id) : running(execution);
  }

  totals() {
    return {
      epoch: this.ring.epoch,
      running: this.open.size,
      workflows: Object.fromEntries(this.counters),
      failures: this.failures,
    };
  }
}

/** An execution that has begun and not ended. */
function running({ id, tab, startedAt, said }) {
  return { id, workflow: tab, status: 'running', startedAt, ...(said !== undefined && { correlation: said }) };
}

function nameOf(error) {
  const name = error?.code ?? error?.name;
  return typeof name === 'string' && /^[\w.-]{1,60}$/.test(name) ? name : 'Error';
}

module.exports = { Executions };
