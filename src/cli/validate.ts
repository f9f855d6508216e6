import { resolve } from 'node:path';
import { formatProblem, type Problem } from '../errors.ts';
import { configurationProblems } from '../daemon/configuration.ts';
import { DRIVERS } from '../drivers/index.ts';
import type { Desired } from '../manifest/manifest.ts';
import { unknownOutput } from '../manifest/output-reference.ts';
import { ManifestLoader } from '../manifest/load.ts';
import { FolderSource } from '../source/folder.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { outputOption } from './plan.ts';

interface ValidateFlags {
  readonly overlay: readonly string[];
  readonly var: readonly string[];
  readonly format: string;
  readonly output: string;
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

export const registerValidate: Register = (program, context) => {
  const command = program
    .command('validate')
    .description('check manifests without any platform; without a folder, check the configuration')
    .argument('[folder]', 'folder of manifests, as a Sync would read it')
    .option('--overlay <path>', 'overlay to lay over them; may be repeated', collect, [])
    .option('--var <name=value>', 'value of a ${name}; may be repeated', collect, [])
    .option('--format <name>', 'format of definitions that name none', DRIVERS[0]?.name ?? 'node-red')
    .addOption(outputOption);
  command.action(async (folder: string | undefined, flags: ValidateFlags) => {
    const { config } = globalFlags(command);
    const found =
      folder === undefined
        ? { problems: await configurationProblems(config), objects: undefined }
        : await check(folder, flags, context);
    output(context, flags.output, found, () => report(found, folder ?? config, context));
    if (found.problems.some((problem) => problem.severity === 'error')) context.exit(1);
  });
};

interface Found {
  readonly problems: readonly Problem[];
  readonly objects: readonly string[] | undefined;
}

async function check(folder: string, flags: ValidateFlags, context: Context): Promise<Found> {
  const source = new FolderSource(resolve(context.environment.cwd, folder));
  const variables = flags.var.map((text) => [text.split('=', 1)[0] ?? '', text.slice(text.indexOf('=') + 1)] as const);
  const loader = new ManifestLoader({
    formats: DRIVERS.flatMap((driver) => driver.format ?? []),
    defaultFormat: flags.format,
    overlays: flags.overlay,
    variables: Object.fromEntries(variables),
  });
  const desired = await loader.load(await source.read(context.signal), context.signal);
  const problems = [...desired.problems, ...outputProblems(desired.manifests, flags.format)];
  return { problems, objects: [...desired.manifests.keys()] };
}

/** References to outputs that no object of the kind has: on this platform, or for objects of other sources on any. */
function outputProblems(manifests: Desired['manifests'], format: string): readonly Problem[] {
  return [...manifests.values()].flatMap(({ key, dependsOn, outputReferences }) =>
    outputReferences.flatMap((reference): readonly Problem[] => {
      const isOwn = dependsOn.includes(reference.key) && reference.platform === undefined;
      const flaws = DRIVERS.filter(({ name }) => !isOwn || name === format).map(({ outputs }) =>
        unknownOutput(reference, outputs ?? {}),
      );
      const [flaw] = flaws;
      if (flaw === undefined || flaws.includes(undefined)) return [];
      const message = `"\${ref:${reference.text}}": ${flaw.message}.`;
      return [{ origin: reference.origin, message, remedy: flaw.remedy, severity: 'error', key }];
    }),
  );
}

function report({ problems, objects }: Found, where: string, { colours }: Context): string {
  const lines = problems.map((problem) =>
    (problem.severity === 'error' ? colours.red : colours.yellow)(formatProblem(problem)),
  );
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const counted = objects === undefined ? '' : ` ${objects.length} object(s),`;
  return [...lines, `${where}:${counted} ${errors} error(s), ${problems.length - errors} warning(s).`].join('\n');
}
