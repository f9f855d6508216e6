import { ReconcilerError } from '../errors.ts';
import type { Key } from '../manifest/manifest.ts';
import { objectKey } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { table, when } from './table.ts';

export const registerRestore: Register = (program, context) => {
  const command = program
    .command('restore')
    .description('put back what Plumbline overwrote or deleted; without an id, list what is archived')
    .argument('[archive-id]', 'which copy, such as a42')
    .option('--key <kind/name>', 'list only copies of this object', objectKey)
    .option('--sync <name>', 'list only copies of this Sync')
    .addOption(outputOption);
  command.action(async (archiveId: string | undefined, flags: { key?: Key; sync?: string; output: string }) => {
    await using session = await context.open(globalFlags(command));
    if (archiveId !== undefined) {
      if (!/^a\d+$/.test(archiveId)) {
        throw new ReconcilerError(`"${archiveId}" is not an archive id`, 'never', {
          remedy: 'Ids look like a42; "plumbline restore" lists them.',
        });
      }
      const result = await session.restore({ archiveId });
      return output(context, flags.output, result, () => result.message);
    }
    const copies = await session.archived({
      ...(flags.key === undefined ? {} : { key: flags.key }),
      ...(flags.sync === undefined ? {} : { sync: flags.sync }),
    });
    output(context, flags.output, { archived: copies }, () =>
      copies.length === 0
        ? 'Nothing is archived.'
        : table(
            ['ID', 'WHEN', 'OBJECT', 'WHY', 'CHANGED BY'],
            copies.map((copy) => [copy.id, when(copy.archivedAt), copy.key, copy.reason, copy.changedBy ?? '']),
          ),
    );
  });
};
