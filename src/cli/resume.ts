import { objectKey } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { oneSync } from './select.ts';

export const registerResume: Register = (program, context) => {
  const command = program
    .command('resume')
    .description('end the suspension of a Sync, or the hold that "restore" put on an object')
    .argument('[sync-or-object]', 'name of a Sync, or KIND/NAME')
    .addOption(outputOption);
  command.action(async (what: string | undefined, flags: { output: string }) => {
    await using session = await context.open(globalFlags(command));
    const key = what?.includes('/') === true ? objectKey(what) : undefined;
    const name = key ?? (await oneSync(session, what));
    const result = await session.resume(key === undefined ? { sync: name } : { key });
    output(context, flags.output, result, () =>
      result.resumed ? `${name} goes on.` : `${name} was neither suspended nor held.`,
    );
  });
};
