import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { commonRefusal, refuse } from '../answer.ts';
import type { Refusal } from '../answer.ts';
import { Deliveries } from './deliveries.ts';
import type { Check, Doorkeeper } from './doorkeeper.ts';
import type { HookParts } from './parts.ts';
import { deliveryOf, isPing, proofOf } from './providers.ts';
import type { GitProvider } from './providers.ts';

/** Bytes. GitHub sends up to 25 MB; nothing of it is kept, it only passes through the signature's check. */
export const LARGEST_PUSH = 25 * 1024 * 1024;

interface Push {
  Params: { sync: string };
}

/**
 * `POST /hooks/git/:sync`: a push, of which only the signature is read. It says "look again" and nothing else; also a push
 * to another branch does, because what a payload says is a hint, and a look that finds nothing new costs one fetch.
 * Answers 202 `{"status": "received"}`, 200 `{"status": "duplicate"}` for a delivery that was acted upon before, and 200
 * `{"status": "pong"}` for a ping.
 */
export function addGitHooks(server: FastifyInstance, parts: HookParts, doorkeeper: Doorkeeper): void {
  const deliveries = new Deliveries();
  // The body stays where it is until somebody is there to check it.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));
  server.post<Push>(
    '/hooks/git/:sync',
    {
      bodyLimit: LARGEST_PUSH,
      onRequest: async (request, reply) => doorkeeper.turnAway(request, reply, targetOf(request)),
    },
    async (request, reply) => takePush(request, reply, { parts, doorkeeper, deliveries }),
  );
}

interface Desk {
  readonly parts: HookParts;
  readonly doorkeeper: Doorkeeper;
  readonly deliveries: Deliveries;
}

async function takePush(
  request: FastifyRequest<Push>,
  reply: FastifyReply,
  { parts, doorkeeper, deliveries }: Desk,
): Promise<FastifyReply> {
  const { sync } = request.params;
  const hook = parts.syncHook(sync);
  const provider: GitProvider = hook?.provider ?? 'standard-webhooks';
  const secret = hook && { name: `syncs/${sync}`, read: () => hook.secret() };
  const check = await doorkeeper.begin(proofOf(provider, request.headers), request.headers, secret);
  const passed = await pass(request.raw, check);
  if (passed === 'too-large') parts.reports.refused('public', 'size');
  if (passed !== 'whole') return refuse(reply, commonRefusal(passed === 'too-large' ? 413 : 400));
  const reason = check.end();
  if (reason !== undefined) {
    const known = hook === undefined ? undefined : `syncs/${sync}`;
    return doorkeeper.refuse(request, reply, { reason, target: targetOf(request), known });
  }
  if (isPing(provider, request.headers)) return reply.send({ status: 'pong' });
  const delivery = deliveryOf(provider, request.headers);
  if (delivery !== undefined && deliveries.has(sync, delivery)) return reply.send({ status: 'duplicate' });
  let known: boolean;
  try {
    known = await parts.lookAgain.sync(sync);
  } catch (error) {
    parts.log.error('push not passed on', { sync, error });
    return refuse(reply, NOT_PASSED_ON);
  }
  // Gone since it was asked for.
  if (!known)
    return doorkeeper.refuse(request, reply, { reason: 'unknown', target: targetOf(request), known: undefined });
  if (delivery !== undefined) deliveries.add(sync, delivery);
  return reply.code(202).send({ status: 'received' });
}

/** The replica that has to look could not be told; until the sender tries again, the next poll of the repository serves. */
const NOT_PASSED_ON: Refusal = {
  status: 503,
  code: 'unavailable',
  message: 'The push could not be passed on.',
  retryAfter: 5,
};

function targetOf(request: FastifyRequest): string {
  return `syncs/${(request.params as Push['Params']).sync}`;
}

/** Lets a body pass through the check. What is too large is left unread from there on; `cut`: its sender has gone. */
function pass(body: IncomingMessage, check: Check): Promise<'whole' | 'too-large' | 'cut'> {
  return new Promise((resolve) => {
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= LARGEST_PUSH) {
        check.update(chunk);
        return;
      }
      body.off('data', onData);
      body.pause();
      resolve('too-large');
    };
    body.on('data', onData);
    body.once('end', () => resolve('whole'));
    body.once('error', () => resolve('cut'));
    body.once('close', () => resolve('cut'));
  });
}
