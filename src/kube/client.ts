import type { Readable } from 'node:stream';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { ReconcilerError } from '../errors.ts';
import type { ApplyOptions, CallOptions, KubeList, ListOptions } from './call.ts';
import { openConnection } from './connection.ts';
import type { ClusterOptions, Connection } from './connection.ts';
import { isClusterError, noAnswer, refusedByServer } from './failure.ts';
import type { Asked } from './failure.ts';
import { apiVersionOf, pathOf } from './object.ts';
import type { KubeName, KubeObject, Resource } from './object.ts';

/** Who writes, in `managedFields` and in the API server's log. */
const FIELD_MANAGER = 'plumbline';

/** Milliseconds that the API server gets for one request that is no watch. */
const TIMEOUT = 30_000;
/** Objects of one page of a listing. */
const PAGE = 500;

const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

type Query = Readonly<Record<string, string | undefined>>;

/** One request to the API server. */
interface Wanted {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly timeout?: number;
}

/**
 * The API server, asked over one pool of connections. Credentials are read anew when it does not know them any more. Nothing is
 * repeated here but that: whoever asks knows what a second try would do.
 *
 * Every method throws a ReconcilerError whose code begins with `cluster-`: `cluster-not-found`, `cluster-conflict`,
 * `cluster-forbidden`, `cluster-unauthorized`, `cluster-invalid`, `cluster-expired`, `cluster-busy`, `cluster-unavailable`,
 * `cluster-unreachable`, `cluster-timeout`; or `aborted`.
 */
