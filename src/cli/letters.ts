import type { Command } from 'commander';
import { ReconcilerError } from '../errors.ts';
import type { LetterList, LettersTakenUp } from '../daemon/operations.ts';
import { count } from './arguments.ts';
import { globalFlags, output } from './context.ts';
import type { Context, Session } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { runText } from './run-text.ts';
import { table, when } from './table.ts';

interface SelectionFlags {
  readonly platform?: string;
  readonly id: readonly string[];
  readonly key: readonly string[];
  readonly all?: boolean;
  readonly output: string;
}

/** What there is to do about records that were given up. */
export function registerLetters(integrations: Command, context: Context): void {
  const letters = integrations
    .command('letters')
    .description('records of an Integration that were given up, and why; what they hold is in the file alone')
    .argument('<integration>', 'name of the Integration in git')
    .option('--platform <name>', 'Platform it is on, where there are several')
    .option('--limit <count>', 'newest letters to show', count, 20)
    .addOption(outputOption);
  letters.action(async (integration: string, flags: { platform?: string; limit: number; output: string }) => {
    const { platform, limit } = flags;
    await using session = await context.open(globalFlags(letters));
    const found = await session.letters({ integration, ...on(platform), limit: Math.min(limit, 5000) });
    output(context, flags.output, found, () => lettersText(found));
  });

  const replay = selecting(integrations.command('replay'))
    .description('deliver records again that were given up, when the run under way has ended, and wait for that')
    .option('--overtaken', 'also those of whose key something newer was delivered since; it is written over');
  replay.action(async (integration: string, flags: SelectionFlags & { readonly overtaken?: boolean }) => {
    const selection = selectionOf(flags);
    await using session = await context.open(globalFlags(replay));
    await remarkWaiting(session, { integration, ...flags }, context);
    const taken = await session.replayLetters({
      integration,
      ...on(flags.platform),
      ...selection,
      ...(flags.overtaken === undefined ? {} : { overtaken: flags.overtaken }),
    });
    if (taken.refused > 0 || taken.run?.result === 'failed') context.exit(EXIT.withheld);
    output(context, flags.output, taken, () => replayedText(taken));
  });

  const discard = selecting(integrations.command('discard'))
    .description('forget records that were given up; asks first')
    .option('-y, --yes', 'do not ask');
  discard.action(async (integration: string, flags: SelectionFlags & { readonly yes?: boolean }) => {
    const selection = selectionOf(flags);
    await using session = await context.open(globalFlags(discard));
    const { total } = await session.letters({ integration, ...on(flags.platform), limit: 1 });
    if (total > 0 && flags.yes !== true && !(await agreed(integration, flags, context)))
      return context.exit(EXIT.error);
    const gone = await session.discardLetters({ integration, ...on(flags.platform), ...selection });
    output(context, flags.output, gone, () => `${gone.discarded} dead letter(s) discarded.`);
  });
}

/** Says so when a run is under way, which what follows waits for. */
export async function remarkWaiting(
  session: Session,
  { integration, platform }: { readonly integration: string; readonly platform?: string },
  context: Context,
): Promise<void> {
  const known = await session.integrations(on(platform));
  if (known.some((one) => one.integration === integration && one.state === 'running'))
    context.remark(`A run of ${integration} is under way: waiting for its end.`);
}

function selecting(command: Command): Command {
  const more = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  return command
    .argument('<integration>', 'name of the Integration in git')
    .option('--platform <name>', 'Platform it is on, where there are several')
    .option('--key <key>', 'those of this record key; may be repeated', more, [])
    .option('--id <id>', 'this one; may be repeated', more, [])
    .option('--all', 'all of them')
    .addOption(outputOption);
}

/** @throws ReconcilerError 'never' unless exactly one selection was made. */
function selectionOf({ id, key, all }: SelectionFlags) {
  const selections = [
    ...(id.length === 0 ? [] : [{ ids: [...id] }]),
    ...(key.length === 0 ? [] : [{ keys: [...key] }]),
    ...(all === true ? [{ all }] : []),
  ];
  const [only, ...others] = selections;
  if (only !== undefined && others.length === 0) return only;
  throw new ReconcilerError('which dead letters are meant is not clear', 'never', {
    remedy: 'Give --key KEY, or --id ID, or --all: one of them.',
  });
}

async function agreed(integration: string, { all }: SelectionFlags, context: Context): Promise<boolean> {
  if (!context.environment.terminal) {
    context.remark('Nothing was discarded: there is no terminal to ask on. Add --yes to discard without asking.');
    return false;
  }
  const which = all === true ? 'all dead letters' : 'these dead letters';
  if (await context.confirm(`Discard ${which} of ${integration}? They cannot be brought back.`)) return true;
  context.remark('Nothing was discarded.');
  return false;
}

function on(platform: string | undefined): { readonly platform?: string } {
  return platform === undefined ? {} : { platform };
}

function lettersText({ integration, letters, total, file }: LetterList): string {
  if (total === 0) return `${integration} has no dead letters.`;
  const rows = letters.map((one) => [
    one.id,
    when(one.since),
    visible(one.key ?? ''),
    String(one.attempts),
    one.stuck === undefined ? visible(one.reason) : `${visible(one.reason)}; cannot be replayed: ${one.stuck}`,
  ]);
  const shown = letters.length === total ? `${total} in all` : `the newest ${letters.length} of ${total}`;
  return `${table(['ID', 'SINCE', 'KEY', 'ATTEMPTS', 'REASON'], rows)}\n${shown}, in ${file}`;
}

/** Whatever a record brings along moves nothing on a terminal. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

function replayedText({ integration, replayed, refused, refusals, left, run }: LettersTakenUp): string {
  const more = refused - refusals.length;
  return [
    replayed + refused === 0
      ? `No dead letter of ${integration} is meant.`
      : `${replayed} dead letter(s) taken up${refused === 0 ? '' : `, ${refused} left as they are`}`,
    ...refusals.map(
      ({ id, key, because }) => `  ${id}${key === undefined ? '' : ` ${visible(key)}`}: ${visible(because)}`,
    ),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(left === 0 ? [] : [`  ${left} were too many for once: say it again.`]),
    ...(run === undefined ? [] : [runText(run)]),
  ].join('\n');
}
