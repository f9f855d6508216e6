import { createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FaultRules, isRead } from './fault-rules.ts';
import type { Action, HoldPoint, Request } from './fault-rules.ts';

/** One request as the proxy saw it go by. */
export interface Recorded extends Request {
  /** When it came; milliseconds, for differences only. */
  readonly at: number;
  /** Whether the platform got it, whole. */
  forwarded: boolean;
  /** What the client was told; undefined while there is no answer, or when it got none. */
  status: number | undefined;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * A real HTTP proxy between a driver and its platform that does what networks do. It buffers whole messages, so that
 * "sent" and "answered" are exact; a client that goes away does not take back what it has sent.
 */
export class FaultProxy implements AsyncDisposable {
  readonly rules = new FaultRules();
  readonly requests: Recorded[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #underway = new Set<Promise<void>>();
  #target: URL;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((request, response) => this.#take(request, response));
    this.#server.on('connection', (socket: Socket) => this.#track(socket));
    this.#server.on('upgrade', (request, socket, head) => this.#tunnel(request, socket, head));
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on forwards to another server: another instance behind the same URL. */
  retarget(target: string): void {
    this.#target = new URL(target);
  }

  /** Everything but reads, in the order in which it came. */
  get writes(): readonly Recorded[] {
    return this.requests.filter((request) => !isRead(request));
  }

  forget(): void {
    this.requests.length = 0;
  }

  /** Resolves when no request is on its way any more, so that no late effect disturbs what comes next. */
  async idle(): Promise<void> {
    while (this.#underway.size > 0) await Promise.allSettled(this.#underway);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.rules.clear();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const work = this.#serve(request, response)
      .catch(() => void response.socket?.destroy())
      .finally(() => this.#underway.delete(work));
    this.#underway.add(work);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await collect(request);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const method = request.method ?? 'GET';
    const number = this.requests.length + 1;
    const recorded: Recorded = { number, method, path, at: performance.now(), forwarded: false, status: undefined };
    this.requests.push(recorded);
    const action = this.rules.strike(recorded);
    if (action !== undefined && (await this.#intercept(action, recorded, response))) return;
    const answer = await this.#forward(request, body, { recorded, action, response });
    if (answer === undefined || !response.writable || response.destroyed) return;
    if (action !== undefined && (await spoil(action, recorded, response, answer))) return;
    recorded.status = answer.status;
    response.writeHead(answer.status, hopByHop(answer.headers)).end(answer.body);
  }

  /** What happens before anything is forwarded; true when the request ends here. */
  async #intercept(action: Action, recorded: Recorded, response: ServerResponse): Promise<boolean> {
    if (action.do === 'status' && action.late !== true) return answerSo(action, recorded, response);
    if (action.do === 'reset' && action.when === 'before') return reset(response);
    if (action.do === 'stall' && action.when === 'before') return stall(response);
    if (action.do === 'delay') await new Promise((resolve) => setTimeout(resolve, action.milliseconds));
    if (action.do === 'hold' && action.at === 'before') return hold(action, recorded, response);
    return false;
  }

  async #forward(
    request: IncomingMessage,
    body: Buffer,
    { recorded, action, response }: { recorded: Recorded; action: Action | undefined; response: ServerResponse },
  ): Promise<Answer | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const upstream = httpRequest(new URL(request.url ?? '/', this.#target), {
      method: recorded.method,
      headers: { ...hopByHop(request.headers), host: this.#target.host, 'content-length': String(body.length) },
      agent: false,
    });
    upstream.on('error', reject);
    upstream.on('response', (answer) => {
      collect(answer).then(
        (bytes) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes }),
        reject,
      );
    });
    await new Promise<void>((sent) => {
      upstream.on('error', () => sent());
      upstream.end(body, () => sent());
    });
    recorded.forwarded = true;
    const dropped = action?.do === 'hold' && action.at === 'sent' && (await hold(action, recorded, response));
    // The answer is awaited even when nobody wants it any more: `idle` then means that the effect has happened.
    const answer = await promise;
    return dropped ? undefined : answer;
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const upstream = connect(Number(this.#target.port), this.#target.hostname, () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`);
      upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
    });
    this.#track(upstream);
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
  }
}

/** What happens to an answer on its way back; true when the client does not get it as it is. */
async function spoil(action: Action, recorded: Recorded, response: ServerResponse, answer: Answer): Promise<boolean> {
  if (action.do === 'reset') return reset(response);
  if (action.do === 'status') return answerSo(action, recorded, response);
  if (action.do === 'stall') return stall(response);
  if (action.do === 'hold' && action.at === 'answer') return hold(action, recorded, response);
  if (action.do !== 'truncate') return false;
  recorded.status = answer.status;
  // One byte more is promised than there ever is, so that answers without a body are cut short too.
  response.writeHead(answer.status === 204 ? 200 : answer.status, {
    ...hopByHop(answer.headers),
    'content-length': String(answer.body.length + 1),
  });
  response.write(answer.body.subarray(0, Math.ceil(answer.body.length / 2)), () => response.socket?.destroy());
  return true;
}

function answerSo(action: Extract<Action, { do: 'status' }>, recorded: Recorded, response: ServerResponse): true {
  const retry = action.retryAfter === undefined ? {} : { 'retry-after': String(action.retryAfter) };
  recorded.status = action.code;
  response.writeHead(action.code, { 'content-type': 'application/json', ...retry }).end(action.body ?? '{}');
  return true;
}

function hold(
  action: { readonly at: HoldPoint; tell(held: { request: Request; release(): void; drop(): void }): void },
  request: Request,
  response: ServerResponse,
): Promise<boolean> {
  return new Promise((resolve) => {
    const drop = (): void => {
      reset(response);
      resolve(true);
    };
    response.on('close', drop);
    action.tell({ request, release: () => resolve(false), drop });
  });
}

function reset(response: ServerResponse): true {
  response.socket?.destroy();
  return true;
}

/** Leaves the client waiting; ends when it hangs up. */
async function stall(response: ServerResponse): Promise<true> {
  if (!response.destroyed) await new Promise<void>((resolve) => response.on('close', () => resolve()));
  return true;
}

function hopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _c, 'transfer-encoding': _t, 'keep-alive': _k, ...rest } = headers;
  return rest;
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
