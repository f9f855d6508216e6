import { ReconcilerError } from '../../errors.ts';
import type { Connection } from '../driver.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http.ts';
import { objectOf, textOf } from './json.ts';

/** Milliseconds before its end at which a bought token is replaced. */
const RENEW_BEFORE = 60_000;

interface Token {
  readonly value: string;
  /** Milliseconds on the monotonic clock of the process. */
  readonly expires: number;
}

/** Sends requests with a static token, or with one bought with address and password, which lives for 15 minutes. */
export class Login {
  readonly #http: HttpClient;
  readonly #connection: Connection;
  #token: Promise<Token | undefined> | undefined;

  constructor(http: HttpClient, connection: Connection) {
    this.#http = http;
    this.#connection = connection;
  }

  /** As `HttpClient.send`, with credentials. @throws ReconcilerError `unauthorized` when they are not accepted. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#sendWith(await this.token(request.signal), request);
    } catch (error) {
      if (!(error instanceof ReconcilerError && error.code === 'unauthorized')) throw error;
    }
    // A refused request was not carried out, so sending it again with a new token is safe.
    this.#token = undefined;
    return await this.#sendWith(await this.token(request.signal), request);
  }

  /** The bearer token to use now; undefined where none is configured. */
  async token(signal: AbortSignal): Promise<string | undefined> {
    const known = await this.#held(signal);
    if (known === undefined || known.expires - performance.now() >= RENEW_BEFORE) return known?.value;
    this.#token = undefined;
    return (await this.#held(signal))?.value;
  }

  async #held(signal: AbortSignal): Promise<Token | undefined> {
    const asked = (this.#token ??= this.#obtain(signal));
    return await asked.catch((error: unknown) => {
      if (this.#token === asked) this.#token = undefined;
      throw error;
    });
  }

  async #sendWith(token: string | undefined, request: HttpRequest): Promise<HttpAnswer> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return await this.#http.send({ ...request, headers: { ...request.headers, ...authorization } });
  }

  async #obtain(signal: AbortSignal): Promise<Token | undefined> {
    const { auth, username } = this.#connection;
    const fixed = await auth['token']?.();
    if (fixed !== undefined) return { value: fixed.reveal(), expires: Number.POSITIVE_INFINITY };
    const email = (await auth['username']?.())?.reveal() ?? username;
    const password = (await auth['password']?.())?.reveal();
    if (email === undefined || password === undefined) return undefined;
    const answer = await this.#http.send({
      method: 'POST',
      route: '/auth/login',
      body: { email, password, mode: 'json' },
      idempotent: true,
      accept: [400, 401, 403],
      sensitive: [password],
      signal,
    });
    const data = objectOf(objectOf(answer.json)['data']);
    const value = textOf(data['access_token']);
    const lifetime = data['expires'];
    if (answer.status !== 200 || value === undefined) {
      throw new ReconcilerError(`${this.#http.name} did not accept the address and the password.`, 'never', {
        code: 'unauthorized',
        remedy:
          'Check spec.auth.username and spec.auth.password; an account with a second factor needs a static token.',
      });
    }
    return { value, expires: performance.now() + (typeof lifetime === 'number' ? lifetime : 900_000) };
  }
}
