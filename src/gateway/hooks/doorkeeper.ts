import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SecretValue } from '../../secrets/secrets.ts';
import { refuse } from '../answer.ts';
import type { Refusal } from '../answer.ts';
import type { HookParts } from './parts.ts';
import { RecentSecrets } from './recent-secrets.ts';
import { RefusalLimit, RefusalLog } from './refusals.ts';
import { Verification } from './signatures.ts';
import type { Proof, Verdict } from './signatures.ts';

/** The one answer to everybody who is not known, whatever the reason. */
const UNKNOWN: Refusal = {
  status: 401,
  code: 'unauthorized',
  message: 'Nothing here takes this request: the address, the signature or the time is not right.',
};

/** Wrong requests per minute, network and target. */
const MOST_REFUSALS = 30;

type Parts = Pick<HookParts, 'reports' | 'log' | 'clock'>;

/** Why somebody stays outside; for metrics and the log, never for the one who asked. */
export type Reason = 'unknown' | 'secret' | 'signature' | 'stale' | 'ambiguous';

/** Lets in who proves who they are. All others get the same answer after the same work. */
export class Doorkeeper {
  readonly #parts: Parts;
  readonly #limit = new RefusalLimit(MOST_REFUSALS);
  readonly #refusals: RefusalLog;
  readonly #secrets = new RecentSecrets();
  /** Nobody can sign with it: it stands in where there is no secret, so that its absence takes as long. */
  readonly #nobodys = randomBytes(32).toString('hex');

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#refusals = new RefusalLog(parts.log);
  }

  /** Answers for a caller that was wrong too often, before anything of the body is read. @returns undefined when it may try. */
  turnAway(request: FastifyRequest, reply: FastifyReply, target: string): FastifyReply | undefined {
    const wait = this.#limit.waitFor(request.ip, target, this.#parts.clock());
    if (wait === undefined) return undefined;
    this.#parts.reports.refused('public', 'rate');
    this.#refusals.tell('rate', undefined, request.ip, this.#parts.clock());
    return refuse(reply, {
      status: 429,
      code: 'too-many-refusals',
      message: 'Too many requests from this address were refused.',
      retryAfter: wait,
    });
  }

  /** Refuses, and remembers who was refused. `known` tells the configured name that was asked for. */
  refuse(request: FastifyRequest, reply: FastifyReply, because: Refused): FastifyReply {
    const { reports, clock } = this.#parts;
    const tired = this.turnAway(request, reply, because.target);
    if (tired !== undefined) return tired;
    this.#limit.record(request.ip, because.target, clock());
    reports.refused('public', because.reason);
    this.#refusals.tell(because.reason, because.known, request.ip, clock());
    return refuse(reply, UNKNOWN);
  }

  /**
   * Begins to check a request against a secret; against one that nobody has when there is none or it cannot be read.
   */
  async begin(proof: Proof, headers: IncomingHttpHeaders, secret: NamedSecret | undefined): Promise<Check> {
    const value = await this.#valueOf(secret);
    const verification = new Verification(proof, headers, value ?? this.#nobodys);
    const { clock } = this.#parts;
    return {
      update: (chunk) => verification.update(chunk),
      end: () => reasonOf(verification.verdict(clock()), secret, value),
    };
  }

  async #valueOf(secret: NamedSecret | undefined): Promise<string | undefined> {
    if (secret === undefined) return undefined;
    try {
      return (await this.#secrets.read(secret.name, secret.read, this.#parts.clock())).reveal();
    } catch (error) {
      this.#refusals.unreadable(error, this.#parts.clock());
      return undefined;
    }
  }
}

/** A secret, and the configured name of who has it. */
export interface NamedSecret {
  readonly name: string;
  readonly read: () => Promise<SecretValue>;
}

export interface Refused {
  readonly reason: Reason;
  /** What was asked for, as it was asked for. */
  readonly target: string;
  readonly known: string | undefined;
}

export interface Check {
  update(chunk: Buffer): void;
  /** @returns why the request is refused, or undefined when it is genuine. */
  end(): Reason | undefined;
}

function reasonOf(verdict: Verdict, secret: unknown, value: string | undefined): Reason | undefined {
  if (secret === undefined) return 'unknown';
  if (value === undefined || verdict === 'unusable') return 'secret';
  if (verdict === 'genuine') return undefined;
  return verdict === 'stale' ? 'stale' : 'signature';
}
