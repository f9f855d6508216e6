import { ReconcilerError } from '../../errors.ts';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http.ts';
import { isObject, objectOf, objectsOf, textOf } from './json.ts';
import type { Login } from './login.ts';

/** Answers that are a refusal of this one request, told in Directus' own words. */
const REFUSALS = [400, 403, 404, 413, 422];
/** Codes of Directus' errors that mean something to the driver. */
const CODES: ReadonlyMap<string, string> = new Map([
  ['RECORD_NOT_UNIQUE', 'not-unique'],
  ['FORBIDDEN', 'forbidden'],
  ['ROUTE_NOT_FOUND', 'no-route'],
  ['RESOURCE_RESTRICTED', 'licence'],
  ['LIMIT_EXCEEDED', 'licence'],
]);
/** Characters of Directus' words that a message repeats. */
const EXCERPT = 200;
/** Ids in one address: Node's servers take 16 KiB of headers. */
const IDS_PER_REQUEST = 100;

export interface Listing {
  readonly rows: readonly JsonObject[];
  /** Rows that the server gives at most, where it has such a bound (QUERY_LIMIT_MAX). */
  readonly cap?: number;
}

/** Requests in Directus' terms: items of collections, bulk writes, errors by code. */
export class DirectusClient {
  readonly #http: HttpClient;
  readonly #login: Login;

  constructor(http: HttpClient, login: Login) {
    this.#http = http;
    this.#login = login;
  }

  /**
   * Sends one request with the account's credentials.
   * @throws ReconcilerError as HttpClient.send; `not-unique`, `forbidden` (Directus also says so of what is not there),
   * `no-route`, `licence`, `too-large` or `refused` where Directus says no.
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const accept = [...REFUSALS, ...(request.accept ?? [])];
    const answer = await this.#login.send({ ...request, accept });
    if (!REFUSALS.includes(answer.status) || request.accept?.includes(answer.status) === true) return answer;
    throw this.#refusal(request, answer);
  }

  /** `data` of an answer. */
  async data(request: HttpRequest): Promise<JsonValue | undefined> {
    return objectOf((await this.send(request)).json)['data'];
  }

  async get(route: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<JsonObject> {
    const data = await this.data({ method: 'GET', route, query, signal });
    if (isObject(data)) return data;
    throw this.#shapeless(route);
  }

  /**
   * All items of a collection. In one request, as Directus allows by default; page by page where the server caps what it
   * gives at once. Ids are UUIDs, which cannot be compared, so that pages are counted off: a listing that does not add
   * up to the same number of distinct items at its beginning and end is an error, never a short list.
   * @throws ReconcilerError `listing-unstable` when items came or went between two pages.
   */
  async list(
    route: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
    key = 'id',
  ): Promise<Listing> {
    const ask = (paging: Readonly<Record<string, string>>): Promise<{ rows: readonly JsonObject[]; count: number }> =>
      this.#page(route, { ...query, sort: key, meta: 'filter_count', ...paging }, signal);
    const first = await ask({ limit: '-1' });
    if (first.rows.length >= first.count) return { rows: first.rows };
    const cap = first.rows.length;
    const found = new Map(first.rows.map((row) => [row[key], row]));
    const pages = cap === 0 ? 0 : Math.ceil(first.count / cap);
    for (let page = 2; page <= pages; page++) {
      const next = await ask({ limit: String(cap), page: String(page) });
      for (const row of next.rows) found.set(row[key], row);
      if (next.count !== first.count || next.rows.length === 0) break;
    }
    if (found.size === first.count) return { rows: [...found.values()], cap };
    throw new ReconcilerError(
      `GET ${route} on ${this.#http.name} did not give all ${first.count} items; they changed between two pages.`,
      'backoff',
      { code: 'listing-unstable', remedy: 'Raise QUERY_LIMIT_MAX on the server, so that one page holds them all.' },
    );
  }

  /** The items with these ids that are there. */
  async byIds(
    route: string,
    query: Readonly<Record<string, string>>,
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly JsonObject[]> {
    const found: JsonObject[] = [];
    for (let at = 0; at < ids.length; at += IDS_PER_REQUEST) {
      const filter = JSON.stringify({ id: { _in: ids.slice(at, at + IDS_PER_REQUEST) } });
      found.push(...(await this.list(route, { ...query, filter }, signal)).rows);
    }
    return found;
  }

  async #page(
    route: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ rows: readonly JsonObject[]; count: number }> {
    const { json } = await this.send({ method: 'GET', route, query, signal });
    const { data, meta } = objectOf(json);
    const count = objectOf(meta)['filter_count'];
    if (!Array.isArray(data) || !data.every(isObject) || typeof count !== 'number') throw this.#shapeless(route);
    return { rows: objectsOf(data), count };
  }

  #shapeless(route: string): ReconcilerError {
    return new ReconcilerError(`GET ${route} on ${this.#http.name} answered without data.`, 'backoff', {
      code: 'not-directus',
      remedy: 'Check that spec.url is the API of a Directus and that no other server or cache answers in its place.',
    });
  }

  #refusal(request: HttpRequest, { status, json }: HttpAnswer): ReconcilerError {
    const error = objectsOf(objectOf(json)['errors'])[0] ?? {};
    const word = textOf(objectOf(error['extensions'])['code']);
    // Directus repeats values: where secrets were sent, its words stay out.
    const secret = (request.sensitive ?? []).length > 0;
    const said = secret ? undefined : textOf(error['message'])?.replaceAll(/\s+/g, ' ').slice(0, EXCERPT);
    const code = status === 413 ? 'too-large' : (CODES.get(word ?? '') ?? (status === 403 ? 'forbidden' : 'refused'));
    const what = `${request.method} ${request.route} on ${this.#http.name}`;
    const label = word === undefined ? String(status) : `${status}, ${word}`;
    return new ReconcilerError(`${what} was refused (${label})${said === undefined ? '.' : `: ${said}`}`, 'never', {
      code,
      remedy: remedyOf(code),
    });
  }
}

function remedyOf(code: string): string {
  if (code === 'too-large') return 'Raise MAX_PAYLOAD_SIZE on the server.';
  if (code === 'licence') return 'See what the licence of this Directus includes, or make the change smaller.';
  if (code === 'forbidden') return 'Check what the account in spec.auth may do on the platform.';
  if (code === 'no-route') return 'Check spec.url and the version of the platform.';
  return 'Change the manifest accordingly.';
}
