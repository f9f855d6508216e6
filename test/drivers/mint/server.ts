import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { JsonObject } from '../../../src/manifest/manifest.ts';
import { FaultRules } from '../fault-rules.ts';
import type { Action, Request } from '../fault-rules.ts';
import { COLLECTIONS, MintStore, Refused } from './store.ts';
import type { Collection, Fields, MintObject } from './store.ts';

/** Who a token is, and what it may do. */
export interface Account {
  readonly name: string;
  /** Collections whose objects it may not see at all. */
  readonly hidden?: readonly Collection[];
  /** It sees only what it made itself, and listings do not say so: lost sight, as with a narrowed API key. */
  readonly ownOnly?: boolean;
  readonly readOnly?: boolean;
}

/** One request, as the platform's audit log has it. */
export interface Logged extends Request {
  readonly by: string;
  readonly status: number | 'lost';
  /** What it did to the platform's objects; nothing when it was refused or was a read. */
  readonly effect?: 'create' | 'change' | 'remove';
  readonly id?: string;
  readonly title?: string;
}

export interface MintOptions {
  /** Objects per page (default 50). */
  readonly pageSize?: number;
  /** Keeps its state here, and finds it again. */
  readonly file?: string;
  /** By token; default: one token, `mint-token`, of `plumbline`. */
  readonly accounts?: Readonly<Record<string, Account>>;
}

export const TOKEN = 'mint-token';

interface Reply {
  readonly status: number;
  readonly json: JsonObject | undefined;
  readonly effect?: 'create' | 'change' | 'remove';
  readonly object?: MintObject;
}

/**
 * Mint, a small low-code platform: ids are its own, objects are written one at a time, pages have offset cursors,
 * secrets can be written but not read, and two kinds have no room for a marker. It lies on demand.
 */
export class MintServer implements AsyncDisposable {
  readonly rules = new FaultRules();
  readonly log: Logged[] = [];
  /** Titles that are refused with 400, and with all that was sent in the answer. */
  readonly poison = new Set<string>();
  readonly accounts: Map<string, Account>;
  readonly store: MintStore;
  readonly #pageSize: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #count = 0;

  private constructor(options: MintOptions) {
    this.store = new MintStore(options.file);
    this.accounts = new Map(Object.entries(options.accounts ?? { [TOKEN]: { name: 'plumbline' } }));
    this.#pageSize = options.pageSize ?? 50;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.socket?.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: MintOptions = {}): Promise<MintServer> {
    const mint = new MintServer(options);
    await new Promise<void>((resolve) => {
      mint.#server.listen(0, '127.0.0.1', resolve);
    });
    return mint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that changed something, in order: who wrote what, and how often. */
  get effects(): readonly Logged[] {
    return this.log.filter(({ effect }) => effect !== undefined);
  }

  forget(): void {
    this.log.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.#count += 1;
    const url = new URL(request.url ?? '/', 'http://mint');
    const seen: Request = { number: this.#count, method: request.method ?? 'GET', path: url.pathname };
    const account = this.accounts.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    const action = this.rules.strike(seen);
    if (action?.do === 'delay') await new Promise((resolve) => setTimeout(resolve, action.milliseconds));
    if (action !== undefined && endsBefore(action, response)) {
      this.log.push({ ...seen, by: account?.name ?? '?', status: action.do === 'status' ? action.code : 'lost' });
      return;
    }
    const body = Buffer.concat(chunks).toString('utf8');
    const before = action?.do === 'pretend' ? this.store.snapshot() : undefined;
    const reply = this.#handle({ ...seen, url, account, body, ifMatch: request.headers['if-match'] });
    if (before !== undefined) this.store.restore(before);
    this.#record(seen, account, { reply, pretended: before !== undefined });
    send(response, action?.do === 'lose-items' ? { ...reply, json: { ...reply.json, items: [] } } : reply, action);
  }

  #record(
    seen: Request,
    account: Account | undefined,
    { reply, pretended }: { reply: Reply; pretended: boolean },
  ): void {
    const effect = reply.effect === undefined || pretended ? {} : { effect: reply.effect };
    const object = reply.object === undefined ? {} : { id: reply.object.id, title: reply.object.title };
    this.log.push({ ...seen, by: account?.name ?? '?', status: reply.status, ...effect, ...object });
  }

  #handle(request: Request & Asked): Reply {
    try {
      if (request.account === undefined) throw new Refused(401, 'who are you?');
      return this.#route(request, request.account);
    } catch (error) {
      if (error instanceof SyntaxError) return { status: 400, json: { error: 'not JSON' } };
      if (!(error instanceof Refused)) throw error;
      return { status: error.status, json: { error: error.message } };
    }
  }

