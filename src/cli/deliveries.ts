import { Option } from 'commander';
import { ReconcilerError } from '../errors.ts';
import { DeliveryList, Replayed } from '../gateway/api/deliveries.ts';
import { count } from './arguments.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { table, when } from './table.ts';

interface ListFlags {
  readonly state?: string;
  readonly handler?: string;
  readonly type?: string;
  readonly limit: number;
  readonly output: string;
}
interface ReplayFlags {
  readonly dead?: string;
  readonly since?: string;
  readonly events?: boolean;
  readonly output: string;
}

export const registerDeliveries: Register = (program, context) => {
  const list = program
    .command('deliveries')
    .description('events on their way to webhooks and plugins, those delivered, and those given up with the reason')
    .addOption(new Option('--state <state>', 'only these').choices(['pending', 'done', 'dead']))
    .option('--handler <name>', 'only those for webhook/ID or plugin/NAME')
    .option('--type <pattern>', 'only events of this type, such as order.created or order.*')
    .option('--limit <count>', 'newest deliveries to show', count, 20)
    .addOption(outputOption);
  list.action(async ({ state, handler, type, limit, output: format }: ListFlags) => {
    const query = new URLSearchParams({
      limit: String(Math.min(limit, 1000)),
      ...(state === undefined ? {} : { state }),
      ...(handler === undefined ? {} : { handler }),
      ...(type === undefined ? {} : { type }),
    });
    const found = DeliveryList.parse(await context.api(globalFlags(list))('GET', `/deliveries?${query.toString()}`));
    output(context, format, found, () =>
      found.deliveries.length === 0
        ? 'Nothing was to be delivered.'
        : table(
            ['ID', 'SINCE', 'EVENT', 'ABOUT', 'TO', 'STATE', 'WHY'],
            found.deliveries.map((one) => [
              one.id,
              when(one.since),
              one.event.type,
              one.event.subject ?? '',
              one.handler,
              one.state === 'pending' && one.attempts > 0 ? `pending, tried ${one.attempts} ×` : one.state,
              one.error ?? '',
            ]),
          ),
    );
  });

  const replay = program
    .command('replay')
    .description('deliver again: named deliveries or events, what was given up for a handler, or all since a time')
    .argument('[ids...]', 'ids of deliveries; of events with --events')
    .option('--events', 'the ids are those of events, which go to all who get them now')
    .option('--dead <handler>', 'what was given up for webhook/ID or plugin/NAME')
    .option('--since <time>', 'everything that arrived since then, such as 2026-11-22T10:00:00Z')
    .addOption(outputOption);
  replay.action(async (ids: string[], flags: ReplayFlags) => {
    const result = Replayed.parse(
      await context.api(globalFlags(replay))('POST', '/deliveries/replay', selectionOf(ids, flags)),
    );
    output(context, flags.output, result, () => {
      const skipped = result.skipped === 0 ? '' : `; ${result.skipped} are not kept any more, or nobody gets them now`;
      return `${result.replayed} to be delivered again${skipped}.`;
    });
  });
};

/** @throws ReconcilerError 'never' unless exactly one selection was made. */
function selectionOf(ids: readonly string[], { dead, since, events }: ReplayFlags): Record<string, unknown> {
  const selections = [
    ...(ids.length === 0 ? [] : [{ [events === true ? 'events' : 'deliveries']: ids }]),
    ...(dead === undefined ? [] : [{ dead }]),
    ...(since === undefined ? [] : [{ since: timeOf(since) }]),
  ];
  const [only, ...others] = selections;
  if (only !== undefined && others.length === 0) return only;
  throw new ReconcilerError('what to deliver again is not clear', 'never', {
    remedy: 'Give ids, or --dead HANDLER, or --since TIME: one of them.',
  });
}

function timeOf(text: string): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new ReconcilerError(`"${text}" is not a time`, 'never', { remedy: 'Write it such as 2026-11-22T10:00:00Z.' });
}
