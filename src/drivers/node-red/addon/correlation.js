'use strict';

/**
 * Which execution a message belongs to. Messages keep their `_msgid` along a flow, but some nodes make new ones (split,
 * function), so three things are known: the id; which node is handling a message right now (`frames`); and which messages
 * a node has not said done for.
 */
class Correlation {
  constructor(maxMessages) {
    this.maxMessages = maxMessages;
    /** `_msgid` + tab → execution. */
    this.byMessage = new Map();
    /** Message object → destinations it was announced to. */
    this.underWay = new WeakMap();
    /** Message object → its handlings. */
    this.handlings = new WeakMap();
    /** Node id → handlings that are not over. */
    this.atNode = new Map();
    /** Handlings whose handler has not returned, innermost last. */
    this.frames = [];
    this.tabs = new WeakMap();
  }

  /** The tab a node runs on: for a node inside subflows, that of the outermost instance. Undefined for global config nodes. */
  tabOf(node) {
    const flow = node?._flow;
    if (flow === undefined || flow === null) return undefined;
    let tab = this.tabs.get(flow);
    if (tab === undefined) {
      let outer = flow;
      while (outer.TYPE !== 'flow' && outer.parent) outer = outer.parent;
      tab = outer.id;
      this.tabs.set(flow, tab);
    }
    return tab === 'global' ? undefined : tab;
  }

  /** @param handed the node was handed the message by another one's handler (status, complete), not by a wire. */
  lookup(msg, node, tab, handed) {
    const known = this.byMessage.get(msg._msgid + tab);
    if (known !== undefined) return known;
    const cause = handed ? this.frames[this.frames.length - 1] : this.handlingAt(node.id);
    if (cause === undefined || cause.execution.closed || cause.execution.tab !== tab) return undefined;
    this.remember(msg, cause.execution);
    return cause.execution;
  }

  remember(msg, execution) {
    const key = msg._msgid + execution.tab;
    this.byMessage.set(key, execution);
    execution.messages.push(key);
    if (this.byMessage.size > this.maxMessages) this.byMessage.delete(this.byMessage.keys().next().value);
  }

  forget(execution) {
    for (const key of execution.messages) if (this.byMessage.get(key) === execution) this.byMessage.delete(key);
    execution.messages = [];
    // A node that never says done would else keep its handlings for ever.
    for (const handling of execution.handlings ?? []) this.drop(handling);
    execution.handlings = undefined;
  }

  announce(msg, node) {
    const nodes = this.underWay.get(msg);
    if (nodes === undefined) this.underWay.set(msg, [node]);
    else nodes.push(node);
  }

  arrive(msg, node) {
    const nodes = this.underWay.get(msg);
    const index = nodes === undefined ? -1 : nodes.indexOf(node);
    if (index < 0) return false;
    nodes.splice(index, 1);
    return true;
  }

  enter(msg, node, execution) {
    const handling = { msg, node, execution, failed: false, over: false };
    const ofMessage = this.handlings.get(msg);
    if (ofMessage === undefined) this.handlings.set(msg, [handling]);
    else ofMessage.push(handling);
    const here = this.atNode.get(node.id);
    if (here === undefined) this.atNode.set(node.id, new Set([handling]));
    else here.add(handling);
    execution.handlings ??= new Set();
    execution.handlings.add(handling);
    // A handler that another hook kept from running never returns; flows do not nest this deep.
    if (this.frames.length > 1000) this.frames = [];
    this.frames.push(handling);
  }

  leave(msg, node) {
    for (let index = this.frames.length - 1; index >= 0; index -= 1) {
      const frame = this.frames[index];
      if (frame.msg === msg && frame.node === node) {
        this.frames.length = index;
        return frame;
      }
    }
    return undefined;
  }

  find(msg, node) {
    return this.handlings.get(msg)?.find((handling) => handling.node === node);
  }

  /** What a node is working on: what its handler is in, else the one message that it has not said done for. */
  handlingAt(nodeId) {
    const frame = this.frames[this.frames.length - 1];
    if (frame?.node.id === nodeId) return frame;
    const here = this.atNode.get(nodeId);
    if (here === undefined) return undefined;
    let only;
    for (const handling of here) {
      if (only !== undefined && only.execution !== handling.execution) return undefined;
      only = handling;
    }
    return only;
  }

  /** @returns false when it was over already. */
  end(handling) {
    if (handling.over) return false;
    handling.execution.handlings?.delete(handling);
    this.drop(handling);
    return true;
  }

  drop(handling) {
    handling.over = true;
    const here = this.atNode.get(handling.node.id);
    here?.delete(handling);
    if (here?.size === 0) this.atNode.delete(handling.node.id);
    const ofMessage = this.handlings.get(handling.msg);
    const index = ofMessage?.indexOf(handling) ?? -1;
    if (index >= 0) ofMessage.splice(index, 1);
  }
}

module.exports = { Correlation };
