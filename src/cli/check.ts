import type { CheckResult } from '../daemon/operations.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { sentences } from '../errors.ts';

export const registerCheck: Register = (program, context) => {
  const command = program
    .command('check')
    .description('connect to each Platform: version, account, rights, licence, and what can be managed')
    .argument('[platform]', 'only this Platform')
    .addOption(outputOption);
  command.action(async (platform: string | undefined, flags: { output: string }) => {
    await using session = await context.open(globalFlags(command));
    const results = await session.check(platform === undefined ? {} : { platform });
    output(context, flags.output, { platforms: results }, () =>
      results.map((one) => checkText(one, context)).join('\n\n'),
    );
    if (results.some((one) => !one.ok)) context.exit(EXIT.error);
  });
};

function checkText(result: CheckResult, { colours }: Context): string {
  const head = `${result.ok ? colours.green('ok') : colours.red('failed')}  ${colours.bold(result.platform)}  ${result.driver} at ${result.url}`;
  if (result.error !== undefined) return `${head}\n  ${sentences(result.error)}`;
  const facts = [
    ['version', result.version],
    ['instance', result.instance],
    ['licence', result.licence],
    ['account', result.account],
    ['rights', result.rights?.join(', ')],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`  ${name}: ${value}`]));
  const kinds = Object.entries(result.capabilities ?? {}).map(([kind, verbs]) => {
    const all = [...new Set(Object.values(verbs))];
    return `  ${kind}: ${all.join('; ')}`;
  });
  const tried = (result.connections ?? []).map(({ key, works, message }) =>
    works ? `  ${key}: ${colours.green('works')}` : `  ${key}: ${colours.red('does not work')}: ${message}`,
  );
  return [head, ...facts, ...kinds, ...tried, ...(result.notes ?? []).map((note) => `  ${colours.dim(note)}`)].join(
    '\n',
  );
}
