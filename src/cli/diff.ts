import type { Key } from '../manifest/manifest.ts';
import { globalFlags, output, type Register } from './context.ts';
import { EXIT, planExit } from './exit-codes.ts';
import { onlyOption, outputOption, planAll } from './plan.ts';
import { sentences } from '../errors.ts';
import { differencesText } from './plan-text.ts';

interface DiffFlags {
  readonly platform?: string;
  readonly only: readonly Key[];
  readonly output: 'text' | 'json';
  readonly detailedExitcode?: boolean;
}

export const registerDiff: Register = (program, context) => {
  const command = program
    .command('diff')
    .description('show only the fields in which the platform differs from git, withheld or not')
    .argument('[sync]', 'Sync to compare; all of them when absent')
    .option('--platform <name>', 'only on this Platform')
    .addOption(onlyOption)
    .addOption(outputOption)
    .option('--detailed-exitcode', '0 nothing to do, 2 changes, 3 withheld or problems, 1 error');
  command.action(async (sync: string | undefined, flags: DiffFlags) => {
    await using session = await context.open(globalFlags(command));
    const passes = await planAll(session, { sync, ...flags });
    const differences = passes.flatMap(({ sync: name, platform, plan }) =>
      [...(plan?.stages.flat() ?? []), ...(plan?.withheld.map((one) => one.change) ?? [])].map((change) => ({
        sync: name,
        platform,
        ...change,
      })),
    );
    output(context, flags.output, { differences }, () => differencesText(differences, context.colours));
    for (const { error } of passes) if (error !== undefined) context.remark(sentences(error));
    if (flags.detailedExitcode === true) context.exit(planExit(passes));
    else if (passes.some((pass) => pass.error !== undefined)) context.exit(EXIT.error);
  });
};
