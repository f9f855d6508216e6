import { setTimeout as pause } from 'node:timers/promises';
import type { Fence, PlatformEvent } from '../driver.ts';
import { openComms } from './comms.ts';

/** First and longest pause before connecting again, milliseconds. */
const PAUSE = { first: 1_000, longest: 60_000 };

export interface EventOptions {
  readonly url: string;
  /** Reads the token anew for each connection; a server that is down makes it reject. */
  readonly token: (signal: AbortSignal) => Promise<string | undefined>;
  readonly fence: Fence | undefined;
  readonly onEvent: (event: PlatformEvent) => void;
}

/**
 * Calls back when somebody deploys. The connection is made again, after a growing pause with jitter, as long as the
 * signal has not fired; what the server repeats on connecting (the last deploy) counts only when it is another one.
 */
export function listen(options: EventOptions, signal: AbortSignal): AsyncDisposable {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  let lastRevision: string | undefined;
  let wait = PAUSE.first;

  const note = (revision: string): void => {
    wait = PAUSE.first;
    const isNews = lastRevision !== undefined && revision !== lastRevision;
    lastRevision = revision;
    if (isNews) options.onEvent({ type: 'deploy', at: Date.now() });
  };
  const connection = async (): Promise<void> => {
    const token = await options.token(stopped);
    await new Promise<void>((resolve) => {
      const comms = openComms({
        url: options.url,
        token,
        fence: options.fence,
        onNotice: ({ topic, data }) => {
          if (
            topic === 'notification/runtime-deploy' &&
            typeof data === 'object' &&
            data !== null &&
            'revision' in data
          ) {
            note(JSON.stringify(data['revision']));
          }
        },
        onClose: () => end(),
      });
      const end = (): void => {
        stopped.removeEventListener('abort', end);
        comms[Symbol.dispose]();
        resolve();
      };
      stopped.addEventListener('abort', end);
      if (stopped.aborted) end();
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
