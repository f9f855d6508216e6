import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../errors.ts';
import type { Context } from './context.ts';
import { crmToken } from './demo-repository.ts';
import type { Demo } from './demo-repository.ts';

interface Customer {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly changedAt: string;
}

/** Bytes; what is sent here is small. */
const LARGEST = 64 * 1024;

/**
 * The services that the demo's Integrations sync between, on the loopback interface: a shop that tells what has changed, a CRM, and
 * analytics. The third customer of the shop has no address that is one.
 */
export class DemoServices implements AsyncDisposable {
  readonly #customers: Customer[] = ['ada@example.com', 'grace@example.com', 'nobody'].map((email, index) => ({
    id: `C-${index + 1}`,
    name: ['Ada', 'Grace', 'Nobody'][index] ?? '',
    email,
    changedAt: new Date().toISOString(),
  }));
  readonly #people = new Map<string, unknown>();
  readonly #events = new Map<string, unknown>();
  readonly #open = new AsyncDisposableStack();
  #token = '';

  private constructor() {}

  /** Listens where the demo's configuration says. Says so when it cannot: the Integrations wait for it. */
  static async open(demo: Demo, { context }: { readonly context: Pick<Context, 'print'> }): Promise<DemoServices> {
    const services = new DemoServices();
    if (demo.servicesPort === undefined) return services;
    try {
      services.#token = await crmToken(demo);
      const server = createServer((request, response) => void services.#answer(request, response));
      server.listen(demo.servicesPort, '127.0.0.1');
      await once(server, 'listening');
      services.#open.defer(async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      });
    } catch (error) {
      context.print(`The services of the demo are not there: ${messageOf(error)}. Its Integrations try again.`);
    }
    return services;
  }

  /** How many people the CRM knows, how many customers the shop has, and how many runs analytics has counted. */
  get numbers(): { readonly people: number; readonly customers: number; readonly events: number } {
    return { people: this.#people.size, customers: this.#customers.length, events: this.#events.size };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [status, body] = await this.#reply(request);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    } catch (error) {
      response.writeHead(400).end(JSON.stringify({ error: messageOf(error) }));
    }
  }

  async #reply(request: IncomingMessage): Promise<readonly [number, unknown]> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://demo');
    const [, service = '', kind = '', key] = pathname.split('/').map(decodeURIComponent);
    const isRead = request.method === 'GET';
    if (service === 'shop' && isRead) {
      const after = Number(searchParams.get('after') ?? 0);
      const customers = this.#customers.slice(after, after + Number(searchParams.get('limit') ?? 100));
      const next = after + customers.length;
      return [200, { customers, next, more: next < this.#customers.length }];
    }
    if (service === 'shop') {
      const customer = JSON.parse(await textOf(request)) as Customer;
      this.#customers.push({ ...customer, changedAt: new Date().toISOString() });
      return [201, {}];
    }
    const held = service === 'crm' ? this.#people : this.#events;
    if (isRead) return [200, { [kind]: [...held.values()] }];
    if (service === 'crm' && request.headers.authorization !== `Bearer ${this.#token}`) return [401, {}];
    held.set(key ?? '', JSON.parse(await textOf(request)));
    return [200, {}];
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST) throw new Error('that is too much');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
