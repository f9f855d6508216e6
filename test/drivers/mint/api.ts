import { HttpClient } from '../../../src/drivers/http.ts';
import type { HttpAnswer, HttpRequest } from '../../../src/drivers/http.ts';
import type { Connection } from '../../../src/drivers/driver.ts';
import type { CircuitTimes } from '../../../src/drivers/circuit.ts';
import { ReconcilerError } from '../../../src/errors.ts';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { objects } from './normal-form.ts';
import type { Shown } from './normal-form.ts';
import type { Collection, Fields } from './store.ts';

/** What Mint says of itself. */
export interface About {
  readonly instance: string;
  readonly version: string;
  readonly account: string;
  readonly rights: readonly string[];
}

/** Mint's API as the driver uses it: every write is confirmed by a read. */
export class MintApi implements AsyncDisposable {
  readonly #http: HttpClient;
  readonly #connection: Connection;

  constructor(connection: Connection, circuit?: CircuitTimes) {
    this.#connection = connection;
    this.#http = new HttpClient({
      platform: connection.platform,
      url: connection.url,
      limits: connection.limits,
      onRequest: connection.onRequest,
      ...(circuit === undefined ? {} : { circuit }),
      ...(connection.fence && { fence: connection.fence }),
    });
  }

  async about(signal: AbortSignal): Promise<About> {
    const { json } = await this.#send({ method: 'GET', route: '/api/instance', signal });
    return json as unknown as About;
  }

  async get(collection: Collection, id: string, signal: AbortSignal): Promise<Shown | undefined> {
    const route = `/api/${collection}/:id`;
    const answer = await this.#send({ method: 'GET', route, params: { id }, accept: [404], signal });
    return answer.status === 404 ? undefined : (answer.json as unknown as Shown);
  }

  /**
   * All objects of a collection, or those with a title. Each page begins with the last object of the page before: when
   * it is another one, rows have moved under the cursor, and some may never have been shown.
   * @throws ReconcilerError `listing-incomplete`, or what the request failed with.
   */
  async *list(collection: Collection, title: string | undefined, signal: AbortSignal): AsyncGenerator<Shown> {
    let last: string | undefined;
    let seen = 0;
    for (let total = 1; seen < total;) {
      const query = { offset: String(Math.max(0, seen - 1)), ...(title === undefined ? {} : { title }) };
      const { json } = await this.#send({ method: 'GET', route: `/api/${collection}`, query, signal });
      const page = json as JsonObject;
      const items = objects(page['items']) as unknown as readonly Shown[];
      total = Number(page['total']);
      const fresh = last === undefined ? items : items.slice(1);
      if ((last !== undefined && items[0]?.id !== last) || (fresh.length === 0 && seen < total)) {
        throw new ReconcilerError(
          `${collection} changed while they were listed: ${seen} of ${total} were seen.`,
          'backoff',
          {
            code: 'listing-incomplete',
          },
        );
      }
      yield* fresh;
      seen += fresh.length;
      last = fresh.at(-1)?.id ?? last;
    }
  }

  /** @throws ReconcilerError `outcome-unknown`, `not-confirmed`, `refused` … */
  async create(collection: Collection, fields: Fields, signal: AbortSignal): Promise<Shown> {
    const body = fields as unknown as JsonObject;
    const { json } = await this.#write({ method: 'POST', route: `/api/${collection}`, body, signal }, fields.secrets);
    return this.#confirm(collection, json as unknown as Shown, signal);
  }

  /** @throws ReconcilerError as `create`, and `stale-write` when the object is not at `version` any more. */
  async change(
    collection: Collection,
    { id, version }: { readonly id: string; readonly version: string },
    fields: Fields,
    signal: AbortSignal,
  ): Promise<Shown> {
    const request: HttpRequest = {
      method: 'PATCH',
      route: `/api/${collection}/:id`,
      params: { id },
      headers: { 'if-match': version },
      body: fields as unknown as JsonObject,
      signal,
    };
    const { json } = await this.#write(request, fields.secrets);
    return this.#confirm(collection, json as unknown as Shown, signal);
  }

  /** What is not there any more counts as removed. @throws ReconcilerError as `change`, and `still-referenced`. */
  async remove(
    collection: Collection,
    { id, version }: { readonly id: string; readonly version: string },
    signal: AbortSignal,
  ): Promise<void> {
    const route = `/api/${collection}/:id`;
    await this.#write({
      method: 'DELETE',
      route,
      params: { id },
      headers: { 'if-match': version },
      accept: [404],
      signal,
    });
    if ((await this.get(collection, id, signal)) !== undefined)
      throw notConfirmed(`the ${collection} object ${id} is still there`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  async #confirm(collection: Collection, told: Shown, signal: AbortSignal): Promise<Shown> {
    // The write has been answered: when it cannot be read back, nobody knows what stands there now.
    const found = await this.get(collection, told.id, signal).catch((error: unknown) => {
      const message = `The ${collection} object ${told.id} was written, but could not be read back.`;
      throw new ReconcilerError(message, 'replan', { code: 'outcome-unknown', cause: error });
    });
    if (found === undefined) throw notConfirmed(`the ${collection} object ${told.id} is not there`);
    if (found.version < told.version) throw notConfirmed(`${told.id} is still at version ${found.version}`);
    return found;
  }

  async #write(request: HttpRequest, secrets: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
    try {
      const answer = await this.#send({ ...request, accept: [...(request.accept ?? []), 409, 412] });
      const what = `${request.method} ${request.route}`;
      if (answer.status === 412) {
        throw new ReconcilerError(`${what}: the object was changed after it was looked at.`, 'replan', {
          code: 'stale-write',
        });
      }
      if (answer.status !== 409) return answer;
      throw new ReconcilerError(`${what}: something on the platform still refers to it.`, 'replan', {
        code: 'still-referenced',
        remedy: 'Remove what refers to it first.',
      });
    } catch (error) {
      throw Object.keys(secrets).length === 0 ? error : inOwnWords(error, `${request.method} ${request.route}`);
    }
  }

  async #send(request: HttpRequest): Promise<HttpAnswer> {
    const token = await this.#connection.auth['token']?.();
    return this.#http.send({
      ...request,
      headers: { authorization: `Bearer ${token?.reveal() ?? ''}`, ...request.headers },
    });
  }
}

function notConfirmed(because: string): ReconcilerError {
  return new ReconcilerError(`The platform said that it was done, but ${because}.`, 'replan', {
    code: 'not-confirmed',
  });
}

/** Mint repeats in its refusals what it was sent, secrets too and in any spelling: nothing of what it says is passed on. */
function inOwnWords(error: unknown, what: string): unknown {
  if (!(error instanceof ReconcilerError)) return error;
  return new ReconcilerError(`${what} failed (${error.code ?? 'unknown'}).`, error.retry, {
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.code === undefined ? {} : { code: error.code }),
  });
}
