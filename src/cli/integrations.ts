import type { IntegrationStatus } from '../integrations/run-report.ts';
import { globalFlags, output, type Register } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { shortRevision } from './plan-text.ts';
import { registerLetters, remarkWaiting } from './letters.ts';
import { runText } from './run-text.ts';
import { ago, table, when } from './table.ts';
import { inputOf } from './trigger.ts';

interface PlaceFlags {
  readonly platform?: string;
  readonly output: string;
}

export const registerIntegrations: Register = (program, context) => {
  const group = program.command('integrations').description('Integrations that run code of their own');
  const list = group
    .command('list', { isDefault: true })
    .description('how they stand: what they are locked to, when they run, what waits; also without the word list')
    .option('--platform <name>', 'only those of this Platform')
    .addOption(outputOption);
  list.action(async ({ platform, output: format }: PlaceFlags) => {
    await using session = await context.open(globalFlags(list));
    const integrations = await session.integrations(platform === undefined ? {} : { platform });
    output(context, format, { integrations }, () => listText(integrations));
  });
  registerLetters(group, context);
};

export const registerRun: Register = (program, context) => {
  const command = program
    .command('run')
    .description("run an Integration's code now, and wait for its end; ends with 3 when the run failed")
    .argument('<integration>', 'name of the Integration in git')
    .option('--platform <name>', 'Platform it is on, where there are several')
    .option('--input <json>', 'what the code is given as context.trigger.input: JSON, @FILE, or - for standard input')
    .addOption(outputOption);
  command.action(async (integration: string, flags: PlaceFlags & { readonly input?: string }) => {
    const input = inputOf(flags.input, context);
    await using session = await context.open(globalFlags(command));
    await remarkWaiting(session, { integration, ...flags }, context);
    const report = await session.run({
      integration,
      ...(flags.platform === undefined ? {} : { platform: flags.platform }),
      ...(input === undefined ? {} : { input: input as never }),
    });
    if (report.result === 'failed') context.exit(EXIT.withheld);
    output(context, flags.output, report, () => runText(report));
  });
};

export const registerRepin: Register = (program, context) => {
  const command = program
    .command('repin')
    .description(
      "move the lock of an Integration's code to where its ref leads now; the next pass shows and applies it",
    )
    .argument('<integration>', 'name of the Integration in git')
    .option('--platform <name>', 'Platform it is on, where there are several')
    .addOption(outputOption);
  command.action(async (integration: string, { platform, output: format }: PlaceFlags) => {
    await using session = await context.open(globalFlags(command));
    const moved = await session.repin({ integration, ...(platform === undefined ? {} : { platform }) });
    const { from, to } = moved;
    output(context, format, moved, () =>
      from === to
        ? `${integration} is locked to ${shortRevision(to)} already.`
        : `${integration} goes from ${shortRevision(from)} to ${shortRevision(to)} with the next pass.`,
    );
  });
};

function listText(integrations: readonly IntegrationStatus[]): string {
  if (integrations.length === 0) return 'No Integration runs code.';
  const now = Date.now();
  const rows = integrations.map((one) => [
    one.integration,
    one.platform,
    one.state,
    shortRevision(one.commit) + (one.wanted === undefined ? '' : ` → ${shortRevision(one.wanted)}`),
    one.ref,
    one.lastSuccess === undefined ? 'never' : `${ago(one.lastSuccess, now)} ago`,
    when(one.nextRun),
    String(one.waiting),
    one.because ?? '',
  ]);
  const head = ['INTEGRATION', 'PLATFORM', 'STATE', 'COMMIT', 'REF', 'LAST SUCCESS', 'NEXT RUN', 'WAITING', 'BECAUSE'];
  return table(head, rows);
}
