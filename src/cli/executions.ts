import { ExecutionJson, ExecutionList } from '../gateway/api/shapes.ts';
import { count } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { onePlatform } from './platform-choice.ts';
import { table, when } from './table.ts';
import { told } from './trigger.ts';

interface ExecutionFlags {
  readonly platform?: string;
  readonly workflow?: string;
  readonly limit: number;
  readonly output: string;
}

/** Characters of a status in the table; `executions ID` tells all of it. */
const WIDEST = 60;

export const registerExecutions: Register = (program, context) => {
  const command = program
    .command('executions')
    .description('runs of workflows: those asked for here, and those the platform told of')
    .argument('[id]', "one run, by its id here or the platform's")
    .option('--platform <name>', 'Platform they are on, where there are several')
    .option('--workflow <name>', 'only runs of this Workflow')
    .option('--limit <count>', 'newest runs to show', count, 20)
    .addOption(outputOption);
  command.action(async (id: string | undefined, flags: ExecutionFlags) => {
    const api = context.api(globalFlags(command));
    const path = `/platforms/${encodeURIComponent(await onePlatform(api, flags.platform))}/executions`;
    if (id !== undefined) {
      const run = ExecutionJson.parse(await api('GET', `${path}/${encodeURIComponent(id)}`));
      output(context, flags.output, run, () => `${run.workflow ?? '(not governed)'}  ${run.id}  ${told(run)}`);
      return;
    }
    const query = new URLSearchParams({
      limit: String(Math.min(flags.limit, 500)),
      ...(flags.workflow === undefined ? {} : { workflow: flags.workflow }),
    });
    const list = ExecutionList.parse(await api('GET', `${path}?${query.toString()}`));
    output(context, flags.output, list, () =>
      list.executions.length === 0
        ? 'No run is known yet.'
        : table(
            ['STARTED', 'WORKFLOW', 'STATUS', 'ID', 'ASKED FOR AS'],
            list.executions.map((run) => [
              when(run.startedAt ?? run.askedAt),
              run.workflow ?? '(not governed)',
              brief(run),
              run.id,
              run.correlationId ?? '',
            ]),
          ),
    );
  });
};

function brief(run: Parameters<typeof told>[0]): string {
  const text = told(run);
  return text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text;
}
