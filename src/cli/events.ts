import { setTimeout as pause } from 'node:timers/promises';
import { count } from './arguments.ts';
import { globalFlags, type Context, type Register, type Session } from './context.ts';
import { outputOption } from './plan.ts';
import { when } from './table.ts';

interface EventFlags {
  readonly limit: number;
  readonly follow?: boolean;
  readonly output: string;
}

/** Milliseconds between two looks while following. */
const LOOK_EVERY = 500;

export const registerEvents: Register = (program, context) => {
  const command = program
    .command('events')
    .description('what happened: applied, drift found, withheld, failed, recovered')
    .argument('[sync]', 'only this Sync')
    .option('--limit <count>', 'newest events to show', count, 50)
    .option('-f, --follow', 'go on printing what happens')
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: EventFlags) => {
    await using session = await context.open(globalFlags(command));
    let after = await show(session, { sync, limit: flags.limit }, { context, json: flags.output === 'json' });
    while (flags.follow === true && !context.signal.aborted) {
      await pause(LOOK_EVERY, undefined, { signal: context.signal }).catch(() => undefined);
      after = (await show(session, { sync, after, limit: 1000 }, { context, json: flags.output === 'json' })) ?? after;
    }
  });
};

async function show(
  session: Session,
  query: { sync: string | undefined; after?: number | undefined; limit: number },
  to: { context: Context; json: boolean },
): Promise<number | undefined> {
  const { sync, after, limit } = query;
  const events = await session.events({
    limit,
    ...(sync === undefined ? {} : { sync }),
    ...(after === undefined ? {} : { after }),
  });
  for (const event of events) {
    const paths =
      event.paths === undefined || event.paths.length === 0
        ? ''
        : `  (${event.paths.slice(0, 5).join(', ')}${event.paths.length > 5 ? ', …' : ''})`;
    to.context.print(
      to.json
        ? JSON.stringify(event)
        : `${when(event.at)}  ${event.type}  ${event.key ?? event.sync ?? ''}  ${event.message}${paths}`,
    );
  }
  return events.length === 0 ? undefined : Math.max(...events.map((event) => event.id));
}
