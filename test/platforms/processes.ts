import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Milliseconds that a server has to end by itself. */
const GRACE = 5_000;

/**
 * A port of the loopback address that nobody listens on now; below those that the system gives to connections, so that none
 * of these takes it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

interface Ending {
  /** With everything it has started; for one that was started `detached`. */
  readonly group?: boolean;
  /** Without asking it to end by itself first. */
  readonly atOnce?: boolean;
}

/** Ends a process; resolves when it is gone, or was not there. */
export async function end(
  child: ChildProcess | undefined,
  { group = false, atOnce = false }: Ending = {},
): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const { pid } = child;
  if (pid === undefined) return;
  const send = (signal: NodeJS.Signals): boolean => (group ? process.kill(-pid, signal) : child.kill(signal));
  const closed = new Promise((resolve) => child.once('close', resolve));
  send(atOnce ? 'SIGKILL' : 'SIGTERM');
  const timer = setTimeout(() => send('SIGKILL'), GRACE);
  await closed;
  clearTimeout(timer);
}
