import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { request } from 'undici';
import { z } from 'zod';
import { apiRoutes, registerApi } from '../../src/gateway/api/api.ts';
import type { ApiParts } from '../../src/gateway/api/api.ts';
import type { ConnectedPlatforms } from '../../src/gateway/api/platforms.ts';
import type { Route } from '../../src/gateway/api/route.ts';
import { ErrorBody } from '../../src/gateway/api/shapes.ts';
import { AuditTrail } from '../../src/gateway/api/trail.ts';
import type { CheckTrigger } from '../../src/gateway/api/trigger.ts';
import { createServer, listen } from '../../src/gateway/server.ts';
import { ReconcilerError } from '../../src/errors.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { IssuedToken } from '../../src/ledger/tokens.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { Seal } from '../../src/secrets/seal.ts';
import { SecretStore } from '../../src/secrets/store.ts';
import { RunnerDriver, RunnerServer } from '../drivers/mint/runner.ts';
import { owned } from '../ledger/samples.ts';

export const ROOT = 'r'.repeat(43);

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Record<string, unknown>;
  /** The error's code; empty when it is none. */
  readonly code: string;
}

/** How a call is made; `root` is the token of the state directory, `''` none. */
export interface How {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string as it is. */
  readonly body?: unknown;
}

/** The private API over a ledger and a platform that runs workflows; every answer is held against its schema. */
export class ApiPlace implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'plumbline-api-'));
  readonly metrics = new Metrics({ version: '1' });
  readonly secrets = new SecretStore({ env: {}, hashKey: randomBytes(32) });
  readonly operations: { name: string; args: unknown }[] = [];
  readonly runner: RunnerServer;
  checkTrigger: CheckTrigger = async () => [];
  now = Date.parse('2027-01-01T00:00:00Z');
  ledger: Ledger;
  url = '';
  log = '';
  /** Paths and methods that the running server has. */
  readonly registered: string[] = [];
  routes: readonly Route[] = [];
  #server: FastifyInstance | undefined;
  readonly #seal = new Seal({ key: randomBytes(32), hold: (value) => this.secrets.hold(value) });
  readonly #driver: RunnerDriver;

  private constructor(runner: RunnerServer) {
    this.runner = runner;
    this.#driver = new RunnerDriver(runner.url);
    this.ledger = this.#open();
  }

  static async create(): Promise<ApiPlace> {
    const place = new ApiPlace(await RunnerServer.start());
    place.own('node-red', 'order-fulfillment');
    place.own('node-red', 'invoices');
    place.own('other', 'order-fulfillment');
    await place.start();
    return place;
  }

  async start(): Promise<void> {
    const { metrics, secrets, ledger } = this;
    const stream = new Writable({ write: (chunk: Buffer, _, done) => ((this.log += chunk.toString()), done()) });
    const redact = (text: string): string => secrets.redact(text);
    const log = createLog({ level: 'debug', format: 'json', redact, stream });
    const server = createServer({ name: 'private', bodyLimit: 1024 * 1024, reports: metrics.gateway, log });
    server.addHook('onRoute', ({ method, url }) => void this.registered.push(`${String(method)} ${url}`));
    const parts: ApiParts = {
      version: '1.2.3',
      ledger,
      rootToken: ROOT,
      platforms: this.#platforms(),
      operations: this.#operations(),
      checkTrigger: (wish, signal) => this.checkTrigger(wish, signal),
      webhooks: ledger.webhooks,
      deliveries: { list: (query) => ledger.bus.list(query), replay: async () => ({ replayed: 2, skipped: 1 }) },
      hold: (value) => secrets.hold(value),
      redact,
      reports: metrics.gateway,
      log,
      now: () => this.now,
      signal: new AbortController().signal,
    };
    await registerApi(server, parts);
    this.routes = apiRoutes(parts, new AuditTrail(ledger.audit, log));
    const { port } = await listen(server, { host: '127.0.0.1', port: 0 }, '--listen');
    this.url = `http://127.0.0.1:${port}/api/v1`;
    this.#server = server;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.ledger.close();
  }

  async restart(): Promise<void> {
    await this.stop();
    this.ledger = this.#open();
    await this.start();
  }

  own(platform: string, workflow: string): void {
    const own = owned(`Workflow/${workflow}`, { remote: `remote-${workflow}` });
    this.ledger.journal({ sync: `orders-${platform}`, platform }).record([{ record: 'own', owned: own }]);
  }

  /** A token with these scopes. */
  token(...scopes: readonly string[]): string {
    return this.issue(scopes).token;
  }

  issue(scopes: readonly string[], more: Partial<Parameters<Ledger['tokens']['create']>[0]> = {}): IssuedToken {
    return this.ledger.tokens.create({ name: `for ${scopes.join(' ')}`, scopes, by: 'test', ...more });
  }

  async ask(method: 'GET' | 'POST' | 'DELETE', path: string, how: How = {}): Promise<Asked> {
    const { token = ROOT, body, headers = {} } = how;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await request(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: text }),
    });
    const said = await answer.body.text();
    const json = (said === '' ? {} : JSON.parse(said)) as Record<string, unknown>;
    this.#check(`${method} ${path.replace(/\?.*/, '')}`, answer.statusCode, json);
    const error = ErrorBody.safeParse(json);
    const code = error.success ? (error.data.error.code ?? '') : '';
    return { status: answer.statusCode, headers: answer.headers, text: said, json, code };
  }

  trigger(how: How & { workflow?: string; platform?: string } = {}): Promise<Asked> {
    const { platform = 'node-red', workflow = 'order-fulfillment', ...rest } = how;
    return this.ask('POST', `/platforms/${platform}/workflows/${workflow}/trigger`, {
      body: { input: { order: 42 } },
      ...rest,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#driver[Symbol.asyncDispose]();
    await this.runner[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #open(): Ledger {
    return Ledger.open(this.dir, {
      now: () => this.now,
      seal: this.#seal,
      redact: (text) => this.secrets.redact(text),
    });
  }

  #platforms(): ConnectedPlatforms {
    return {
      names: () => ['node-red', 'other', 'dead', 'plain'],
      driver: async (name) => {
        if (name === 'plain') return { name: 'plain' };
        if (name !== 'dead') return this.#driver;
        throw new ReconcilerError('Nobody is there.', 'backoff', { code: 'platform-unreachable' });
      },
    };
  }

  #operations(): ApiParts['operations'] {
    const offer = (readOnly: boolean) => ({
      arguments: z.strictObject({ sync: z.string().optional(), platform: z.string().optional() }),
      readOnly,
      summary: 'An operation',
    });
    return {
      offered: { status: offer(true), reconcile: offer(false), apply: offer(false) },
      run: async (name, args) => {
        this.operations.push({ name, args });
        if (name === 'reconcile') return [{ sync: 'orders', platform: 'node-red' }];
        const { platform } = (args ?? {}) as { platform?: string };
        if (platform === 'missing') {
          const remedy = 'Use one of: node-red, secret-platform.';
          throw new ReconcilerError('There is no Platform missing.', 'never', { code: 'not-found', remedy });
        }
        return { version: '1', configuration: { valid: true, problems: ['secret-platform'] }, syncs: [] };
      },
    };
  }

  /** Refusals look alike everywhere; anything else as the route says. */
  #check(call: string, status: number, json: unknown): void {
    const [method = '', path = ''] = call.split(' ');
    const route = this.routes.find((one) => {
      const pattern = one.path.replaceAll('.', String.raw`\.`).replaceAll(/:\w+/g, '[^/]+');
      return one.method === method && new RegExp(`^${pattern}$`).test(path);
    });
    if (status >= 400) return void ErrorBody.parse(json);
    if (route === undefined || !(status in route.answers))
      throw new Error(`${call} answered ${status}, which nobody declared`);
    route.answers[status]?.parse(json);
  }
}
