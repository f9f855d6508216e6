import PQueue from 'p-queue';
import { type Dispatcher, type FormData, request } from 'undici';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { Circuit, type CircuitTimes } from './circuit.ts';
import type { CircuitState, Fence, Limits, RequestObserver } from './driver.ts';
import { agentBehind } from './fenced.ts';
import { failureOf, refusalOf, retryAfterOf } from './http-errors.ts';
import { encodedForm } from './form.ts';
import type { EncodedForm } from './form.ts';

/** Bytes of one answer that are read; more is an error, not memory. */
const BODY_LIMIT = 256 * 1024 * 1024;
/** Tries of a request that the platform asked us to repeat later, and the longest single wait, milliseconds. */
const PATIENCE = { tries: 4, longestWait: 30_000 };

export interface HttpOptions {
  /** How messages name the platform. */
  readonly platform: string;
  /** Base URL; its path is kept as a prefix. Credentials are bound to its host: redirects are errors. */
  readonly url: string;
  readonly limits: Limits;
  readonly onRequest: RequestObserver;
  readonly onCircuit?: (state: CircuitState) => void;
  readonly bodyLimit?: number;
  readonly circuit?: CircuitTimes;
  /** Asked before every request, and once more when its connection stands, before the first byte. */
  readonly fence?: Fence;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  /** Path template (`/flow/:id`): what metrics and messages show, so that no id ever becomes a label. */
  readonly route: string;
  /** Values for the `:name` parts of the route. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  /** Already serialised JSON, for bodies that are sent more than once. */
  readonly text?: string;
  /** Sent as multipart/form-data instead of JSON. */
  readonly form?: FormData;
  /** Whether sending it twice does no more than sending it once. Default: true for GET, PUT and DELETE. */
  readonly idempotent?: boolean;
  /** Status codes besides 2xx that are answers, not errors. */
  readonly accept?: readonly number[];
  /** Values in the body that must not show up in an error, even when the platform repeats them. */
  readonly sensitive?: readonly string[];
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed body; undefined when it is empty or was not JSON on a status named in `accept`. */
  readonly json: JsonValue | undefined;
  readonly text: string;
}

/**
 * The HTTP client that all drivers share: bounded concurrency and rate, a timeout per request, Retry-After honoured, a
 * circuit breaker, JSON with clear errors. It never repeats a request whose outcome is unknown unless that is harmless.
 */
export class HttpClient {
  readonly #options: HttpOptions;
  readonly #base: URL;
  readonly #dispatcher: Dispatcher;
  readonly #queue: PQueue;
  readonly #circuit: Circuit;

