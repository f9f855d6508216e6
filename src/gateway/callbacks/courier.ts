import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import { ReconcilerError } from '../../errors.ts';
import { retryAfterOf } from '../../drivers/http-errors.ts';
import { allowedOf, isLiteral, refusalOfAddress } from './addresses.ts';
import type { Allowed } from './addresses.ts';
import { codeOf } from './resolver.ts';
import type { ResolveHost } from './resolver.ts';

/** Milliseconds for a whole delivery: name, connection, answer. */
const TIMEOUT = 10_000;
/** Bytes of an answer that are taken in so that the connection can be used again; nobody reads them. */
const ANSWER_LIMIT = 1024;

/** One message for one URL. */
export interface Parcel {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What a connection could not be made for. */
class Refusal extends Error {}

/**
 * Posts to addresses of strangers, for one platform. A name is resolved once, every address of it is judged, and the
 * connection is made to those addresses, so that a name which changes its mind in between changes nothing. Proxies and
 * other settings of the environment are not used, redirects not followed, certificates verified.
 */
export class Courier implements AsyncDisposable {
  readonly #resolve: ResolveHost;
  readonly #allowed: Allowed;
  readonly #agent: Agent;
  readonly #timeout: number;

  /** `allow` is the platform's `webhooks.allow`; `timeout` in milliseconds. */
  constructor(allow: readonly string[], resolve: ResolveHost, timeout: number = TIMEOUT) {
    this.#resolve = resolve;
    this.#allowed = allowedOf(allow);
    this.#timeout = timeout;
    this.#agent = new Agent({
      // Nothing is remembered of a TLS session or a protocol that was negotiated: one connection, one check.
      allowH2: false,
      connect: { lookup: this.#lookup, rejectUnauthorized: true, timeout },
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
  }

  /**
   * Delivers: any 2xx will do. Standard Webhooks counts everything else as a failure to be repeated, redirects and refusals
   * (4xx) among them: receivers are put right within the day that is tried. Only 410 Gone ends it, and an address that may
   * not be reached.
   * @throws ReconcilerError 'backoff' (`callback-failed`, `callback-unreachable`), 'never' (`callback-gone`,
   *   `callback-refused`). Messages name the host, not the URL, whose path and query may be secrets, nor what was answered.
   */
  async post({ url: text, headers, body }: Parcel, signal: AbortSignal): Promise<void> {
    const url = this.#check(text);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), this.#timeout);
    const stop = (): void => timeout.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const response = await request(url, {
        method: 'POST',
        headers,
        body,
        dispatcher: this.#agent,
        signal: timeout.signal,
      });
      // The status says it all; an answer that is long, slow or broken changes nothing any more.
      const drained = response.body.dump({ limit: ANSWER_LIMIT, signal: timeout.signal }).catch(() => undefined);
      judge(response, url);
      await drained;
    } catch (error) {
      throw error instanceof ReconcilerError ? error : failure(error, url, timeout.signal.aborted && !signal.aborted);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  /** What can be judged without a name server: the scheme, and hosts that are addresses, which no lookup is made for. */
  #check(text: string): URL {
    const url = URL.parse(text);
    if (url === null) throw refused('what is registered', 'it is not a URL');
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw refused(url.host, 'only http and https are spoken');
    }
    if (url.username !== '' || url.password !== '') throw refused(url.host, 'credentials in URLs are not sent');
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isLiteral(host)) {
      const because = refusalOfAddress(host, host, this.#allowed);
      if (because !== undefined) throw refused(url.host, `${host} ${because}`);
    }
    return url;
  }

  readonly #lookup: LookupFunction = (host, options, callback) => {
    void this.#addressesOf(host).then((found) => {
      const [first] = found instanceof Error ? [] : found;
      // Calling back from within a promise would turn what the callback throws into a rejection.
      setImmediate(() => {
        if (found instanceof Error || first === undefined) callback(asError(found), '', 0);
        else if (options.all === true) callback(null, [...found]);
        else callback(null, first.address, first.family);
      });
      return undefined;
    });
  };

  /** The addresses of a name, each of which may be connected to; or why not. */
  async #addressesOf(host: string): Promise<readonly LookupAddress[] | Error> {
    try {
      const found = await this.#resolve(host);
      for (const { address } of found) {
        const because = refusalOfAddress(address, host, this.#allowed);
        if (because !== undefined) return new Refusal(`its address ${address} ${because}`);
      }
      return found;
    } catch (error) {
      return asError(error);
    }
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('no address');
}

/** @throws ReconcilerError unless the answer is a 2xx. */
function judge({ statusCode: status, headers }: Dispatcher.ResponseData<unknown>, url: URL): void {
  if (status >= 200 && status <= 299) return;
  if (status === 410) {
    throw new ReconcilerError(`${url.host} answered 410: it does not want events any more.`, 'never', {
      code: 'callback-gone',
      remedy: 'Remove the webhook.',
    });
  }
  const said = status >= 300 && status <= 399 ? `${status}: redirects are not followed` : String(status);
  const after = headers['retry-after'];
  const retryAfter = typeof after === 'string' ? retryAfterOf({ 'retry-after': after }) : undefined;
  throw new ReconcilerError(`${url.host} answered ${said}.`, 'backoff', {
    code: 'callback-failed',
    ...(retryAfter === undefined ? {} : { retryAfter }),
    remedy: said === String(status) ? 'Look into the log of the receiver.' : 'Register the final address.',
  });
}

function failure(error: unknown, url: URL, timedOut: boolean): ReconcilerError {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof Refusal) return refused(url.host, at.message);
  }
  const because = timedOut ? 'no answer in time' : codeOf(error);
  return new ReconcilerError(`${url.host} could not be reached (${because}).`, 'backoff', {
    code: 'callback-unreachable',
    remedy: /CERT|TLS|ALTNAME|SIGNED/.test(because)
      ? 'The certificate is not trusted here; add its authority with NODE_EXTRA_CA_CERTS.'
      : 'Check that the receiver is running and reachable from here.',
  });
}

function refused(host: string, because: string): ReconcilerError {
  return new ReconcilerError(`Nothing is sent to ${host}: ${because}.`, 'never', {
    code: 'callback-refused',
    remedy: 'If it is meant, name it in spec.webhooks.allow of the Platform.',
  });
}
