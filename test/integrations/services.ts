import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Customer {
  readonly id: string;
  readonly email: string;
  readonly changedAt: string;
}

/** A shop that tells what has changed, and a CRM that takes it, as a code would meet them: over HTTP. */
export class Services implements AsyncDisposable {
  readonly customers: unknown[] = [];
  /** What the CRM holds, and every PUT that it took, in order. */
  readonly people = new Map<string, unknown>();
  readonly puts: string[] = [];
  readonly tokens = new Set<string>();
  /** Status that the CRM answers with, by key; it takes what is not named. */
  readonly refuses = new Map<string, number>();
  /** Status that the shop answers with. */
  shop = 200;
  /** Told before each answer of the CRM; an answer waits for it. */
  onPut: (key: string) => Promise<void> = async () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async open(): Promise<Services> {
    const services = new Services();
    await new Promise<void>((resolve) => services.#server.listen(0, '127.0.0.1', resolve));
    return services;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(count: number, changedAt = new Date().toISOString()): void {
    for (let one = 0; one < count; one++) {
      const id = `c${this.customers.length}`;
      this.customers.push({ id, email: `${id}@example.com`, changedAt });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    if (pathname === '/customers') {
      const after = Number(searchParams.get('after'));
      const limit = Number(searchParams.get('limit'));
      const customers = this.customers.slice(after, after + limit);
      const next = after + customers.length;
      response.writeHead(this.shop).end(JSON.stringify({ customers, next, more: next < this.customers.length }));
      return;
    }
    const key = decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.tokens.add(request.headers.authorization ?? '');
    await this.onPut(key);
    const status = this.refuses.get(key) ?? 204;
    this.puts.push(key);
    if (status === 204) this.people.set(key, JSON.parse(Buffer.concat(chunks).toString('utf8')));
    response.writeHead(status).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
