import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { messageOf } from '../errors.ts';
import { Verification } from '../gateway/hooks/signatures.ts';
import type { Context } from './context.ts';
import { receiverSecret } from './demo-repository.ts';
import type { Demo } from './demo-repository.ts';

/** An event that came and was rightly signed. */
export interface Received {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Milliseconds within which a delivery surely comes. */
const PATIENCE = 30_000;

/** The receiver of the demo: remembers which runs it was told of. */
export class DemoReceiver implements AsyncDisposable {
  readonly #told = new Map<string, Received>();
  readonly #waiting = new Map<string, (event: Received) => void>();
  readonly #open = new AsyncDisposableStack();

  private constructor() {}

  /** Listens where the demo's configuration says. Says so when it cannot: nothing else depends on it. */
  static async open(demo: Demo, { context }: { readonly context: Pick<Context, 'print'> }): Promise<DemoReceiver> {
    const receiver = new DemoReceiver();
    if (demo.receiverPort === undefined) return receiver;
    try {
      const take = (event: Received): void => receiver.#take(event);
      receiver.#open.use(await startReceiver(demo.receiverPort, await receiverSecret(demo), take));
    } catch (error) {
      context.print(`The receiver of webhooks is not there: ${messageOf(error)}. Deliveries wait for it.`);
    }
    return receiver;
  }

  /** Resolves when the receiver was told of the run of that correlation. @throws Error when it is not in time */
  async delivered(correlationId: string): Promise<Received> {
    const known = this.#told.get(correlationId);
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<Received>();
    const timer = setTimeout(() => reject(new Error('no webhook came')), PATIENCE);
    this.#waiting.set(correlationId, resolve);
    return promise.finally(() => clearTimeout(timer));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync();
  }

  #take(event: Received): void {
    const { correlationId } = event.data;
    // Other runs, such as those of the flow's own clock, are nobody's business here.
    if (typeof correlationId !== 'string') return;
    this.#told.set(correlationId, event);
    this.#waiting.get(correlationId)?.(event);
    this.#waiting.delete(correlationId);
  }
}

/** Bytes; what is delivered here is small. */
const LARGEST = 64 * 1024;

/**
 * Plays the part of a program that wants to know when orders went through: takes signed webhooks on the loopback interface,
 * and believes none that is not signed with `secret`.
 * @throws what listening throws, such as EADDRINUSE
 */
async function startReceiver(
  port: number,
  secret: string,
  onEvent: (event: Received) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((request, response) => {
    const verification = new Verification({ kind: 'standard-webhooks' }, request.headers, secret);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LARGEST) return request.destroy();
      verification.update(chunk);
      return chunks.push(chunk);
    });
    request.on('end', () => {
      const genuine = verification.verdict(Date.now()) === 'genuine';
      response.writeHead(genuine ? 204 : 401).end();
      if (!genuine) return;
      const { type = '', data = {} } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Partial<Received>;
      onEvent({ type, data });
    });
    request.on('error', () => undefined);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
