import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';

export const registerAccept: Register = (program, context) => {
  const command = program
    .command('accept')
    .description('take a revision as it is although its history was rewritten or its path emptied')
    .argument('<sync>', 'Sync whose source it is')
    .argument('<revision>', 'the revision that the status names')
    .addOption(outputOption);
  command.action(async (sync: string, revision: string, flags: { output: string }) => {
    await using session = await context.open(globalFlags(command));
    const accepted = await session.accept({ sync, revision });
    output(context, flags.output, accepted, () => `${sync} goes on from ${accepted.revision}.`);
  });
};
