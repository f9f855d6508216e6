import type { FastifyRequest } from 'fastify';
import type { Log } from '../../report/log.ts';
import { tokenEquals } from '../../secrets/keys.ts';
import type { Rate, TokenRates, TokenRecord, Tokens } from '../../ledger/tokens.ts';
import { MOST_TOKENS } from '../../ledger/tokens.ts';
import { Buckets } from './buckets.ts';
import { refused } from './route.ts';
import type { Answer, Caller, Need } from './route.ts';
import { covers, scopeFor, touches } from './scopes.ts';

/** Calls of one token: those that read, and those that do something. */
const RATES: Required<TokenRates> = {
  read: { perSecond: 100, burst: 200 },
  trigger: { perSecond: 20, burst: 40 },
};
/** Failed authentication of one address; who has a token is let in all the same. */
const FAILURES: Rate = { perSecond: 0.5, burst: 30 };
const MOST_ADDRESSES = 10_000;

/** The token that lies in the state directory: everything, at any rate. */
const ROOT: Caller = { id: 'root', name: 'token file of the state directory', scopes: ['admin'] };

export interface AccessParts {
  readonly tokens: Pick<Tokens, 'claim' | 'used'>;
  readonly rootToken: string;
  readonly log: Log;
  readonly now: () => number;
}

/** Why somebody was turned away, as metrics count it. */
export type Reason = 'token' | 'scope' | 'rate';

/** Who calls; or the refusal, with the owner of the token where it is known but not taken. */
export type Admission =
  | { readonly caller: Caller; readonly rates: TokenRates }
  | { readonly caller?: Caller; readonly reason: Reason; readonly answer: Answer };

/** Who may call what, and how often. */
export class Access {
  readonly #parts: AccessParts;
  readonly #rates: Buckets;
  readonly #failures: Buckets;

  constructor(parts: AccessParts) {
    this.#parts = parts;
    // Two kinds of calls per token.
    this.#rates = new Buckets(2 * MOST_TOKENS, parts.now);
    this.#failures = new Buckets(MOST_ADDRESSES, parts.now);
  }

  /**
   * Whose token came with the request. All that is wrong is told in the same words; all comparisons are made whatever the
   * first of them says.
   */
  authenticate(request: Pick<FastifyRequest, 'headers' | 'ip'>): Admission {
    const { tokens, rootToken } = this.#parts;
    const sent = /^Bearer ([\w~+/.=-]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const claim = tokens.claim(sent);
    const isRoot = tokenEquals(sent, rootToken);
    // A browser names the page that sends a request; no page has any business here.
    if (request.headers.origin !== undefined) return this.#fail(request.ip);
    if (isRoot) return { caller: ROOT, rates: {} };
    const { record, because } = claim;
    if (record === undefined) return this.#fail(request.ip);
    const caller = { id: record.id, name: record.name, scopes: record.scopes };
    if (because !== undefined) return this.#fail(request.ip, caller);
    this.#noteUse(record);
    return { caller, rates: record.rates };
  }

  /** The refusal when the token's scopes do not cover what is needed; the same whether it exists or not. */
  authorize({ scopes }: Caller, need: Need): Answer | undefined {
    if (need === 'token') return undefined;
    const { right, platform, partly = false } = need;
    if (covers(scopes, right, need)) return undefined;
    // Who may run something may ask what came of it.
    if (partly && platform !== undefined && (touches(scopes, right, platform) || touches(scopes, 'trigger', platform)))
      return undefined;
    const scope = scopeFor(right, need);
    return refused(403, {
      code: 'scope',
      message: `The token may not do this: it needs the scope ${scope}.`,
      remedy: `Use another token, or have one made with \`plumbline token create --scope ${scope}\`.`,
    });
  }

  /** The refusal when the token has called too often. */
  limit(caller: Caller, rates: TokenRates, method: string): Answer | undefined {
    if (caller === ROOT) return undefined;
    const kind = method === 'GET' ? 'read' : 'trigger';
    const wait = this.#rates.take(`${kind} ${caller.id}`, rates[kind] ?? RATES[kind]);
    return wait === 0 ? undefined : tooOften('The token has called too often.', wait);
  }

  #fail(address: string, caller?: Caller): Admission {
    const who = caller === undefined ? {} : { caller };
    const wait = this.#failures.take(networkOf(address), FAILURES);
    if (wait > 0)
      return { ...who, reason: 'rate', answer: tooOften('Too many calls came without a valid token.', wait) };
    const { status, body } = refused(401, {
      code: 'unauthorized',
      message: 'This needs a valid token, sent as bearer token by a program, not by a web page.',
      remedy: 'Use one made with `plumbline token create`, or the one in the file `token` of the state directory.',
    });
    return { ...who, reason: 'token', answer: { status, body, headers: { 'www-authenticate': 'Bearer' } } };
  }

  #noteUse(record: TokenRecord): void {
    try {
      this.#parts.tokens.used(record);
    } catch (error) {
      this.#parts.log.warn('use of a token not written down', { token: record.id, error });
    }
  }
}

function tooOften(message: string, wait: number): Answer {
  return refused(429, {
    code: 'too-often',
    message,
    remedy: 'Wait as Retry-After says.',
    retry: 'backoff',
    retryAfter: wait,
  });
}

/** An IPv6 network of 64 bits belongs to one subscriber, who can take any address of it. */
function networkOf(address: string): string {
  if (!address.includes(':') || /^::ffff:\d/i.test(address)) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeroes =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0');
  return [...groups, ...zeroes, ...rest].slice(0, 4).join(':');
}
