'use strict';

const { randomBytes } = require('node:crypto');

/**
 * The last things that happened, numbered. A reader that hands back the cursor it was given sees each item once, and is told
 * how many it missed. In memory only: a restart begins a new epoch, and the reader is told that too.
 */
class Ring {
  constructor(capacity) {
    this.capacity = capacity;
    this.epoch = randomBytes(8).toString('hex');
    this.items = [];
    /** Sequence number of the newest item; the first one is 1. */
    this.last = 0;
    this.start = 0;
  }

  push(item) {
    this.last += 1;
    item.seq = this.last;
    this.items.push(item);
    // Cutting off a block at a time keeps a push cheap.
    if (this.items.length - this.start > this.capacity) this.start += 1;
    if (this.start > this.capacity) {
      this.items = this.items.slice(this.start);
      this.start = 0;
    }
  }

  /** The newest item that is still here and fits. */
  findLast(fits) {
    return this.items.slice(this.start).findLast(fits);
  }

  /** @param cursor `epoch:seq` as returned before, or undefined for everything that is still here. */
  after(cursor, limit) {
    const [epoch, seq] = String(cursor ?? '').split(':');
    const restarted = cursor !== undefined && epoch !== this.epoch;
    const seen =
      restarted || cursor === undefined ? 0 : Math.min(Math.max(0, Number.parseInt(seq, 10) || 0), this.last);
    const oldest = this.last - (this.items.length - this.start) + 1;
    const first = Math.max(seen + 1, oldest);
    const from = this.start + (first - oldest);
    const items = this.items.slice(from, from + limit);
    const next = items.length === 0 ? Math.max(seen, oldest - 1) : items[items.length - 1].seq;
    return { epoch: this.epoch, next: `${this.epoch}:${next}`, items, lost: first - seen - 1, restarted };
  }
}

module.exports = { Ring };
