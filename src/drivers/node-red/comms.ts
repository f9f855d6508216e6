import { z } from 'zod';
import type { JsonValue } from '../../manifest/manifest.ts';
import type { Fence } from '../driver.ts';
import { openSocket } from '../socket.ts';
import { isObject } from './raw.ts';

const messagesSchema = z.array(z.object({ topic: z.string(), data: z.json() }));

/** One notification of the runtime. */
export interface Notice {
  readonly topic: string;
  readonly data: JsonValue;
}

export interface CommsOptions {
  /** Base URL of the admin API. */
  readonly url: string;
  readonly token: string | undefined;
  readonly fence: Fence | undefined;
  readonly onNotice: (notice: Notice) => void;
  /** Called once, when the connection ends or never came to be. */
  readonly onClose: () => void;
}

/**
 * Listens to the editor's websocket (`/comms`). On subscribing the server repeats what it retains: the last deploy and
 * the state of the runtime, which no other route tells.
 */
export function openComms(options: CommsOptions): Disposable {
  const socket = openSocket(options.url, '/comms', options.fence);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    options.onClose();
  };
  const subscribe = (): void => socket.send(JSON.stringify({ subscribe: 'notification/#' }));
  socket.addEventListener('open', () => {
    if (options.token === undefined) subscribe();
    else socket.send(JSON.stringify({ auth: options.token }));
  });
  socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
    const message = typeof data === 'string' ? parse(data) : null;
    if (isObject(message) && message['auth'] === 'ok') subscribe();
    const notices = messagesSchema.safeParse(message);
    if (notices.success) for (const notice of notices.data) options.onNotice(notice);
  });
  socket.addEventListener('close', end);
  socket.addEventListener('error', end);
  return {
    [Symbol.dispose]: () => {
      ended = true;
      socket.close();
    },
  };
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}
