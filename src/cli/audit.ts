import { AuditList } from '../gateway/api/shapes.ts';
import { count } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { table, when } from './table.ts';

interface AuditFlags {
  readonly token?: string;
  readonly refused?: boolean;
  readonly limit: number;
  readonly output: string;
}

export const registerAudit: Register = (program, context) => {
  const command = program
    .command('audit')
    .description('who called the API, with which token, and what came of it')
    .option('--token <id>', 'only calls with this token')
    .option('--refused', 'only calls that were turned away')
    .option('--limit <count>', 'newest calls to show', count, 50)
    .addOption(outputOption);
  command.action(async ({ token, refused, limit, output: format }: AuditFlags) => {
    const query = new URLSearchParams({
      limit: String(Math.min(limit, 1000)),
      ...(token === undefined ? {} : { token }),
      ...(refused === true ? { refused: 'true' } : {}),
    });
    const found = AuditList.parse(await context.api(globalFlags(command))('GET', `/audit?${query.toString()}`));
    output(context, format, found, () =>
      found.records.length === 0
        ? 'Nobody called yet.'
        : table(
            ['WHEN', 'WHO', 'CALL', 'ABOUT', 'STATUS', 'FROM', 'TIMES'],
            found.records.map((one) => [
              when(one.at),
              one.name ?? one.token ?? '(unknown)',
              `${one.method} ${one.route}`,
              [one.platform, one.workflow].filter((part) => part !== undefined).join('/'),
              String(one.status),
              one.address,
              one.times === 1 ? '' : `${one.times} ×`,
            ]),
          ),
    );
  });
};
