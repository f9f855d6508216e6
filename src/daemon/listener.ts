import Fastify from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ReconcilerError } from '../errors.ts';
import type { Log } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import { tokenEquals } from '../secrets/keys.ts';
import { namesThisMachine } from './address.ts';
import type { Address } from './address.ts';
import { dispatch } from './dispatch.ts';
import type { Operations } from './operations.ts';
import { errorJson } from './pass-json.ts';

/** Whether the daemon is ready, and if not why. Counts, no names: everybody may ask. */
interface Readiness {
  readonly ready: boolean;
  readonly because?: string;
}

export interface ListenerParts {
  readonly address: Address;
  readonly token: string;
  readonly operations: Operations;
  readonly metrics: Metrics;
  readonly readiness: () => Readiness;
  readonly redact: (text: string) => string;
  readonly log: Log;
}

/** Bytes and milliseconds. What is sent here is small, and comes at once or not at all. */
const LIMITS = { body: 1024 * 1024, headers: 8 * 1024, receive: 10_000, keepAlive: 5_000, connections: 200 };

/**
 * The one HTTP listener: `/metrics`, `/healthz`, `/readyz` for everybody who can connect, `/api/v1` for who has the token.
 * @returns the address it is bound to, and how to close it.
 * @throws ReconcilerError 'never' (`listen-failed`)
 */
export async function startListener(
  parts: ListenerParts,
): Promise<AsyncDisposable & { readonly host: string; readonly port: number }> {
  const { address, log } = parts;
  const server = Fastify({
    logger: false,
    bodyLimit: LIMITS.body,
    requestTimeout: LIMITS.receive,
    keepAliveTimeout: LIMITS.keepAlive,
    forceCloseConnections: true,
    trustProxy: false,
    http: { maxHeaderSize: LIMITS.headers, headersTimeout: LIMITS.receive },
  });
  server.server.maxConnections = LIMITS.connections;
  addGuards(server, parts);
  addPublicRoutes(server, parts);
  await server.register(async (api) => addApi(api, parts), { prefix: '/api/v1' });
  try {
    await server.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw new ReconcilerError(`Cannot listen on ${address.host}:${address.port}.`, 'never', {
      cause: error,
      code: 'listen-failed',
      remedy: 'Free the port, or name another address with --listen.',
    });
  }
  const bound = server.server.address();
  if (!address.loopback)
    log.warn('listening beyond this machine', {
      host: address.host,
      remedy: 'Keep it behind a network policy or a proxy with TLS: tokens travel in the clear.',
    });
  return {
    host: address.host,
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function addGuards(server: FastifyInstance, { address, log, redact }: ListenerParts): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    if (address.loopback && !namesThisMachine(request.headers.host)) {
      return reply.code(403).send({ error: { message: 'This listener answers to names of this machine only.' } });
    }
    return undefined;
  });
  server.addHook('preSerialization', async (_request, _reply, payload) => redactedJson(payload, redact));
  server.setErrorHandler(async (error, request, reply) => {
    const status = statusOf(error);
    if (status === 500) log.error('request failed', { method: request.method, route: request.routeOptions.url, error });
    return reply.code(status).send({ error: errorJson(error) });
  });
  server.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ error: { message: 'There is nothing here.' } }),
  );
}

function addPublicRoutes(server: FastifyInstance, { metrics, readiness }: ListenerParts): void {
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const { ready, because } = readiness();
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', ...(because === undefined ? {} : { because }) });
  });
}

function addApi(api: FastifyInstance, { operations, token }: ListenerParts): void {
  // Before anything is looked up, so that who has no token learns nothing from the answer: not even what exists.
  api.addHook('onRequest', async (request, reply) => (isAllowed(request, token) ? undefined : refuse(reply)));
  api.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ error: { message: 'There is nothing here.' } }),
  );
  api.get<{ Querystring: Record<string, unknown> }>('/status', async ({ query }) =>
    dispatch(operations, 'status', { ...query }),
  );
  api.post<{ Params: { name: string } }>('/operations/:name', async ({ params, body }) => ({
    result: await dispatch(operations, params.name, body),
  }));
}

function isAllowed(request: FastifyRequest, token: string): boolean {
  const sent = /^Bearer ([\w~+/.=-]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
  // A browser names the page that sends a request; no page has any business here.
  return tokenEquals(sent ?? '', token) && request.headers.origin === undefined;
}

async function refuse(reply: FastifyReply): Promise<FastifyReply> {
  const message = 'This needs the bearer token that lies in the file `token` of the state directory.';
  return reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .send({ error: { message, code: 'unauthorized', retry: 'never' } });
}

function statusOf(error: unknown): number {
  if (error instanceof ReconcilerError) {
    if (error.code === 'unknown-operation' || error.code === 'not-found') return 404;
    if (error.code === 'invalid-arguments') return 400;
    return error.retry === 'never' ? 422 : 503;
  }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? status : 500;
}

/** Plain JSON in which no string carries a secret. */
function redactedJson(payload: unknown, redact: (text: string) => string): unknown {
  return JSON.parse(JSON.stringify(payload ?? null), (_, value: unknown) =>
    typeof value === 'string' ? redact(value) : value,
  );
}
