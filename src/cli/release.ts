import type { Key } from '../manifest/manifest.ts';
import { objectKey } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { applyExit } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { outcomesText } from './plan-text.ts';
import { oneSync } from './select.ts';

export const registerRelease: Register = (program, context) => {
  const command = program
    .command('release')
    .description('let go of an object that left git: its marker goes, the object stays on the platform')
    .argument('<kind/name>', 'the object, such as Workflow/order-fulfillment', objectKey)
    .option('--sync <name>', 'Sync that owns it')
    .option('--platform <name>', 'only on this Platform')
    .addOption(outputOption);
  command.action(async (key: Key, flags: { sync?: string; platform?: string; output: string }) => {
    await using session = await context.open(globalFlags(command));
    const sync = await oneSync(session, flags.sync);
    const passes = await session.release({
      sync,
      key,
      ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    });
    output(context, flags.output, { passes }, () =>
      passes.map((pass) => outcomesText(pass, context.colours)).join('\n'),
    );
    context.exit(applyExit(passes));
  });
};
