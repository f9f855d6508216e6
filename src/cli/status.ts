import type { StatusResult } from '../daemon/operations.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { shortRevision } from './plan-text.ts';
import { daemonRuns } from './session.ts';
import { levelsText } from './service-levels.ts';
import { ago, table } from './table.ts';

export const registerStatus: Register = (program, context) => {
  const command = program
    .command('status')
    .description('is everything in sync, since when, at which revision, and if not, why')
    .argument('[sync]', 'only this Sync')
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: { output: string }) => {
    const global = globalFlags(command);
    if (!daemonRuns(global.stateDir)) {
      context.remark(
        'No daemon runs on this state directory: what is owned is known, how it stands is not. "plumbline plan" looks.',
      );
    }
    await using session = await context.open(global);
    const status = await session.status(sync === undefined ? {} : { sync });
    const all = await session.serviceLevels({});
    const serviceLevels = all.filter((one) => sync === undefined || one.sync === sync);
    output(context, flags.output, { ...status, serviceLevels }, () =>
      [statusText(status, context), ...(all.length === 0 ? [] : ['', levelsText(serviceLevels, context)])].join('\n'),
    );
    if (!status.configuration.valid) context.exit(EXIT.error);
  });
};

function statusText(status: StatusResult, { colours }: Context): string {
  const now = Date.now();
  const rows = status.syncs.map((sync) => {
    const ready = sync.conditions.find((condition) => condition.type === 'Ready');
    const state = ready?.status === 'True' ? colours.green('Ready') : colours.red(ready?.reason ?? 'Unknown');
    const { counts } = sync;
    return [
      sync.sync,
      sync.platform,
      sync.suspended === undefined ? state : colours.yellow('Suspended'),
      shortRevision(sync.revision),
      ago(sync.lastSuccess, now),
      `${counts.owned}`,
      `${counts.drifted}`,
      `${counts.withheld}`,
      `${counts.problems}`,
    ];
  });
  const lines = [
    table(['SYNC', 'PLATFORM', 'STATE', 'REVISION', 'LAST SUCCESS', 'OWNED', 'DRIFTED', 'WITHHELD', 'PROBLEMS'], rows),
  ];
  for (const problem of status.configuration.problems) {
    lines.push(
      colours.red(
        `configuration: ${problem.origin.file}:${problem.origin.line}:${problem.origin.column}: ${problem.message} ${problem.remedy}`,
      ),
    );
  }
  for (const sync of status.syncs) {
    const ready = sync.conditions.find((condition) => condition.type === 'Ready');
    if (ready !== undefined && ready.status !== 'True') lines.push('', `${colours.bold(sync.sync)}: ${ready.message}`);
    if (sync.suspended !== undefined)
      lines.push('', `${colours.bold(sync.sync)} is suspended by ${sync.suspended.by}: ${sync.suspended.reason}`);
    for (const problem of sync.problems)
      lines.push(
        `  ${problem.severity === 'error' ? colours.red(problem.origin) : colours.yellow(problem.origin)}: ${problem.message} ${colours.dim(problem.remedy)}`,
      );
    for (const one of sync.withheld)
      lines.push(
        `  ${colours.yellow(`withheld ${one.verb}`)} ${one.key} [${one.code}]: ${one.because} ${colours.dim(one.remedy)}`,
      );
    for (const one of sync.supply)
      lines.push(`  ${colours.cyan('to supply')} ${one.key}: ${one.message} ${colours.dim(one.remedy)}`);
    const unsaid = sync.counts.supply - sync.supply.length;
    if (unsaid > 0) lines.push(colours.dim(`  … and ${unsaid} more to supply`));
  }
  return lines.join('\n');
}
