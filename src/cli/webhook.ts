import { WebhookCreated, WebhookList } from '../gateway/api/shapes.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { onePlatform } from './platform-choice.ts';
import { table } from './table.ts';

interface PlatformFlags {
  readonly platform?: string;
  readonly output: string;
}

export const registerWebhook: Register = (program, context) => {
  const webhook = program.command('webhook').description('who is told of events; those in git are changed in git');
  const platformOption = ['--platform <name>', 'Platform whose events are meant, where there are several'] as const;

  const list = webhook
    .command('list')
    .description('outgoing webhooks of a platform')
    .option(...platformOption)
    .addOption(outputOption);
  list.action(async (flags: PlatformFlags) => {
    const api = context.api(globalFlags(list));
    const path = `/platforms/${encodeURIComponent(await onePlatform(api, flags.platform))}/webhooks`;
    const found = WebhookList.parse(await api('GET', path));
    output(context, flags.output, found, () =>
      found.webhooks.length === 0
        ? 'Nobody is told of anything.'
        : table(
            ['ID', 'EVENT', 'TO', 'STATE', 'FROM'],
            found.webhooks.map((one) => [
              one.id,
              one.event,
              one.callback_url,
              `${one.active ? 'active' : 'off'}${one.signed ? ', signed' : ''}`,
              one.manifest ?? one.changedBy,
            ]),
          ),
    );
  });

  const add = webhook
    .command('add')
    .description('tell a URL of events; prints the secret that deliveries are signed with, this once')
    .argument('<event>', 'type of the events, such as workflow.failed or reconcile.*')
    .argument('<url>', 'where they are delivered to')
    .option(...platformOption)
    .addOption(outputOption);
  add.action(async (event: string, url: string, flags: PlatformFlags) => {
    const api = context.api(globalFlags(add));
    const path = `/platforms/${encodeURIComponent(await onePlatform(api, flags.platform))}/webhooks`;
    const made = WebhookCreated.parse(await api('POST', path, { event, callback_url: url }));
    output(context, flags.output, made, () => made.secret ?? '');
    if (flags.output !== 'json') context.remark(`Webhook ${made.id}. Its secret is not shown again.`);
  });

  const remove = webhook
    .command('remove')
    .description('tell nobody there any more')
    .argument('<id>', 'id of the webhook')
    .option('--platform <name>', 'Platform it belongs to, where there are several')
    .addOption(outputOption);
  remove.action(async (id: string, flags: PlatformFlags) => {
    const api = context.api(globalFlags(remove));
    const platform = await onePlatform(api, flags.platform);
    await api('DELETE', `/platforms/${encodeURIComponent(platform)}/webhooks/${encodeURIComponent(id)}`);
    output(context, flags.output, { removed: id }, () => `Webhook ${id} is removed.`);
  });
};
