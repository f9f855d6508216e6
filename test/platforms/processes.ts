import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';

/** Milliseconds that a server has to end by itself. */
const GRACE = 5_000;

/** A port of the loopback address that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
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
