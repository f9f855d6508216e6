import { startDaemon, type DaemonOptions } from '../daemon/service.ts';
import { runUntilStopped } from '../daemon/signals.ts';
import { globalFlags, type Context, type GlobalFlags, type Register } from './context.ts';
import { version } from './version.ts';

export const registerStart: Register = (program, context) => {
  const command = program
    .command('start')
    .description('run the daemon: keep the platforms as git says until it is stopped');
  command.action(async () => {
    context.exit(await runUntilStopped(() => startDaemon(daemonOptions(globalFlags(command), context))));
  });
};

export function daemonOptions(flags: GlobalFlags, { environment }: Context): DaemonOptions {
  return {
    configPath: flags.config,
    stateDir: flags.stateDir,
    installation: flags.installation,
    listen: flags.listen,
    listenHooks: flags.listenHooks,
    version: version(),
    environment: environment.variables,
    logFormat: flags.logFormat,
    logLevel: flags.logLevel,
  };
}
