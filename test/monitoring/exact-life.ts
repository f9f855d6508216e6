// A daemon under a clock that is wrong by so many hours: `node exact-life.ts CONFIG STATE_DIR PORT HOURS`. Tests kill it.
import { startDaemon } from '../../src/daemon/service.ts';
import { runUntilStopped } from '../../src/daemon/signals.ts';
import { SYSTEM_TIMERS } from '../../src/daemon/timers.ts';

const [, , configPath = '', stateDir = '', port = '', hours = '0'] = process.argv;
const off = Number(hours) * 3_600_000;
process.exitCode = await runUntilStopped(() =>
  startDaemon({
    configPath,
    stateDir,
    listen: `127.0.0.1:${port}`,
    listenHooks: '127.0.0.1:0',
    installation: 'test',
    version: '0.0.0',
    environment: process.env,
    logFormat: 'json',
    logLevel: 'warn',
    timers: { ...SYSTEM_TIMERS, now: () => Date.now() + off },
  }),
);
