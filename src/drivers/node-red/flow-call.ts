import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ReconcilerError, asReconcilerError } from '../../errors.ts';
import type { JsonValue } from '../../manifest/manifest.ts';
import type { Fence, RequestObserver } from '../driver.ts';

/** Milliseconds that a caller waits for a flow's answer; one that takes longer, or never answers, runs on all the same. */
const ANSWER_WAIT = 2_000;

/** Requests to flows that may be without an answer at once; flows that never answer hold theirs until it times out. */
export const MOST_UNANSWERED = 32;

/** Bytes of an answer that are kept. */
const ANSWER_LIMIT = 64 * 1024;

const CONNECT_TIMEOUT = 10_000;

/** A request to an endpoint that a flow has opened. */
export interface FlowCall {
  readonly method: string;
  readonly url: URL;
  /** How messages name it: no value of the input is in it. */
  readonly what: string;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a flow answered. */
export interface FlowAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: JsonValue;
}

/**
 * Sends requests to the endpoints of flows: each once, on a connection of its own (a kept one may be closed at the moment
 * of sending, and then nobody knows), and without the platform's credentials, which a flow could read. Apart from the
 * client of the admin API, so that flows that fail or hang neither open its circuit nor take its places.
 */
export class FlowCaller implements Disposable {
  readonly #open = new Set<ClientRequest>();
  readonly #timeout: number;
  readonly #onRequest: RequestObserver;

  readonly #fence: Fence | undefined;

  /** @param timeout milliseconds for one request, answer included. */
  constructor(timeout: number, onRequest: RequestObserver, fence?: Fence) {
    this.#timeout = timeout;
    this.#fence = fence;
    this.#onRequest = onRequest;
  }

  /**
   * @returns the answer, or `waiting` when there was none in time: the request goes on until its timeout, and what it
   * brings is dropped.
   * @throws ReconcilerError `platform-unreachable`, `too-many-requests` or `not-holder` (surely not sent), `outcome-unknown`.
   */
  async send(call: FlowCall, signal: AbortSignal): Promise<FlowAnswer | 'waiting'> {
    if (signal.aborted) throw stopped(call);
    const timeout = Math.min(this.#timeout, this.#fence?.permit() ?? this.#timeout);
    if (this.#open.size >= MOST_UNANSWERED) throw tooMany(call);
    const { promise, resolve, reject } = Promise.withResolvers<FlowAnswer | 'waiting'>();
    const outgoing = this.#start(call);
    let connected = false;
    outgoing.once('socket', (socket) =>
      socket.once(call.url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        clearTimeout(connecting);
        try {
          this.#fence?.permit();
        } catch (error) {
          outgoing.destroy(asReconcilerError(error));
          return;
        }
        connected = true;
        outgoing.end(call.text);
      }),
    );
    const late = (): void => {
      if (outgoing.writableFinished) resolve('waiting');
      outgoing.destroy(new Error('no answer in time'));
    };
    const connecting = setTimeout(late, Math.min(CONNECT_TIMEOUT, timeout));
    const timers = [connecting, setTimeout(late, timeout)];
    outgoing.once('finish', () => timers.push(setTimeout(() => resolve('waiting'), ANSWER_WAIT)));
    let answered = false;
    outgoing.once('response', (response) => {
      answered = true;
      answerOf(response).then(resolve, reject);
    });
    outgoing.once('error', reject);
    outgoing.once('close', () => {
      for (const timer of timers) clearTimeout(timer);
      // An answer that has begun is judged by how its body ends.
      if (!answered) reject(new Error('connection lost'));
    });
    const stop = (): void => void outgoing.destroy(new Error('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await promise;
    } catch (error) {
      if (connected) throw unknown(call, error);
      if (error instanceof ReconcilerError) throw error;
      throw signal.aborted ? stopped(call, error) : unreachable(call, error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Breaks off what is without an answer; the flows run on. */
  [Symbol.dispose](): void {
    for (const outgoing of this.#open) outgoing.destroy();
  }

  /** Connects; counted, and told to the observer, until its connection is closed. What is sent waits until it stands: the fence is asked then. */
  #start({ method, url, text, headers }: FlowCall): ClientRequest {
    const start = performance.now();
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const length = String(Buffer.byteLength(text));
    const outgoing = make(url, { method, agent: false, headers: { ...headers, 'content-length': length } });
    let code: number | 'error' = 'error';
    outgoing.once('response', ({ statusCode = 0 }) => (code = statusCode));
    // Whoever waits hears of an error first; one that comes later concerns nobody.
    outgoing.on('error', () => {});
    outgoing.once('close', () => {
      this.#open.delete(outgoing);
      this.#onRequest({ method, route: '/:endpoint', code, seconds: (performance.now() - start) / 1000 });
    });
    this.#open.add(outgoing);
    return outgoing;
  }
}

/** The answer, its body cut at the limit. */
async function answerOf(response: IncomingMessage): Promise<FlowAnswer> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const rest = ANSWER_LIMIT - size;
    size += chunk.length;
    // A character that the limit cuts in two is left out: the decoder is not flushed.
    text += decoder.decode(chunk.subarray(0, rest), { stream: true });
    if (size > ANSWER_LIMIT) break;
  }
  if (size <= ANSWER_LIMIT) text += decoder.decode();
  const isJson = /\bjson\b/i.test(response.headers['content-type'] ?? '');
  const body = isJson ? (parse(text) ?? text) : text;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}

function unknown({ what }: FlowCall, cause: unknown): ReconcilerError {
  return new ReconcilerError(
    `${what} was sent and the connection broke; whether the workflow runs is unknown.`,
    'never',
    {
      code: 'outcome-unknown',
      cause,
      remedy: 'Look for its execution before you trigger it again.',
    },
  );
}

function unreachable({ what }: FlowCall, cause: unknown): ReconcilerError {
  return new ReconcilerError(`${what}: cannot connect; nothing was started.`, 'backoff', {
    code: 'platform-unreachable',
    cause,
    remedy: 'Check that the platform is running and reachable from here.',
  });
}

function stopped({ what }: FlowCall, cause?: unknown): ReconcilerError {
  return new ReconcilerError(`${what} was stopped before it was sent.`, 'backoff', { code: 'aborted', cause });
}

function tooMany({ what }: FlowCall): ReconcilerError {
  const waiting = `${MOST_UNANSWERED} earlier ones are still without an answer`;
  return new ReconcilerError(`${what} was not sent: ${waiting}.`, 'backoff', {
    code: 'too-many-requests',
    retryAfter: 1_000,
    remedy: 'Let the flows answer at once (an http response node first), or use an inject node as entry.',
  });
}
