import type { FastifyInstance } from 'fastify';
import { registerApi } from '../gateway/api/api.ts';
import type { ApiParts } from '../gateway/api/api.ts';
import { createServer, listen } from '../gateway/server.ts';
import type { Metrics } from '../report/metrics.ts';
import { namesThisMachine } from './address.ts';
import type { Address } from './address.ts';
import { offered } from './dispatch.ts';
import type { Operations } from './operations.ts';

/** Whether the daemon is ready, and if not why. Counts, no names: everybody may ask. */
interface Readiness {
  readonly ready: boolean;
  readonly because?: string;
}

export interface ListenerParts extends Omit<ApiParts, 'operations' | 'reports' | 'signal'> {
  readonly address: Address;
  readonly operations: Operations;
  readonly metrics: Metrics;
  readonly readiness: () => Readiness;
}

/** Bytes. What is sent here is small. */
const BODY = 1024 * 1024;

/**
 * The private listener: `/metrics`, `/healthz`, `/readyz` for everybody who can connect, `/api/v1` for who has a token.
 * @returns the address it is bound to, and how to close it.
 * @throws ReconcilerError 'never' (`listen-failed`)
 */
export async function startListener(
  parts: ListenerParts,
): Promise<AsyncDisposable & { readonly host: string; readonly port: number }> {
  const { address, log, metrics, operations } = parts;
  const abort = new AbortController();
  const reports = metrics.gateway;
  const server = createServer({ name: 'private', bodyLimit: BODY, reports, log });
  addHostGuard(server, address);
  addOpenRoutes(server, parts);
  await registerApi(server, { ...parts, operations: offered(operations), reports, signal: abort.signal });
  const bound = await listen(server, address, '--listen');
  if (!address.loopback)
    log.warn('listening beyond this machine', {
      host: address.host,
      remedy: 'Keep it behind a network policy or a proxy with TLS: tokens travel in the clear.',
    });
  return {
    host: bound.host,
    port: bound.port,
    [Symbol.asyncDispose]: async () => {
      await bound[Symbol.asyncDispose]();
      // What is still under way has lost its caller.
      abort.abort(new Error('plumbline stops'));
    },
  };
}

function addHostGuard(server: FastifyInstance, address: Address): void {
  server.addHook('onRequest', async (request, reply) => {
    if (!address.loopback || namesThisMachine(request.headers.host)) return undefined;
    return reply.code(403).send({ error: { message: 'This listener answers to names of this machine only.' } });
  });
}

function addOpenRoutes(server: FastifyInstance, { metrics, readiness }: ListenerParts): void {
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  server.get('/healthz', async () => ({ status: 'ok' }));
  server.get('/readyz', async (_request, reply) => {
    const { ready, because } = readiness();
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', ...(because === undefined ? {} : { because }) });
  });
}
