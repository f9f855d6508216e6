import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ReconcilerError } from '../errors.ts';
import type { GatewayReports } from '../report/gateway-report.ts';
import type { Log } from '../report/log.ts';
import { commonRefusal, refuse } from './answer.ts';
import type { Refusal } from './answer.ts';
import { answerClientErrors, capConnections, guardContinue } from './connections.ts';
import type { ConnectionLimits } from './connections.ts';

/** Times are milliseconds, sizes bytes. */
export interface ServerLimits extends ConnectionLimits {
  /** All headers together. */
  readonly headers: number;
  readonly headerCount: number;
  /** From the first byte, or from connecting, until the whole request has arrived. */
  readonly receive: number;
  /** A socket on which nothing moves for so long is closed, also while an answer is under way; 0: never. */
  readonly idle: number;
  readonly keepAlive: number;
  /** How often slow requests are looked for: they end at most so much later than `receive` says. */
  readonly checkEvery: number;
  /** How long answers under way may take once the listener is closed. */
  readonly closing: number;
}

const LIMITS: ServerLimits = {
  headers: 16 * 1024,
  headerCount: 100,
  receive: 10_000,
  idle: 0,
  keepAlive: 5_000,
  checkEvery: 1_000,
  closing: 3_000,
  connections: 1_000,
  connectionsPerAddress: 200,
};

export interface ServerOptions {
  readonly name: 'public' | 'private';
  /** Bytes of the largest body; a route may set a smaller `bodyLimit` of its own. */
  readonly bodyLimit: number;
  readonly reports: GatewayReports;
  readonly log: Log;
  readonly limits?: Partial<ServerLimits>;
  /** Addresses and networks (`10.0.0.0/8`) whose X-Forwarded-For says who asks; nobody's when empty. */
  readonly trustedProxies?: readonly string[];
  /** The refusal that an error thrown by a route stands for; the common one for its status when undefined. */
  readonly refusalOf?: (error: unknown) => Refusal | undefined;
}

/**
 * A server for strangers: bounded headers, bodies, connections and times. A body is handed to routes as the Buffer that
 * came (`request.body`), because it is authenticated before anybody parses it; one that is announced too large is refused
 * before a byte of it is read, one that grows too large is cut. Errors have the body `{"error": {"code", "message"}}`.
 * Every request is counted by the pattern of its route.
 */
export function createServer(options: ServerOptions): FastifyInstance {
  const { name, reports } = options;
  const limits = { ...LIMITS, ...options.limits };
  const trustedProxies = options.trustedProxies ?? [];
  const server = Fastify({
    logger: false,
    bodyLimit: options.bodyLimit,
    requestTimeout: limits.receive,
    keepAliveTimeout: limits.keepAlive,
    connectionTimeout: limits.idle,
    forceCloseConnections: 'idle',
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: answerClientErrors(name, reports),
    frameworkErrors: (error, _request, reply) => {
      const { status, reason } = unroutable(error);
      reports.refused(name, reason);
      reports.request(name, 'none', status, 0);
      refuse(plainHeaders(reply), commonRefusal(status));
    },
    http: {
      maxHeaderSize: limits.headers,
      // Node takes the longer of the two times for the whole request: its minute for headers would become that.
      headersTimeout: limits.receive,
      connectionsCheckingInterval: limits.checkEvery,
      // A flag of the process must not bring back what lets two servers read one request in two ways.
      insecureHTTPParser: false,
      // Looked at below, so that this refusal too looks like all others.
      requireHostHeader: false,
    },
  });
  capConnections(server.server, { name, limits, trustedProxies, reports });
  guardContinue(server.server, options.bodyLimit);
  keepBodiesRaw(server);
  addGuards(server, options, limits);
  addErrors(server, options);
  boundClosing(server, limits.closing);
  return server;
}

function keepBodiesRaw(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

function addGuards(server: FastifyInstance, { name, bodyLimit, reports }: ServerOptions, limits: ServerLimits): void {
  server.addHook('onRequest', async (request, reply) => {
    plainHeaders(reply);
    if (request.headers.host === undefined && request.raw.httpVersion !== '1.0') {
      reports.refused(name, 'malformed');
      return refuse(reply.header('connection', 'close'), commonRefusal(400));
    }
    if (request.raw.rawHeaders.length > 2 * limits.headerCount) {
      reports.refused(name, 'size');
      return refuse(reply, commonRefusal(431));
    }
    if (Number(request.headers['content-length'] ?? 0) > (request.routeOptions.bodyLimit ?? bodyLimit)) {
      reports.refused(name, 'size');
      return refuse(reply, commonRefusal(413));
    }
    return undefined;
  });
  // After the onRequest hooks of every scope: who has to be authenticated first is, and no body is read for nothing.
  server.addHook('preParsing', async (request, reply) =>
    request.is404 ? refuse(reply, commonRefusal(404)) : undefined,
  );
  server.addHook('onSend', async (request, reply) => {
    // What the sender has not sent yet is not waited for.
    if (hasBody(request) && !request.raw.complete) reply.header('connection', 'close');
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    reports.request(name, route, reply.statusCode, reply.elapsedTime / 1000);
  });
}

function addErrors(server: FastifyInstance, { name, reports, log, refusalOf }: ServerOptions): void {
  server.setNotFoundHandler(async (_request, reply) => refuse(reply, commonRefusal(404)));
  server.setErrorHandler(async (error, request, reply) => {
    const refusal = refusalOf?.(error) ?? commonRefusal(statusOf(error));
    if (refusal.status === 413) reports.refused(name, 'size');
    if (refusal.status >= 500 && refusal.status !== 503)
      log.error('request failed', { listener: name, method: request.method, route: request.routeOptions.url, error });
    return refuse(reply, refusal);
  });
}

/** Answers under way are finished, but nobody can hold up the end of the daemon. */
function boundClosing(server: FastifyInstance, grace: number): void {
  server.addHook('preClose', async () => {
    const timer = setTimeout(() => server.server.closeAllConnections(), grace);
    timer.unref();
    server.server.once('close', () => clearTimeout(timer));
  });
}

/**
 * Starts listening.
 * @returns the address it is bound to, and how to close it.
 * @throws ReconcilerError 'never' (`listen-failed`) with the option to change named in the remedy
 */
export async function listen(
  server: FastifyInstance,
  address: { readonly host: string; readonly port: number },
  option: string,
): Promise<AsyncDisposable & { readonly host: string; readonly port: number }> {
  try {
    await server.listen({ host: address.host, port: address.port });
  } catch (cause) {
    throw new ReconcilerError(`Cannot listen on ${address.host}:${address.port}.`, 'never', {
      cause,
      code: 'listen-failed',
      remedy: `Free the port, or name another address with ${option}.`,
    });
  }
  const bound = server.server.address();
  return {
    host: address.host,
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function plainHeaders(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
}

function hasBody(request: FastifyRequest): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

/** A path that no route can be looked up for: not UTF-8 once decoded, or with an overlong part. */
function unroutable(error: { readonly code?: string }): { readonly status: number; readonly reason: string } {
  return error.code === 'FST_ERR_BAD_URL' ? { status: 400, reason: 'malformed' } : { status: 404, reason: 'size' };
}

function statusOf(error: unknown): number {
  if (error instanceof ReconcilerError) return error.retry === 'never' ? 422 : 503;
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? status : 500;
}
