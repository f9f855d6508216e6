import { ReconcilerError } from '../errors.ts';
import { TokenIssued, TokenList } from '../gateway/api/shapes.ts';
import { parseDuration } from '../manifest/duration.ts';
import { globalFlags, output, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { table, when } from './table.ts';

interface CreateFlags {
  readonly scope: readonly string[];
  readonly expiresIn?: number;
  readonly output: string;
}

export const registerToken: Register = (program, context) => {
  const token = program.command('token').description('tokens of the API, each with the rights it needs and no more');

  const create = token
    .command('create')
    .description('make a token; it is told this once')
    .argument('<name>', 'what people call it; the audit says it')
    .requiredOption(
      '--scope <scope>',
      'read, trigger or admin, alone or limited: trigger:PLATFORM/WORKFLOW; may be repeated',
      (scope: string, before: readonly string[]) => [...before, scope],
      [],
    )
    .option('--expires-in <duration>', 'how long it is taken, such as 720h; for ever when absent', duration)
    .addOption(outputOption);
  create.action(async (name: string, { scope, expiresIn, output: format }: CreateFlags) => {
    if (scope.length === 0)
      throw new ReconcilerError('the token has no scope', 'never', { remedy: 'Give one, such as --scope read.' });
    const expiresAt = expiresIn === undefined ? {} : { expiresAt: new Date(Date.now() + expiresIn).toISOString() };
    const issued = TokenIssued.parse(
      await context.api(globalFlags(create))('POST', '/tokens', { name, scopes: scope, ...expiresAt }),
    );
    output(context, format, issued, () => issued.token);
    if (format !== 'json') context.remark(`Token ${issued.id} of ${name}. It is not shown again.`);
  });

  const list = token.command('list').description('tokens, those of no use any more included').addOption(outputOption);
  list.action(async (flags: { output: string }) => {
    const found = TokenList.parse(await context.api(globalFlags(list))('GET', '/tokens'));
    output(context, flags.output, found, () =>
      found.tokens.length === 0
        ? 'There is no token besides the one in the state directory.'
        : table(
            ['ID', 'NAME', 'SCOPES', 'CREATED', 'LAST USED', 'STATE'],
            found.tokens.map((one) => [
              one.id,
              one.name,
              one.scopes.join(' '),
              when(one.createdAt),
              when(one.lastUsedAt),
              one.revokedAt !== undefined
                ? `revoked ${when(one.revokedAt)}`
                : one.expiresAt === undefined
                  ? 'valid'
                  : `until ${when(one.expiresAt)}`,
            ]),
          ),
    );
  });

  const rotate = token
    .command('rotate')
    .description('give a token another secret; the one it had is taken for the grace period')
    .argument('<id>', 'id of the token')
    .option('--grace <duration>', 'how long the former one is taken too, at most 720h', '0s')
    .addOption(outputOption);
  rotate.action(async (id: string, { grace, output: format }: { grace: string; output: string }) => {
    const path = `/tokens/${encodeURIComponent(id)}/rotate`;
    const issued = TokenIssued.parse(await context.api(globalFlags(rotate))('POST', path, { grace }));
    output(context, format, issued, () => issued.token);
  });

  const revoke = token
    .command('revoke')
    .description('take a token no more')
    .argument('<id>', 'id of the token')
    .addOption(outputOption);
  revoke.action(async (id: string, flags: { output: string }) => {
    await context.api(globalFlags(revoke))('DELETE', `/tokens/${encodeURIComponent(id)}`);
    output(context, flags.output, { revoked: id }, () => `Token ${id} is revoked.`);
  });
};

/** Milliseconds. @throws ReconcilerError 'never' when it is not a duration. */
function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds;
  throw new ReconcilerError(`"${text}" is not a duration`, 'never', {
    remedy: 'Write numbers with units, such as 30m, 24h or 720h.',
  });
}
