import type { TreeSync } from '../daemon/operations.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { outputOption } from './plan.ts';

export const registerTree: Register = (program, context) => {
  const command = program
    .command('tree')
    .description('what each Sync owns on its platform, and what needs what')
    .argument('[sync]', 'only this Sync')
    .addOption(outputOption);
  command.action(async (sync: string | undefined, flags: { output: string }) => {
    await using session = await context.open(globalFlags(command));
    const trees = await session.tree(sync === undefined ? {} : { sync });
    output(context, flags.output, trees, () => trees.map((tree) => treeText(tree, context)).join('\n\n'));
  });
};

function treeText({ sync, platform, objects }: TreeSync, { colours }: Context): string {
  const known = new Map(objects.map((object) => [object.key, object]));
  const needed = new Set(objects.flatMap((object) => object.dependsOn));
  const lines = [colours.bold(`${sync} on ${platform}`)];
  const walk = (key: string, indent: string, above: readonly string[]): void => {
    const object = known.get(key);
    const drift = object?.driftSince === undefined ? '' : colours.yellow(`  drifted since ${object.driftSince}`);
    const held = object?.held === true ? colours.cyan('  held') : '';
    lines.push(
      object === undefined
        ? `${indent}${key} ${colours.dim('(not owned)')}`
        : `${indent}${key} ${colours.dim(`"${object.title}" ${object.remote} ${object.how}`)}${drift}${held}`,
    );
    if (above.includes(key)) return;
    for (const need of object?.dependsOn ?? []) walk(need, `${indent}  └ `.replace('└   └', '  └'), [...above, key]);
  };
  for (const object of objects) if (!needed.has(object.key)) walk(object.key, '  ', []);
  return lines.join('\n');
}
