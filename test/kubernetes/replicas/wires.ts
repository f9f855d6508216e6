import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** The way from one replica to the API server, which can be cut: nothing arrives any more, and nobody is told. */
export class Wire implements AsyncDisposable {
  readonly #server: TcpServer;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(target: URL) {
    this.#server = createTcpServer((near) => {
      const far = connect(Number(target.port), target.hostname);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (chunk: Buffer) => !this.#cut && to.write(chunk));
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(url: string): Promise<Wire> {
    const wire = new Wire(new URL(url));
    await listening(wire.#server);
    return wire;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#cut = true;
  }

  /** Connections that were cut through are gone; new ones work. */
  mend(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#cut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One write to the platform: from when it was handed on, whole, to when it was answered; milliseconds of this process. */
export interface PlatformWrite {
  readonly who: number;
  readonly method: string;
  readonly path: string;
  readonly from: number;
  readonly to: number;
  readonly status: number;
}

/** The way from one replica to the platform, which writes down every write: who, what, when. */
export class Recorder implements AsyncDisposable {
  readonly #server: Server;
  readonly #agent = new Agent();
  readonly #target: string;
  readonly #who: number;
  readonly #writes: PlatformWrite[];
  /** Milliseconds by which each write is held up, so that something can happen in its middle. */
  delay = 0;
  /** Requests of any kind. */
  requests = 0;
  #writesToPass = Infinity;
  #held = Promise.withResolvers<void>();
  #released = Promise.withResolvers<void>();

  private constructor(target: string, who: number, writes: PlatformWrite[]) {
    this.#target = target;
    this.#who = who;
    this.#writes = writes;
    this.#server = createServer((incoming, response) => {
      this.#pass(incoming, response).catch(() => response.destroy());
    });
  }

  static async before(target: string, who: number, writes: PlatformWrite[]): Promise<Recorder> {
    const recorder = new Recorder(target, who, writes);
    await listening(recorder.#server);
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From the write on that has this number, counted from 1 and from now, none is handed on before `release`. @returns when one is held */
  hold(number: number): Promise<void> {
    this.#held = Promise.withResolvers();
    this.#released = Promise.withResolvers();
    this.#writesToPass = number - 1;
    return this.#held.promise;
  }

  release(): void {
    this.#writesToPass = Infinity;
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#agent.destroy();
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    this.requests += 1;
    const body = await buffer(incoming);
    const writes = method !== 'GET' && !url.startsWith('/auth/');
    if (writes) await this.#holdUp();
    const from = performance.now();
    const { host: _host, 'content-length': _length, connection: _connection, ...rest } = headers;
    const answer = await request(this.#target + url, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: rest,
      ...(body.length === 0 ? {} : { body }),
    });
    const text = Buffer.from(await answer.body.arrayBuffer());
    if (writes) {
      const [who, to] = [this.#who, performance.now()];
      this.#writes.push({ who, method, path: url, from, to, status: answer.statusCode });
    }
    const { 'transfer-encoding': _encoding, connection: _kept, ...told } = answer.headers;
    response.writeHead(answer.statusCode, told).end(text);
  }

  async #holdUp(): Promise<void> {
    await pause(this.delay);
    this.#writesToPass -= 1;
    if (this.#writesToPass >= 0) return;
    this.#held.resolve();
    await this.#released.promise;
  }
}

async function listening(server: TcpServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
}
