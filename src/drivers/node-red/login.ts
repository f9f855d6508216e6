import { z } from 'zod';
import { ReconcilerError } from '../../errors.ts';
import type { Connection } from '../driver.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http.ts';

const tokenSchema = z.object({ access_token: z.string(), expires_in: z.number() });

/** Milliseconds before its end at which a token is replaced. */
const RENEW_BEFORE = 5 * 60_000;

interface Token {
  readonly value: string;
  /** Milliseconds on the monotonic clock of the process. */
  readonly expires: number;
}

/**
 * Sends requests with the platform's credentials: a fixed token, a token bought with user name and password (renewed
 * before it ends, and once when the server does not know it any more), or none where Node-RED runs open.
 */
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
    const first = await this.#sendWith(await this.token(request.signal), request).catch((error: unknown) => {
      if (!(error instanceof ReconcilerError && error.code === 'unauthorized')) throw error;
      return error;
    });
    if (!(first instanceof ReconcilerError)) return first;
    // A refused request was not carried out, so sending it again with a new token is safe.
    this.#token = undefined;
    return await this.#sendWith(await this.token(request.signal), request);
  }

  /** The bearer token to use now; undefined where none is configured. */
  async token(signal: AbortSignal): Promise<string | undefined> {
    let known = await (this.#token ??= this.#obtain(signal)).catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    if (known !== undefined && known.expires - performance.now() < RENEW_BEFORE) {
      known = await (this.#token = this.#obtain(signal));
    }
    return known?.value;
  }

  /** Gives back a token bought with a password. */
  async [Symbol.asyncDispose](): Promise<void> {
    const held = await this.#token?.catch(() => undefined);
    if (held === undefined || held.expires === Number.POSITIVE_INFINITY) return;
    const signal = AbortSignal.timeout(2_000);
    const revoke: HttpRequest = { method: 'POST', route: '/auth/revoke', body: { token: held.value }, signal };
    // It ends by itself if it cannot be given back.
    await this.#sendWith(held.value, revoke).catch(() => undefined);
  }

  async #sendWith(token: string | undefined, request: HttpRequest): Promise<HttpAnswer> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return await this.#http.send({ ...request, headers: { ...request.headers, ...authorization } });
  }

  async #obtain(signal: AbortSignal): Promise<Token | undefined> {
    const { auth, username } = this.#connection;
    const fixed = await auth['token']?.();
    if (fixed !== undefined) return { value: fixed.reveal(), expires: Number.POSITIVE_INFINITY };
    const user = (await auth['username']?.())?.reveal() ?? username;
    const password = await auth['password']?.();
    if (user === undefined || password === undefined) return undefined;
    const answer = await this.#http.send({
      method: 'POST',
      route: '/auth/token',
      body: {
        client_id: 'node-red-admin',
        grant_type: 'password',
        scope: '',
        username: user,
        password: password.reveal(),
      },
      idempotent: true,
      accept: [400, 401, 403, 404],
      signal,
    });
    // An open Node-RED has no such route: it needs no token.
    if (answer.status === 404) return undefined;
    const parsed = tokenSchema.safeParse(answer.json);
    if (answer.status !== 200 || !parsed.success) {
      throw new ReconcilerError(`${this.#http.name} did not accept the user name and password.`, 'never', {
        code: 'unauthorized',
        remedy: 'Check spec.auth.username and spec.auth.password; after several wrong tries Node-RED waits a while.',
      });
    }
    return { value: parsed.data.access_token, expires: performance.now() + parsed.data.expires_in * 1000 };
  }
}
