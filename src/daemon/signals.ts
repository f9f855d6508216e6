import { messageOf } from '../errors.ts';
import type { Daemon } from './service.ts';

/**
 * Runs a daemon until a signal stops it: SIGTERM or SIGINT stop it gracefully (once it has started, when they come
 * before), a second one exits at once, SIGHUP reads the configuration anew. An error that nobody handled is logged and
 * ends the process: its state is not to be trusted, and the next start finds everything that was under way.
 * A daemon that is started elsewhere can be given too; signals that come before are then nobody's.
 * @returns the exit code of the process.
 * @throws what starting throws.
 */
export async function runUntilStopped(daemon: Daemon | (() => Promise<Daemon>)): Promise<number> {
  const { promise: wanted, resolve: want } = Promise.withResolvers<string>();
  let stopping = false;
  let running: Daemon | undefined;
  const onStop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    want(signal);
  };
  const onReload = (): void => void running?.reload();
  const onBroken = (error: unknown): void => {
    if (running === undefined) console.error(messageOf(error));
    else running.workshop.log.error('unhandled error', { error });
    // The log is written asynchronously; a process that hangs here must still end.
    setTimeout(() => process.exit(1), 100);
  };
  process.on('SIGTERM', onStop).on('SIGINT', onStop).on('SIGHUP', onReload);
  process.on('uncaughtException', onBroken).on('unhandledRejection', onBroken);
  try {
    running = typeof daemon === 'function' ? await daemon() : daemon;
    return await stopped(running, await wanted);
  } finally {
    process.off('SIGTERM', onStop).off('SIGINT', onStop).off('SIGHUP', onReload);
    process.off('uncaughtException', onBroken).off('unhandledRejection', onBroken);
  }
}

async function stopped(daemon: Daemon, reason: string): Promise<number> {
  try {
    await daemon.stop(reason);
    return 0;
  } catch (error) {
    daemon.workshop.log.error('daemon not stopped cleanly', { error });
    return 1;
  }
}
