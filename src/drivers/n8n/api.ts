import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import { ReconcilerError } from '../../errors.ts';
import type { Connection } from '../driver.ts';
import { HttpClient } from '../http.ts';
import type { HttpAnswer, HttpRequest } from '../http.ts';
import { objectsOf } from './shapes.ts';
import type { RawCredential, RawDataTable, RawTag, RawWorkflow } from './shapes.ts';

/** Rows of a page; more is silently this. */
const PAGE = 250;
/** How often a listing begins anew when rows moved under its cursor. */
const LISTINGS = 3;

type Wanted = Omit<HttpRequest, 'headers' | 'signal'>;

/** What n8n's public API lists, by path. */
export interface Collections {
  readonly workflows: RawWorkflow;
  readonly credentials: RawCredential;
  readonly tags: RawTag;
  readonly 'data-tables': RawDataTable;
}

/** n8n's public API, v1. Every method throws ReconcilerErrors as `HttpClient.send` does. */
export class N8nApi implements AsyncDisposable {
  readonly #http: HttpClient;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    const { platform, url, limits, onRequest, onCircuit, fence } = connection;
    this.#connection = connection;
    this.#http = new HttpClient({
      platform,
      url,
      limits,
      onRequest,
      ...(onCircuit === undefined ? {} : { onCircuit }),
      ...(fence === undefined ? {} : { fence }),
    });
  }

  get concurrency(): number {
    return this.#connection.limits.concurrency;
  }

  /** Whether a beta feature of n8n's API may be used. */
  mayUse(feature: string): boolean {
    return this.#connection.beta?.includes(feature) === true;
  }

  /** Sends a request with the API key. */
  async send(wanted: Wanted, signal: AbortSignal): Promise<HttpAnswer> {
    const token = await this.#connection.auth['token']?.();
    return this.#http.send({ ...wanted, signal, headers: { 'x-n8n-api-key': token?.reveal() ?? '' } });
  }

  /** Sends a request without any credential: pages and webhooks that everybody may call. */
  open(
    wanted: Wanted & { readonly headers?: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    return this.#http.send({ ...wanted, signal });
  }

  /** One object, or undefined when there is none. */
  async get<Of extends keyof Collections>(
    of: Of,
    id: string,
    signal: AbortSignal,
  ): Promise<Collections[Of] | undefined> {
    const route = `/api/v1/${of}/:id`;
    const answer = await this.send({ method: 'GET', route, params: { id }, accept: [404] }, signal);
    return answer.status === 404 ? undefined : (answer.json as unknown as Collections[Of]);
  }

  /**
   * All objects, or those that a filter lets through, page by page. The cursor is an offset: when rows come or go meanwhile, later
   * pages miss some. So each page begins with the last row of the page before; when it is another one, `moved` tells.
   * @throws ReconcilerError `listing-incomplete` when rows keep moving.
   */
  async *pages<Of extends keyof Collections>(
    of: Of,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Collections[Of][]> {
    const seen = new Set<string>();
    for (let attempt = 1; attempt <= LISTINGS; attempt++) {
      let last: string | undefined;
      let offset = 0;
      for (;;) {
        const rows = await this.#page(of, { ...query, ...(offset === 0 ? {} : { cursor: cursorAt(offset) }) }, signal);
        if (last !== undefined && rows[0]?.id !== last) break;
        // What an earlier attempt told already is not told again.
        yield rows.filter(({ id }) => !seen.has(id) && seen.add(id));
        if (rows.length < PAGE) return;
        last = rows.at(-1)?.id;
        offset += PAGE - 1;
      }
    }
    throw new ReconcilerError(
      `The ${of} kept changing while they were listed; some may not have been seen.`,
      'backoff',
      {
        code: 'listing-incomplete',
      },
    );
  }

  /** All rows at once, of what is small. */
  async all<Of extends keyof Collections>(
    of: Of,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly Collections[Of][]> {
    const rows: Collections[Of][] = [];
    for await (const page of this.pages(of, query, signal)) rows.push(...page);
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  async #page<Of extends keyof Collections>(
    of: Of,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly Collections[Of][]> {
    const all = { limit: String(PAGE), ...query };
    const { json } = await this.send({ method: 'GET', route: `/api/v1/${of}`, query: all }, signal);
    const rows = (json as JsonObject | undefined)?.['data'];
    if (!Array.isArray(rows)) throw unexpected(`GET /api/v1/${of}`, this.#http.name);
    return objectsOf(rows as JsonValue) as unknown as readonly Collections[Of][];
  }
}

/** The cursor that n8n itself would give for this offset (public-api/v1/shared/services/pagination.service). */
function cursorAt(offset: number): string {
  return Buffer.from(JSON.stringify({ limit: PAGE, offset })).toString('base64');
}

function unexpected(what: string, where: string): ReconcilerError {
  return new ReconcilerError(`${what} on ${where} answered something that is no list.`, 'backoff', {
    code: 'not-json',
    remedy: "Check that the URL is n8n's own and that no login page or proxy stands before it.",
  });
}