  constructor(options: HttpOptions) {
    const { limits } = options;
    this.#options = options;
    this.#base = baseOf(options);
    this.#dispatcher = agentBehind(options.fence, {
      connections: limits.concurrency,
      connect: { timeout: Math.min(limits.timeout, 10_000) },
    });
    const burst = Math.max(1, limits.concurrency);
    this.#queue = new PQueue({
      concurrency: burst,
      intervalCap: burst,
      interval: Math.ceil((burst * 1000) / limits.requestsPerSecond),
    });
    this.#circuit = new Circuit(this.name, options.circuit, options.onCircuit);
  }

  /** `platform prod (https://host:1880)`: how messages name the other side; never a credential. */
  get name(): string {
    return `platform ${this.#options.platform} (${this.#base.origin})`;
  }

  /**
   * Sends one request and reads its answer whole.
   * @throws ReconcilerError with code `platform-unreachable` (not sent), `outcome-unknown` (sent, not idempotent, no
   * answer), `not-holder` (not sent: the fence is closed), `timeout`, `aborted`, `redirected`, `not-json`, `unauthorized`, `platform-error`, `platform-unavailable` or
   * `refused` (the platform said no: `status` is in the message).
   */
  async send(wanted: HttpRequest): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt++) {
      const { signal } = wanted;
      const answer = await this.#queue
        .add(() => this.#circuit.run(() => this.#once(wanted)), { signal })
        .catch((error: unknown) => this.#again(error, wanted, attempt));
      if (answer === undefined) continue;
      return answer;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue.clear();
    await this.#dispatcher.destroy();
  }

  /** Waits and returns undefined when the request may be sent again; throws what is final. */
  async #again(error: unknown, wanted: HttpRequest, attempt: number): Promise<undefined> {
    if (!(error instanceof ReconcilerError)) {
      throw new ReconcilerError(`${this.#context(wanted).what} was stopped before it was sent.`, 'backoff', {
        code: 'aborted',
        cause: error,
      });
    }
    const wait = error.retryAfter;
    const asked = error.code === 'too-many-requests' || (error.code === 'platform-unavailable' && isIdempotent(wanted));
    if (asked && wait !== undefined && wait <= PATIENCE.longestWait && attempt < PATIENCE.tries) {
      await pause(wait, wanted.signal);
      return undefined;
    }
    // A kept-alive connection that the server closed meanwhile: one more try on a fresh one.
    if (error.code === 'connection-lost' && attempt === 1 && !wanted.signal.aborted) return undefined;
    throw error;
  }

  async #once(wanted: HttpRequest): Promise<HttpAnswer> {
    const { onRequest, limits } = this.#options;
    const start = performance.now();
    const report = (code: number | 'error'): void =>
      onRequest({
        method: wanted.method,
        route: wanted.route,
        code,
        seconds: (performance.now() - start) / 1000,
      });
    const form = wanted.form && (await encodedForm(wanted.form));
    wanted.signal.throwIfAborted();
    const timeout = AbortSignal.timeout(Math.min(limits.timeout, this.#options.fence?.permit() ?? limits.timeout));
    let response: Dispatcher.ResponseData<unknown>;
    let text: string;
    try {
      const options = this.#optionsOf(wanted, form, AbortSignal.any([wanted.signal, timeout]));
      response = await request(this.#urlOf(wanted), options);
      text = await this.#read(response, wanted);
    } catch (error) {
      report('error');
      if (error instanceof ReconcilerError) throw error;
      throw failureOf(error, this.#context(wanted), wanted.signal, timeout);
    }
    report(response.statusCode);
    return this.#judge(wanted, response, text);
  }

  #judge(wanted: HttpRequest, response: Dispatcher.ResponseData<unknown>, text: string): HttpAnswer {
    const headers = flatHeaders(response.headers);
    const status = response.statusCode;
    const accepted = wanted.accept?.includes(status) === true;
    const json = parse(text);
    if (!accepted && (status < 200 || status > 299)) {
      const long = Object.values(wanted.headers ?? {}).filter((value) => value.length >= 8);
      const secrets = [...long, ...(wanted.sensitive ?? [])];
      throw refusalOf({ status, headers, text, json, secrets }, this.#context(wanted), retryAfterOf(headers));
    }
    if (json === undefined && text !== '' && !accepted) {
      const html = /^\s*</.test(text);
      throw new ReconcilerError(
        `${this.#context(wanted).what} answered ${status} with ${html ? 'an HTML page' : 'something that is not JSON'} (${text.length} characters) instead of JSON.`,
        'backoff',
        {
          code: 'not-json',
          remedy: html
            ? 'Check that the URL is the API of the platform and that no login page or proxy stands before it.'
            : 'The answer may have been cut off on its way; if it stays so, check what stands between.',
        },
      );
    }
    return { status, headers, json, text };
  }

  async #read(response: Dispatcher.ResponseData<unknown>, wanted: HttpRequest): Promise<string> {
    const limit = this.#options.bodyLimit ?? BODY_LIMIT;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) {
        throw new ReconcilerError(`${this.#context(wanted).what} answered with more than ${limit} bytes.`, 'never', {
          code: 'answer-too-large',
          remedy: 'Check that the URL is the API of the platform.',
        });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #context(wanted: HttpRequest): { what: string; idempotent: boolean } {
    return { what: `${wanted.method} ${wanted.route} on ${this.name}`, idempotent: isIdempotent(wanted) };
  }

  #urlOf(wanted: HttpRequest): URL {
    const path = wanted.route.replace(/:([a-zA-Z]+)/g, (_, name: string) => {
      const value = wanted.params?.[name];
      if (value === undefined) throw new TypeError(`no value for :${name} in ${wanted.route}`);
      return encodeURIComponent(value);
    });
    const url = new URL(this.#base.pathname.replace(/\/$/, '') + path, this.#base.origin);
    for (const [name, value] of Object.entries(wanted.query ?? {})) url.searchParams.set(name, value);
    return url;
  }

  #optionsOf(wanted: HttpRequest, form: EncodedForm | undefined, signal: AbortSignal): Parameters<typeof request>[1] {
    const json = wanted.text ?? (wanted.body === undefined ? undefined : JSON.stringify(wanted.body));
    const body = form?.bytes ?? json;
    const type = form?.type ?? (json === undefined ? undefined : 'application/json');
    const { timeout } = this.#options.limits;
    return {
      method: wanted.method,
      dispatcher: this.#dispatcher,
      signal,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      headers: {
        accept: 'application/json',
        'user-agent': 'plumbline',
        ...(type === undefined ? {} : { 'content-type': type }),
        ...wanted.headers,
      },
      ...(body === undefined ? {} : { body }),
    };
  }
}

function baseOf(options: HttpOptions): URL {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ReconcilerError(`The URL of platform ${options.platform} is not an http or https URL.`, 'never', {
      code: 'bad-url',
      remedy: 'Write spec.url as https://host:port/path.',
    });
  }
  return url;
}

function isIdempotent(wanted: HttpRequest): boolean {
  return wanted.idempotent ?? (wanted.method === 'GET' || wanted.method === 'PUT' || wanted.method === 'DELETE');
}

function parse(text: string): JsonValue | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function flatHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

/** Waits; rejects as soon as the signal fires. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new ReconcilerError('Stopped while waiting for the platform.', 'backoff', { code: 'aborted' }));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }).catch((error: unknown) => {
    throw error instanceof ReconcilerError ? error : new ReconcilerError(messageOf(error), 'backoff');
  });
}