  #route(request: Request & Asked, account: Account): Reply {
    const [, api, name, id] = request.path.split('/');
    if (api !== 'api') throw new Refused(404, 'no such route');
    if (name === 'instance') return { status: 200, json: this.#about(account) };
    const collection = COLLECTIONS.find((known) => known === name);
    if (collection === undefined) throw new Refused(404, 'no such collection');
    if (account.hidden?.includes(collection) === true)
      throw new Refused(403, `${account.name} may not see ${collection}`);
    if (request.method === 'GET' && id === undefined) return this.#page(collection, request.url, account);
    if (request.method === 'GET') return shown(200, this.store.get(collection, id ?? ''));
    if (account.readOnly === true) throw new Refused(403, `${account.name} may only read`);
    return this.#write(request, collection, { id, account });
  }

  #write(
    request: Request & Asked,
    collection: Collection,
    { id, account }: { id: string | undefined; account: Account },
  ): Reply {
    const by = account.name;
    if (request.method === 'DELETE') {
      const object = this.store.get(collection, id ?? '');
      this.store.remove(object, request.ifMatch === undefined ? undefined : Number(request.ifMatch));
      return { status: 204, json: undefined, effect: 'remove', object };
    }
    const fields = JSON.parse(request.body) as Fields;
    if (this.poison.has(fields.title ?? '')) throw new Refused(400, `cannot take ${request.body}`);
    if (request.method === 'POST') {
      return { ...shown(201, this.store.create(collection, fields, by)), effect: 'create' };
    }
    if (request.method !== 'PATCH') throw new Refused(405, 'GET, POST, PATCH or DELETE');
    const expected = request.ifMatch === undefined ? undefined : Number(request.ifMatch);
    return {
      ...shown(200, this.store.change(this.store.get(collection, id ?? ''), fields, { by, expected })),
      effect: 'change',
    };
  }

  #about(account: Account): JsonObject {
    const visible = COLLECTIONS.filter((collection) => account.hidden?.includes(collection) !== true);
    const reach = account.ownOnly === true ? 'own' : 'all';
    const rights = visible.flatMap((collection) => [
      `${collection}:read:${reach}`,
      ...(account.readOnly === true ? [] : [`${collection}:write`]),
    ]);
    return { instance: this.store.instance, version: '1.4.0', account: account.name, rights: rights.sort() };
  }

  #page(collection: Collection, url: URL, account: Account): Reply {
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const title = url.searchParams.get('title');
    const all = this.store
      .list(collection)
      .filter((object) => account.ownOnly !== true || object.createdBy === account.name)
      .filter((object) => title === null || object.title === title);
    const items = all.slice(offset, offset + this.#pageSize).map((object) => shape(object));
    return { status: 200, json: { items, offset, pageSize: this.#pageSize, total: all.length } };
  }
}

interface Asked {
  readonly url: URL;
  readonly account: Account | undefined;
  readonly body: string;
  readonly ifMatch: string | undefined;
}

function shown(status: number, object: MintObject): Reply {
  return { status, json: shape(object), object };
}

/** An object as the API shows it: of secrets only whether they are set. */
function shape(stored: MintObject): JsonObject {
  const { collection: _collection, secrets, ...object } = stored;
  const secretsSet = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, value !== '']));
  return { ...object, secretsSet };
}

/** Faults that leave the platform untouched; true when the request has ended here. */
function endsBefore(action: Action, response: ServerResponse): boolean {
  if (action.do === 'status') {
    const retry = action.retryAfter === undefined ? {} : { 'retry-after': String(action.retryAfter) };
    response.writeHead(action.code, { 'content-type': 'application/json', ...retry });
    response.end(action.body ?? JSON.stringify({ error: 'on demand' }));
    return true;
  }
  if (action.do === 'reset' && action.when === 'before') response.socket?.destroy();
  return (action.do === 'reset' || action.do === 'stall') && action.when === 'before';
}

function send(response: ServerResponse, reply: Reply, action: Action | undefined): void {
  if (action?.do === 'stall') return;
  if (action?.do === 'reset') return void response.socket?.destroy();
  const text = reply.json === undefined ? '' : JSON.stringify(reply.json);
  const cut = action?.do === 'truncate';
  response.writeHead(cut && text === '' ? 200 : reply.status, {
    'content-type': 'application/json',
    ...(reply.status === 204 && !cut ? {} : { 'content-length': String(Buffer.byteLength(text) + (cut ? 1 : 0)) }),
  });
  if (!cut) return void response.end(text);
  response.write(text.slice(0, Math.ceil(text.length / 2)), () => response.socket?.destroy());
}
