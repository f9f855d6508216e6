import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ReconcilerError } from '../../errors.ts';
import type { BusEvent } from '../../ledger/bus-event.ts';
import { matchesEvent } from '../../manifest/event-pattern.ts';
import { refuse } from '../answer.ts';
import type { Refusal } from '../answer.ts';
import type { Doorkeeper, Reason } from './doorkeeper.ts';
import { JsonRefused, readJson } from './json.ts';
import type { HookParts, PlatformEvents } from './parts.ts';
import { EventRefused, readEvent } from './platform-event.ts';
import type { Proof } from './signatures.ts';

/** Bytes. */
const LARGEST_EVENT = 1024 * 1024;
/** Where all platforms may send; the one whose secret verifies is the sender. No Platform of that name is reached there. */
const SHARED = 'lowcode';
/** Seconds. */
const RETRY_AFTER = 5;

type Events = FastifyRequest<{ Params: { platform: string } }>;
type Sender = { readonly platform: string; readonly events: PlatformEvents } | { readonly reason: Reason };

/**
 * `POST /webhooks/:platform` and `POST /webhooks/lowcode`: an event of a platform. Answers 200 `{"status": "received"}` once
 * the event is kept, and the same for one that was kept before; 503 with Retry-After when there is no room, so that the
 * sender keeps it. An authenticated sender is told what is wrong with an event (400, 422).
 */
export function addPlatformHooks(server: FastifyInstance, parts: HookParts, doorkeeper: Doorkeeper): void {
  server.post<{ Params: { platform: string } }>(
    '/webhooks/:platform',
    {
      bodyLimit: LARGEST_EVENT,
      onRequest: async (request, reply) => doorkeeper.turnAway(request, reply, targetOf(request)),
    },
    async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const sender = await senderOf(request, body, { parts, doorkeeper });
      if ('platform' in sender) return takeEvent(request, reply, { parts, sender, body });
      const { platform } = request.params;
      const isKnown = platform === SHARED || parts.platformEvents(platform) !== undefined;
      const known = isKnown ? `platforms/${platform}` : undefined;
      return doorkeeper.refuse(request, reply, { reason: sender.reason, target: targetOf(request), known });
    },
  );
}

function targetOf(request: FastifyRequest): string {
  return `platforms/${(request.params as { platform: string }).platform}`;
}

interface Desk {
  readonly parts: HookParts;
  readonly doorkeeper: Doorkeeper;
}

async function senderOf(request: Events, body: Buffer, { parts, doorkeeper }: Desk): Promise<Sender> {
  const { platform } = request.params;
  const asked = platform === SHARED ? parts.platformsWithEvents() : [platform];
  const candidates: Sender[] = [];
  // Nobody there takes as long as one that does not verify.
  for (const name of asked.length === 0 ? [''] : asked) {
    const events = parts.platformEvents(name);
    const secret = events && { name: `platforms/${name}`, read: () => events.secret() };
    const check = await doorkeeper.begin(proofOf(events), request.headers, secret);
    check.update(body);
    const reason = check.end();
    if (reason !== undefined) candidates.push({ reason });
    else if (events !== undefined) candidates.push({ platform: name, events });
  }
  const genuine = candidates.filter((candidate) => 'platform' in candidate);
  const [only, ...others] = genuine.length === 0 ? candidates : genuine;
  if (genuine.length > 1) return { reason: 'ambiguous' };
  // Which of several secrets was meant is not known.
  return only === undefined || (genuine.length === 0 && others.length > 0) ? { reason: 'signature' } : only;
}

function proofOf(events: PlatformEvents | undefined): Proof {
  if (events?.scheme === 'hmac-sha256')
    return { kind: 'hmac', header: events.header.toLowerCase(), prefix: 'sha256=', optional: true };
  return events?.scheme === 'bearer'
    ? { kind: 'token', headers: ['authorization', 'x-plumbline-token'] }
    : { kind: 'standard-webhooks' };
}

interface Authenticated {
  readonly parts: HookParts;
  readonly sender: { readonly platform: string; readonly events: PlatformEvents };
  readonly body: Buffer;
}

async function takeEvent(
  request: Events,
  reply: FastifyReply,
  { parts, sender, body }: Authenticated,
): Promise<FastifyReply> {
  const { platform, events } = sender;
  const { intake, lookAgain, reports, log, clock } = parts;
  const source = `platforms/${platform}`;
  let event: BusEvent;
  try {
    const sent = { platform, scheme: events.scheme, headers: request.headers, now: clock() };
    event = readEvent({ ...sent, body: readJson(body) });
  } catch (error) {
    const refusal = refusalOf(error);
    reports.event(source, 'refused');
    return refuse(reply, refusal);
  }
  try {
    reports.event(source, await intake.accept(event));
  } catch (error) {
    const unfit = unfitOf(error);
    if (unfit !== undefined) {
      reports.event(source, 'refused');
      return refuse(reply, unfit);
    }
    const overload = overloadOf(error);
    reports.event(source, 'overload');
    if (overload === undefined) log.error('event not kept', { platform, error });
    else reports.refused('public', 'overload');
    return refuse(reply, overload ?? notKept());
  }
  // After a duplicate as well: the process may have ended between keeping the first and looking.
  if (events.lookAgain.some((pattern) => matchesEvent(pattern, event.type))) {
    try {
      await lookAgain.platform(platform);
    } catch (error) {
      log.error('event not passed on', { platform, error });
      return refuse(reply, notKept());
    }
  }
  return reply.code(200).send({ status: 'received' });
}

/** @throws what is neither the sender's fault nor expected */
function refusalOf(error: unknown): Refusal {
  if (error instanceof EventRefused)
    return { status: 422, code: 'event-refused', message: error.message, remedy: error.remedy };
  if (!(error instanceof JsonRefused)) throw error;
  const remedy = 'Send one JSON object in UTF-8, with every name once.';
  return error.kind === 'malformed'
    ? { status: 400, code: 'malformed', message: error.message, remedy }
    : { status: 422, code: 'event-refused', message: error.message, remedy };
}

/** An event that will never be taken: sending it again changes nothing. */
function unfitOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ReconcilerError) || error.retry !== 'never') return undefined;
  const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
  if (error.code === 'event-too-large') return { status: 413, code: error.code, message: error.message, ...remedy };
  return error.code === 'event-invalid'
    ? { status: 422, code: error.code, message: error.message, ...remedy }
    : undefined;
}

function overloadOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ReconcilerError) || error.code !== 'bus-full') return undefined;
  const retryAfter = Math.max(1, Math.ceil((error.retryAfter ?? RETRY_AFTER * 1000) / 1000));
  return { status: 503, code: 'bus-full', message: 'There is no room for more events at the moment.', retryAfter };
}

function notKept(): Refusal {
  return { status: 503, code: 'unavailable', message: 'The event could not be kept.', retryAfter: RETRY_AFTER };
}
