import { createHash, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { BusEvent } from '../../ledger/bus-event.ts';
import type { JsonValue } from '../../manifest/manifest.ts';
import { isObject } from '../../manifest/pointer.ts';
import type { PlatformEvents } from './parts.ts';
import { single } from './signatures.ts';

/** Why an authenticated sender's event is not taken, and what to do: said to nobody else. */
export class EventRefused extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'EventRefused';
    this.remedy = remedy;
  }
}

export interface Sent {
  readonly platform: string;
  readonly scheme: PlatformEvents['scheme'];
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonValue;
  /** When it came, milliseconds since 1970. */
  readonly now: number;
}

/** The parts of an event as its sender gives them. */
interface Given {
  readonly type: unknown;
  readonly subject: unknown;
  readonly id: unknown;
  readonly data: JsonValue;
}

const TYPE = /^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$/;
const LONGEST = 200;
/** Plumbline tells these itself; nobody else gets to. */
const OWN_PREFIXES = ['reconcile', 'plumbline'];
const OWN_TYPES = ['workflow.succeeded', 'workflow.failed'];
const NAMES = ['event_type', 'data', 'subject', 'id'];

/**
 * The event in a platform's request: `{"event_type", "data", "subject"?, "id"?}`, or a CloudEvent 1.0, structured or (only
 * with a bearer token, because no signature covers headers) binary. The id is the one that is signed where there is one:
 * `webhook-id` under Standard Webhooks, the body's under an HMAC; a UUID when the sender gives none, and then a second
 * sending is a second event. The time is when it came: a sender's clock decides neither retries nor retention.
 * @throws EventRefused
 */
export function readEvent(sent: Sent): BusEvent {
  const given = givenBy(sent);
  const type = typeOf(given.type);
  const id = idOf(given.id, sent);
  const subject = given.subject === undefined ? subjectOf(type, given.data) : text(given.subject, 'subject');
  return {
    id,
    source: `platforms/${sent.platform}`,
    type,
    ...(subject === undefined ? {} : { subject }),
    time: sent.now,
    platform: sent.platform,
    data: given.data,
  };
}

function givenBy({ scheme, headers, body }: Sent): Given {
  if (single(headers, 'ce-specversion') !== '') {
    if (scheme !== 'bearer')
      throw new EventRefused(
        'A CloudEvent in binary mode has its attributes in headers, which the signature does not cover.',
        'Send it in structured mode, as application/cloudevents+json.',
      );
    const attribute = (name: string): string | undefined => decoded(single(headers, `ce-${name}`));
    return cloudEvent({
      specversion: attribute('specversion'),
      type: attribute('type'),
      id: attribute('id'),
      source: attribute('source'),
      subject: attribute('subject'),
      data: body,
    });
  }
  if (!isObject(body))
    throw new EventRefused('The body is not an object.', 'Send {"event_type": "order.created", "data": …}.');
  if (body['specversion'] !== undefined) return cloudEvent(body);
  const unknown = Object.keys(body).find((name) => !NAMES.includes(name));
  if (unknown !== undefined)
    throw new EventRefused(
      'The body has a field that has no meaning here.',
      `Send only ${NAMES.join(', ')}; everything else belongs into data.`,
    );
  const { event_type: type, subject, id, data = null } = body;
  return { type, subject, id, data };
}

function cloudEvent(event: Readonly<Record<string, JsonValue | undefined>>): Given {
  if (event['specversion'] !== '1.0')
    throw new EventRefused('The CloudEvent is not of version 1.0.', 'Send specversion "1.0".');
  if (event['data_base64'] !== undefined)
    throw new EventRefused('The data of the CloudEvent is not JSON.', 'Send JSON under data, not data_base64.');
  const source = text(event['source'], 'source', 2000);
  const id = text(event['id'], 'id');
  return { type: event['type'], subject: event['subject'], id: uniqueId(source, id), data: event['data'] ?? null };
}

/** An id of a CloudEvent is unique for its source only, and all sources of a platform become one. */
function uniqueId(source: string, id: string): string {
  const whole = `${source}#${id}`;
  return whole.length <= LONGEST ? whole : `sha256:${createHash('sha256').update(whole).digest('hex')}`;
}

function typeOf(type: unknown): string {
  if (typeof type !== 'string' || type.length > LONGEST || !TYPE.test(type))
    throw new EventRefused(
      'The event type is not words with dots.',
      'Send a type such as order.created: lower-case letters, digits, "-" and "_", with dots between words.',
    );
  if (OWN_TYPES.includes(type) || OWN_PREFIXES.includes(type.split('.')[0] ?? ''))
    throw new EventRefused(
      'Events of this type are told by Plumbline itself.',
      `Choose a type that is not ${OWN_TYPES.join(' or ')} and does not begin with ${OWN_PREFIXES.join(' or ')}.`,
    );
  return type;
}

function idOf(inBody: unknown, { scheme, headers }: Sent): string {
  const header = single(headers, 'webhook-id') === '' ? undefined : single(headers, 'webhook-id');
  const number = typeof inBody === 'number' ? String(inBody) : inBody;
  const id = scheme === 'hmac-sha256' ? (number ?? header) : (header ?? number);
  return id === undefined ? randomUUID() : text(id, 'id');
}

/** `order/42` for order.created with the data `{"id": 42}`: events about one object keep their order. */
function subjectOf(type: string, data: JsonValue): string | undefined {
  if (!isObject(data)) return undefined;
  const { id } = data;
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  const subject = `${type.split('.')[0] ?? ''}/${id}`;
  // Two overlong ones that begin alike must not become one, nor may one of them lose its order.
  return subject.length <= LONGEST && isPlain(subject)
    ? subject
    : `${type.split('.')[0]?.slice(0, 64) ?? ''}/sha256:${createHash('sha256').update(subject).digest('hex')}`;
}

function text(value: unknown, name: string, longest = LONGEST): string {
  if (typeof value === 'string' && value !== '' && value.length <= longest && isPlain(value)) return value;
  throw new EventRefused(
    `The event's ${name} is not a text that can be kept.`,
    `Send 1 to ${longest} characters without control characters as ${name}.`,
  );
}

function isPlain(value: string): boolean {
  return value.isWellFormed() && !/\p{Cc}/u.test(value);
}

/** https://github.com/cloudevents/spec, HTTP protocol binding: header values are percent-encoded. */
function decoded(value: string): string | undefined {
  if (value === '') return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
