import type { Key } from '../manifest/manifest.ts';
import { count, objectKey } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { shortRevision } from './plan-text.ts';
import { table, when } from './table.ts';

interface HistoryFlags {
  readonly key?: Key;
  readonly limit: number;
  readonly output: string;
}

export const registerHistory: Register = (program, context) => {
  const command = program
    .command('history')
    .description('passes that changed something: who committed, what was changed, how it went')
    .argument('[sync]', 'only this Sync')
    .option('--key <kind/name>', 'only changes of this object', objectKey)
    .option('--limit <count>', 'newest passes to show', count, 20)
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: HistoryFlags) => {
    await using session = await context.open(globalFlags(command));
    const passes = await session.history({
      limit: flags.limit,
      ...(sync === undefined ? {} : { sync }),
      ...(flags.key === undefined ? {} : { key: flags.key }),
    });
    output(context, flags.output, { passes }, () => {
      const rows = passes.flatMap((pass) =>
        pass.changes.map((change, index) => [
          index === 0 ? when(pass.endedAt) : '',
          index === 0 ? shortRevision(pass.revision) : '',
          index === 0 ? (pass.author ?? '') : '',
          `${change.outcome} ${change.verb} ${change.key}`,
          change.cause,
          `${(pass.endedAt - pass.startedAt) / 1000}s`,
        ]),
      );
      return rows.length === 0
        ? 'Nothing was changed yet.'
        : table(['WHEN', 'REVISION', 'AUTHOR', 'CHANGE', 'CAUSE', 'TOOK'], rows);
    });
  });
};
