import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { syncsNamed } from './select.ts';

export const registerReconcile: Register = (program, context) => {
  const command = program
    .command('reconcile')
    .description('look again now, without waiting for the interval')
    .argument('[sync]', 'Sync to look at; all of them when absent')
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: { output: string }) => {
    await using session = await context.open(globalFlags(command));
    if (sync !== undefined) await syncsNamed(session, sync);
    const queued = await session.reconcile(sync === undefined ? {} : { sync });
    output(context, flags.output, { queued }, () =>
      queued.map((one) => `${one.sync} on ${one.platform} is next.`).join('\n'),
    );
  });
};
