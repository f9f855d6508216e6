import { createHmac, randomBytes } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../report/log.ts';
import { networkOf } from '../connections.ts';

/** Milliseconds. */
const WINDOW = 60_000;
const SLOTS = 65_536;

/**
 * How often one network may be wrong about one target before it has to wait: guessing becomes slow. By target too, because
 * a hosting service sends everybody's pushes from the same addresses, so that a stranger could otherwise have the wrong
 * signatures of their own repository shut out the right ones of others. A fixed table of counters under a secret hash
 * instead of a list of callers: it neither grows nor can somebody be pushed out of it.
 */
export class RefusalLimit {
  readonly #key = randomBytes(32);
  readonly #counts = new Uint16Array(SLOTS);
  readonly #most: number;
  #started = 0;

  /** `most` refusals per minute, network and target. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Seconds to wait; undefined when the caller may try. `now` is milliseconds. */
  waitFor(address: string, target: string, now: number): number | undefined {
    this.#turn(now);
    if ((this.#counts[this.#slot(address, target)] ?? 0) < this.#most) return undefined;
    return Math.max(1, Math.ceil((this.#started + WINDOW - now) / 1000));
  }

  record(address: string, target: string, now: number): void {
    this.#turn(now);
    const slot = this.#slot(address, target);
    this.#counts[slot] = Math.min((this.#counts[slot] ?? 0) + 1, 65_535);
  }

  #turn(now: number): void {
    // A clock that was set back starts anew as well: nobody waits for hours.
    if (now >= this.#started && now < this.#started + WINDOW) return;
    this.#started = now;
    this.#counts.fill(0);
  }

  #slot(address: string, target: string): number {
    const digest = createHmac('sha256', this.#key)
      .update(`${networkOf(address)}\0${target}`)
      .digest();
    return digest.readUInt16BE(0);
  }
}

interface Told {
  at: number;
  since: number;
}

/** Tells in the log why strangers are turned away: each reason and target once a minute, with how often it was. */
export class RefusalLog {
  readonly #log: Log;
  readonly #told = new Map<string, Told>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `target` is a configured name, or undefined: what a stranger made up is not repeated. */
  tell(reason: string, target: string | undefined, address: string, now: number): void {
    this.#atMost(`${reason} ${target ?? ''}`, now, (suppressed) =>
      this.#log.warn('request from outside refused', {
        reason,
        ...(target === undefined ? {} : { target }),
        address,
        suppressed,
        remedy: REMEDIES[reason] ?? 'Nothing to do unless a sender of yours is missing its answer.',
      }),
    );
  }

  /** Why a secret cannot be read, which is nobody's fault outside. */
  unreadable(error: unknown, now: number): void {
    this.#atMost(messageOf(error), now, (suppressed) =>
      this.#log.warn('secret of a hook not readable', { error, suppressed }),
    );
  }

  #atMost(key: string, now: number, tell: (suppressed: number) => void): void {
    const told = this.#told.get(key);
    if (told !== undefined && now >= told.at && now < told.at + WINDOW) {
      told.since += 1;
      return;
    }
    // Targets come from configuration; it may have had others before.
    if (this.#told.size > 1000) this.#told.clear();
    this.#told.set(key, { at: now, since: 0 });
    tell(told?.since ?? 0);
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  signature: 'If it is a sender of yours, give it the secret that the configuration refers to.',
  stale: 'If it is a sender of yours, set its clock or this machine’s; otherwise somebody repeats old requests.',
  secret: 'Make the secret that the configuration refers to readable and not empty; until then nobody gets in.',
  ambiguous: 'Give each platform a secret of its own, or have it send to /webhooks/<platform>.',
};