export class KubeClient implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #agent: string;
  #connection: Connection;
  /** The server could not be reached: its address or its authority may have changed. */
  #doubtful = false;

  private constructor(connection: Connection, options: ClusterOptions, version: string) {
    this.#connection = connection;
    this.#options = options;
    this.#agent = `plumbline/${version}`;
  }

  /** @throws ReconcilerError as `openConnection` */
  static async open(options: ClusterOptions & { readonly version: string }): Promise<KubeClient> {
    return new KubeClient(await openConnection(options), options, options.version);
  }

  get server(): string {
    return this.#connection.server;
  }

  /** Of the context or the pod. */
  get namespace(): string {
    return this.#connection.namespace;
  }

  async get(resource: Resource, name: KubeName, options: CallOptions): Promise<KubeObject> {
    return this.#object({ ...options, method: 'GET', path: pathOf(resource, name) });
  }

  /** As `get`; undefined when there is no such object. */
  async find(resource: Resource, name: KubeName, options: CallOptions): Promise<KubeObject | undefined> {
    try {
      return await this.get(resource, name, options);
    } catch (error) {
      if (isClusterError(error, 'cluster-not-found')) return undefined;
      throw error;
    }
  }

  /** Every object of a resource, as of one resourceVersion. */
  async list(resource: Resource, options: ListOptions): Promise<KubeList> {
    const items: KubeObject[] = [];
    let resourceVersion = '';
    for await (const page of this.pages(resource, options)) {
      items.push(...page.items);
      resourceVersion = page.resourceVersion;
    }
    return { resourceVersion, items };
  }

  /** As `list`, page by page, so that no more than one page is held whole. */
  async *pages(resource: Resource, options: ListOptions): AsyncGenerator<KubeList> {
    const { namespace, labelSelector, fieldSelector, ...call } = options;
    const path = pathOf(resource, namespace === undefined ? {} : { namespace });
    // Items of a list do not say what they are.
    const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    let token: string | undefined;
    do {
      const query = { limit: String(PAGE), continue: token, labelSelector, fieldSelector };
      const page = (await this.#json({ ...call, method: 'GET', path, query })) as {
        readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
        readonly items: readonly KubeObject[];
      };
      const { resourceVersion, continue: next = '' } = page.metadata;
      yield { resourceVersion, items: page.items.map((item) => ({ ...item, ...type })) };
      token = next;
    } while (token !== '');
  }

  async create(resource: Resource, object: KubeObject, options: CallOptions): Promise<KubeObject> {
    const { namespace } = object.metadata;
    const path = pathOf(resource, namespace === undefined ? {} : { namespace });
    return this.#object({ ...options, ...WRITE, method: 'POST', path, body: object });
  }

  /** Replaces the whole object, if it still has the resourceVersion that it says. @throws `cluster-conflict` otherwise. */
  async replace(resource: Resource, object: KubeObject, options: CallOptions): Promise<KubeObject> {
    return this.#object({ ...options, ...WRITE, method: 'PUT', path: pathOf(resource, object.metadata), body: object });
  }

  /**
   * Server-side apply: the fields of `object` are ours from now on, those that we applied before and do not any more are removed,
   * and those of others stay. Creates the object when there is none.
   */
  async apply(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<KubeObject> {
    return this.#apply(pathOf(resource, object.metadata), object, options);
  }

  /**
   * As `apply`, for the status: `status` is all of it that is ours. Does not create the object.
   * @throws `cluster-conflict` when a resourceVersion is given and the object has another one.
   */
  async applyStatus(
    resource: Resource,
    name: KubeName & { readonly resourceVersion?: string },
    status: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<KubeObject> {
    const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { ...name }, status };
    return this.#apply(pathOf(resource, name, 'status'), object, options);
  }

  /** RFC 7396: given fields are set, null removes one. Of `status` alone where `patch` is about that. */
  async merge(resource: Resource, name: KubeName, patch: object, options: CallOptions): Promise<KubeObject> {
    const path = pathOf(resource, name, 'status' in patch ? 'status' : undefined);
    return this.#object({ ...options, ...WRITE, method: 'PATCH', path, body: patch, contentType: MERGE });
  }

  /**
   * Asks for an object's deletion; finalizers may delay it. Nothing happens when there is none.
   * @throws `cluster-conflict` when a resourceVersion is given and the object has another one.
   */
  async delete(
    resource: Resource,
    { resourceVersion, ...name }: KubeName & { readonly resourceVersion?: string },
    options: CallOptions,
  ): Promise<void> {
    const body = resourceVersion === undefined ? {} : { body: { preconditions: { resourceVersion } } };
    try {
      await this.#json({ ...options, ...body, method: 'DELETE', path: pathOf(resource, name) });
    } catch (error) {
      if (!isClusterError(error, 'cluster-not-found')) throw error;
    }
  }

  /**
   * Opens a watch from a resourceVersion on; chunks of lines of JSON. The server ends it after `seconds`.
   * @throws ReconcilerError as all others; what breaks later is thrown by the stream.
   */
  async watch(
    resource: Resource,
    { namespace, labelSelector, fieldSelector, signal }: ListOptions,
    { resourceVersion, seconds }: { readonly resourceVersion: string; readonly seconds: number },
  ): Promise<Readable> {
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
      resourceVersion,
      labelSelector,
      fieldSelector,
    };
    const path = pathOf(resource, namespace === undefined ? {} : { namespace });
    const response = await this.#send({ method: 'GET', path, query, signal });
    if (response.statusCode === 200) return response.body;
    throw await refusal(response, this.#asked({ method: 'GET', path, query, signal }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.dispatcher.destroy();
  }

  async #apply(path: string, body: unknown, { manager, ...options }: ApplyOptions): Promise<KubeObject> {
    const query = { fieldManager: manager ?? FIELD_MANAGER, force: 'true' };
    return this.#object({ ...options, method: 'PATCH', path, query, body, contentType: APPLY });
  }

  async #object(wanted: Wanted): Promise<KubeObject> {
    return (await this.#json(wanted)) as KubeObject;
  }

  async #json(wanted: Wanted): Promise<unknown> {
    const { signal, timeout = TIMEOUT } = wanted;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const asked = this.#asked(wanted);
    const response = await this.#send({ ...wanted, signal: limited }, signal);
    if (response.statusCode < 200 || response.statusCode > 299) throw await refusal(response, asked);
    try {
      return await response.body.json();
    } catch (error) {
      throw noAnswer(error, asked, signal);
    }
  }

  /** Sends a request; once more with fresh credentials when those that were sent are not known any more. */
  async #send(wanted: Wanted, asker = wanted.signal): Promise<Dispatcher.ResponseData> {
    try {
      if (this.#doubtful) await this.#reopen();
      const response = await this.#once(wanted);
      if (response.statusCode !== 401) return response;
      await response.body.dump();
      await this.#reopen();
      return await this.#once(wanted);
    } catch (error) {
      if (error instanceof ReconcilerError) throw error;
      this.#doubtful = !asker.aborted;
      throw noAnswer(error, this.#asked(wanted), asker);
    }
  }

  async #reopen(): Promise<void> {
    const before = this.#connection;
    this.#connection = await openConnection(this.#options);
    this.#doubtful = false;
    // What is under way on the old connections, watches above all, ends by itself.
    void before.dispatcher.close().catch(() => undefined);
  }

  async #once({ method, path, query = {}, body, contentType, signal }: Wanted): Promise<Dispatcher.ResponseData> {
    const { server, dispatcher, headers } = this.#connection;
    const url = new URL(server + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return request(url, {
      method,
      dispatcher,
      signal,
      // A watch may be silent for as long as nothing changes; its own end, and TCP's keepalive, bound it.
      bodyTimeout: 0,
      headers: {
        accept: 'application/json',
        'user-agent': this.#agent,
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
        ...(await headers()),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  #asked({ method, path, query }: Wanted): Asked {
    const verb = query?.['watch'] === undefined ? method : 'watch';
    return { what: `${verb} ${path}`, server: this.server };
  }
}

const WRITE = { query: { fieldManager: FIELD_MANAGER } } as const;

async function refusal({ statusCode, headers, body }: Dispatcher.ResponseData, asked: Asked): Promise<ReconcilerError> {
  const retryAfter = headers['retry-after'];
  const text = await body.text().catch(() => '');
  return refusedByServer(statusCode, { text, retryAfter: retryAfter?.toString() }, asked);
}
