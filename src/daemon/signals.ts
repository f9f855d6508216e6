import type { Daemon } from './service.ts';

/**
 * Runs a daemon until a signal stops it: SIGTERM or SIGINT stop it gracefully, a second one exits at once, SIGHUP reads the
 * configuration anew. An error that nobody handled is logged and ends the process: its state is not to be trusted, and the
 * next start finds everything that was under way.
 * @returns the exit code of the process.
 */
export async function runUntilStopped(daemon: Daemon): Promise<number> {
  const { log } = daemon.workshop;
  const { promise, resolve } = Promise.withResolvers<number>();
  let stopping = false;
  const onStop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn('daemon killed', { signal });
      process.exit(1);
    }
    stopping = true;
    daemon.stop(signal).then(
      () => resolve(0),
      (error: unknown) => {
        log.error('daemon not stopped cleanly', { error });
        resolve(1);
      },
    );
  };
  const onReload = (): void => void daemon.reload();
  const onBroken = (error: unknown): void => {
    log.error('unhandled error', { error });
    // The log is written asynchronously; a process that hangs here must still end.
    setTimeout(() => process.exit(1), 100);
  };
  process.on('SIGTERM', onStop).on('SIGINT', onStop).on('SIGHUP', onReload);
  process.on('uncaughtException', onBroken).on('unhandledRejection', onBroken);
  try {
    return await promise;
  } finally {
    process.off('SIGTERM', onStop).off('SIGINT', onStop).off('SIGHUP', onReload);
    process.off('uncaughtException', onBroken).off('unhandledRejection', onBroken);
  }
}
