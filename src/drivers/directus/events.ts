import { setTimeout as pause } from 'node:timers/promises';
import type { JsonObject, JsonValue } from '../../manifest/manifest.ts';
import type { Fence, PlatformEvent } from '../driver.ts';
import { openSocket } from '../socket.ts';
import { isObject, objectsOf, textOf } from './json.ts';

/** First and longest pause before connecting again, milliseconds. */
const PAUSE = { first: 1_000, longest: 60_000 };
/** What our own requests call themselves (src/drivers/http.ts): a look after them would find nothing new. */
const OURSELVES = 'plumbline';
const SUBSCRIPTION = 'plumbline';
/** Tables whose changes are looked at. */
const TABLES = new Set(
  ['access', 'flows', 'operations', 'permissions', 'policies', 'roles', 'users'].map((name) => `directus_${name}`),
);
const CHANGES = new Set(['create', 'update', 'delete']);

export interface EventOptions {
  readonly url: string;
  /** Reads the token anew for each connection; a server that is down makes it reject. */
  readonly token: (signal: AbortSignal) => Promise<string | undefined>;
  readonly fence: Fence | undefined;
  readonly onEvent: (event: PlatformEvent) => void;
}

/**
 * Calls back when somebody else changes flows or access: every change is an entry of Directus' activity, and its websocket
 * tells of new ones. Connects again, after a growing pause with jitter, as long as the signal has not fired; what
 * happened meanwhile may have been missed, so that a new connection is an event of its own.
 */
export function listen(options: EventOptions, signal: AbortSignal): AsyncDisposable {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  let wait = PAUSE.first;
  let connections = 0;
  const connection = async (): Promise<void> => {
    const token = await options.token(stopped);
    await converse({ url: options.url, token, fence: options.fence }, stopped, (message, say) => {
      const { type } = message;
      if (type === 'ping') say({ type: 'pong' });
      if (type === 'auth' && message['status'] === 'ok') say(subscription());
      if (type !== 'subscription') return;
      wait = PAUSE.first;
      if (message['event'] === 'init' && connections++ > 0) options.onEvent({ type: 'reconnected', at: Date.now() });
      if (message['event'] === 'create') for (const event of eventsIn(message)) options.onEvent(event);
    });
  };
  const run = async (): Promise<void> => {
    while (!stopped.aborted) {
      await connection().catch(() => undefined);
      await pause(wait * (0.5 + Math.random()), undefined, { signal: stopped }).catch(() => undefined);
      wait = Math.min(wait * 2, PAUSE.longest);
    }
  };
  const running = run();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

/** One connection, until it ends: authenticates first, then hands over what the server says. */
async function converse(
  to: { readonly url: string; readonly token: string | undefined; readonly fence: Fence | undefined },
  stopped: AbortSignal,
  hear: (message: JsonObject, say: (message: JsonObject) => void) => void,
): Promise<void> {
  const socket = openSocket(to.url, '/websocket', to.fence);
  const say = (message: JsonObject): void => socket.send(JSON.stringify(message));
  await new Promise<void>((resolve) => {
    const end = (): void => {
      stopped.removeEventListener('abort', end);
      socket.close();
      resolve();
    };
    socket.addEventListener('open', () => say({ type: 'auth', access_token: to.token ?? '' }));
    socket.addEventListener('close', end);
    socket.addEventListener('error', end);
    socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
      const message = parse(data);
      // Refused credentials do not get better by asking again at once: the pause grows.
      if (message?.['type'] === 'auth' && message['status'] === 'error') end();
      else if (message !== undefined) hear(message, say);
    });
    stopped.addEventListener('abort', end);
    if (stopped.aborted) end();
  });
}

function subscription(): JsonObject {
  const fields = ['action', 'collection', 'item', 'timestamp', 'user_agent', 'user.email'];
  return {
    type: 'subscribe',
    collection: 'directus_activity',
    event: 'create',
    uid: SUBSCRIPTION,
    query: { fields, limit: 1, sort: '-id' },
  };
}

function eventsIn(message: JsonObject): readonly PlatformEvent[] {
  return objectsOf(message['data']).flatMap((row): readonly PlatformEvent[] => {
    const table = textOf(row['collection']) ?? '';
    const action = textOf(row['action']) ?? '';
    if (!TABLES.has(table) || !CHANGES.has(action) || row['user_agent'] === OURSELVES) return [];
    const by = isObject(row['user']) ? textOf(row['user']['email']) : undefined;
    const at = Date.parse(textOf(row['timestamp']) ?? '');
    const remote = table === 'directus_flows' ? textOf(row['item']) : undefined;
    return [
      {
        type: `${table.slice('directus_'.length)}.${action}`,
        at: Number.isNaN(at) ? Date.now() : at,
        ...(by === undefined ? {} : { by }),
        ...(remote === undefined ? {} : { remotes: [remote] }),
      },
    ];
  });
}

function parse(data: unknown): JsonObject | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const message = JSON.parse(data) as JsonValue;
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
