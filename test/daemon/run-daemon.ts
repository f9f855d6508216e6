// A daemon in a process of its own, for tests that signal and kill it: `node run-daemon.ts CONFIG STATE_DIR [FAULT] [STOP_DEADLINE]`.
import { startDaemon } from '../../src/daemon/service.ts';
import { runUntilStopped } from '../../src/daemon/signals.ts';

const [, , configPath = '', stateDir = '', fault, stopDeadline = '20000'] = process.argv;
try {
  process.exitCode = await runUntilStopped(async () => {
    const daemon = await startDaemon({
      configPath,
      stateDir,
      listen: '127.0.0.1:0',
      listenHooks: '127.0.0.1:0',
      installation: 'test',
      version: '0.0.0',
      environment: process.env,
      logFormat: 'json',
      logLevel: 'info',
      stopDeadline: Number(stopDeadline),
    });
    if (fault === 'fault') setTimeout(() => void Promise.reject(new Error('a fault nobody handled')), 200);
    return daemon;
  });
} catch (error) {
  console.error(error);
  process.exitCode = 3;
}
