import { createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { Webhook } from 'standardwebhooks';
import { startPublicListener } from '../../src/gateway/public.ts';
import type { PlatformEvents, SyncHook } from '../../src/gateway/hooks/parts.ts';
import type { ServerLimits } from '../../src/gateway/server.ts';
import type { Accepted, BusEvent } from '../../src/ledger/bus-event.ts';
import { createLog } from '../../src/report/log.ts';
import { Metrics } from '../../src/report/metrics.ts';
import { SecretStore } from '../../src/secrets/store.ts';

/** What a Sync or Platform is configured with; the secret's text is put where its reference finds it. */
export interface Configured {
  syncs?: Record<string, { provider: SyncHook['provider']; secret: string }>;
  platforms?: Record<
    string,
    { scheme: PlatformEvents['scheme']; secret: string; header?: string; lookAgain?: readonly string[] }
  >;
  limits?: Partial<ServerLimits>;
  trustedProxies?: readonly string[];
  port?: number;
}

/** A listening public listener, and everything that goes out of it. */
export interface Doorstep extends AsyncDisposable {
  readonly port: number;
  readonly events: BusEvent[];
  /** `syncs/x` and `platforms/x`, in the order they were looked at. */
  readonly looks: string[];
  /** Names of variables whose secrets cannot be resolved. */
  readonly environment: Record<string, string | undefined>;
  readonly configured: Required<Pick<Configured, 'syncs' | 'platforms'>>;
  /** Milliseconds since 1970; stands still until somebody sets it. */
  now: number;
  /** What the intake throws instead of taking an event. */
  full: Error | undefined;
  /** What the intake waits for before it takes an event. */
  until: Promise<void> | undefined;
  log(): string;
  metrics(): Promise<string>;
  post(path: string, headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>): Promise<Response>;
}

export async function openDoor(given: Configured = {}): Promise<Doorstep> {
  const configured = { syncs: given.syncs ?? {}, platforms: given.platforms ?? {} };
  const environment: Record<string, string | undefined> = {};
  for (const [name, { secret }] of Object.entries(configured.syncs)) environment[`SYNC_${name}`] = secret;
  for (const [name, { secret }] of Object.entries(configured.platforms)) environment[`PLATFORM_${name}`] = secret;
  const secrets = new SecretStore({ env: environment, hashKey: randomBytes(32) });
  const secret = (env: string) => () => secrets.resolve({ env }, { kind: 'configuration', baseDir: '/' });
  const lines: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  const metrics = new Metrics({ version: '1' });
  const state: Pick<Doorstep, 'now' | 'full' | 'until'> = { now: Date.now(), full: undefined, until: undefined };
  const events: BusEvent[] = [];
  const looks: string[] = [];
  const listener = await startPublicListener({
    address: { host: '127.0.0.1', port: given.port ?? 0 },
    syncHook: (name) => {
      const sync = Object.hasOwn(configured.syncs, name) ? configured.syncs[name] : undefined;
      return sync && { provider: sync.provider, secret: secret(`SYNC_${name}`) };
    },
    platformEvents: (name) => {
      const platform = Object.hasOwn(configured.platforms, name) ? configured.platforms[name] : undefined;
      return (
        platform && {
          scheme: platform.scheme,
          header: platform.header ?? 'X-Signature',
          lookAgain: platform.lookAgain ?? ['workflow.changed'],
          secret: secret(`PLATFORM_${name}`),
        }
      );
    },
    platformsWithEvents: () => Object.keys(configured.platforms),
    intake: {
      accept: async (event) => {
        await state.until;
        return keep(events, event, state.full);
      },
    },
    lookAgain: {
      sync: (name) => Object.hasOwn(configured.syncs, name) && looks.push(`syncs/${name}`) > 0,
      platform: (name) => void looks.push(`platforms/${name}`),
    },
    reports: metrics.gateway,
    log: createLog({ level: 'debug', format: 'json', redact: (text) => secrets.redact(text), stream }),
    clock: () => state.now,
    ...(given.limits === undefined ? {} : { limits: given.limits }),
    ...(given.trustedProxies === undefined ? {} : { trustedProxies: given.trustedProxies }),
  });
  return Object.assign(state, {
    port: listener.port,
    events,
    looks,
    environment,
    configured,
    log: () => lines.join(''),
    metrics: () => metrics.text(),
    post: (path: string, headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>) =>
      fetch(`http://127.0.0.1:${listener.port}${path}`, { method: 'POST', headers, body }),
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  });
}

function keep(events: BusEvent[], event: BusEvent, full: Error | undefined): Accepted {
  if (full !== undefined) throw full;
  if (events.some(({ source, id }) => source === event.source && id === event.id)) return 'duplicate';
  events.push(event);
  return 'stored';
}

/** The headers of Standard Webhooks, made by its own library. */
export function standardHeaders(
  body: string,
  { secret, now, id = 'msg_1' }: { readonly secret: string; readonly now: number; readonly id?: string },
): Record<string, string> {
  const signature = new Webhook(secret, { format: 'raw' }).sign(id, new Date(now), body);
  return { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(now / 1000)), 'webhook-signature': signature };
}

/** Hexadecimal HMAC-SHA256, as senders make it. */
export function hmac(secret: string, body: string | Uint8Array): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/**
 * Writes bytes to a new connection and reads until the server closes it.
 * @returns all that came back; an end by reset counts as an end.
 */
export function exchange(port: number, request: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(received).toString('latin1')));
    socket.write(request);
  });
}

/** An HTTP/1.1 request as text, that asks for the connection to be closed. */
export function requestText(path: string, headers: Record<string, string>, body: string): string {
  const all = { Host: 'hooks', Connection: 'close', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
