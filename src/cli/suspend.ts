import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { oneSync } from './select.ts';

export const registerSuspend: Register = (program, context) => {
  const command = program
    .command('suspend')
    .description('stop changing what a Sync governs, until "resume"; taking access away goes on')
    .argument('[sync]', 'Sync to suspend')
    .option('--reason <text>', 'why, for those who look at the status', 'no reason given')
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: { reason: string; output: string }) => {
    await using session = await context.open(globalFlags(command));
    const name = await oneSync(session, sync);
    const suspension = await session.suspend({ sync: name, reason: flags.reason, by: context.environment.user });
    output(context, flags.output, suspension, () => `${name} is suspended. "plumbline resume ${name}" lets it go on.`);
  });
};
