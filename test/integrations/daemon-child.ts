// A daemon in a process of its own, to be killed: `node daemon-child.ts CONFIG STATE_DIR MINT_URL`. Its platforms are all one Mint.
import { startDaemon } from '../../src/daemon/service.ts';
import { runUntilStopped } from '../../src/daemon/signals.ts';
import { mintDriver } from './place.ts';

const [, , configPath = '', stateDir = '', url = ''] = process.argv;
process.exitCode = await runUntilStopped(() =>
  startDaemon({
    configPath,
    stateDir,
    listen: '127.0.0.1:0',
    listenHooks: '127.0.0.1:0',
    installation: 'test',
    version: '0.0.0',
    environment: process.env,
    logFormat: 'json',
    logLevel: 'error',
    logStream: process.stderr,
    driverNamed: (name) => ({
      name,
      auth: [],
      connect: (connection) => mintDriver(connection, url),
    }),
  }),
);
