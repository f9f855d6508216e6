import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ReconcilerError } from '../errors.ts';
import { parse, stringify } from 'yaml';
import type { ExportedFile, ExportResult } from '../daemon/export.ts';
import type { JsonValue } from '../manifest/manifest.ts';
import { toOpenSlo } from '../manifest/openslo.ts';
import { ServiceLevel } from '../manifest/service-level.ts';
import { objectivesOf, round } from '../monitor/objective.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { outputOption } from './plan.ts';
import { progress } from './progress.ts';

interface ExportFlags {
  readonly out: string;
  readonly force?: boolean;
  readonly openslo?: boolean;
  readonly output: string;
}

export const registerExport: Register = (program, context) => {
  const command = program
    .command('export')
    .description('write what is on a platform as a repository of manifests, ready to be adopted')
    .argument('<platform>', 'Platform to read; nothing is changed on it')
    .requiredOption('--out <folder>', 'folder to write; must be empty or absent')
    .option('--openslo', 'write service levels as OpenSLO v1: one SLO per objective')
    .option('--force', 'write into a folder that is not empty')
    .addOption(outputOption);
  command.action(async (platform: string, flags: ExportFlags) => {
    const folder = resolve(context.environment.cwd, flags.out);
    if (flags.force !== true) await refuseFull(folder);
    await using session = await context.open(globalFlags(command));
    const result = await session.export({ platform });
    const files = flags.openslo === true ? result.files.map(asOpenSlo) : result.files;
    await write(folder, { ...result, files }, context);
    const { files: _files, ...told } = result;
    output(context, flags.output, { folder, ...told }, () => summary(folder, result));
  });
};

/** What a service level has that says nothing of it. */
const SILENT = {
  alerts: ServiceLevel.shape.spec.shape.alerts.parse(undefined),
  minimumTraffic: ServiceLevel.shape.spec.shape.minimumTraffic.parse(undefined),
};

/** A service level as OpenSLO writes it; every other file as it is. */
function asOpenSlo(file: ExportedFile): ExportedFile {
  if (!file.path.startsWith('service-levels/')) return file;
  const { metadata, spec } = ServiceLevel.parse(parse(file.text));
  const { kind, names, matchLabels } = spec.selector;
  const documents = toOpenSlo(metadata.name, {
    title: spec.title ?? metadata.name,
    selector: { kind, ...(names && { names }), ...(matchLabels && { matchLabels }) },
    window: spec.window,
    ...(isDeepStrictEqual(spec.alerts, SILENT.alerts)
      ? {}
      : { alerts: JSON.parse(JSON.stringify(spec.alerts)) as JsonValue }),
    ...(spec.minimumTraffic === SILENT.minimumTraffic ? {} : { minimumTraffic: spec.minimumTraffic }),
    objectives: objectivesOf(spec).map(({ name, target, budget = 0.01 }) => ({
      name,
      operator: target.operator,
      value: target.value,
      share: round(1 - budget),
    })),
  });
  return { ...file, text: documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n') };
}

async function refuseFull(folder: string): Promise<void> {
  const present = await readdir(folder).catch(() => []);
  if (present.filter((name) => name !== '.git').length === 0) return;
  throw new ReconcilerError(`${folder} is not empty`, 'never', {
    remedy: 'Name another folder, or add --force to write into this one.',
  });
}

async function write(folder: string, { files }: ExportResult, context: Context): Promise<void> {
  const bar = progress('Writing', files.length, context);
  for (const { path, text } of files) {
    const target = join(folder, ...path.split('/'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
    bar.step();
  }
  bar.done();
}

function summary(folder: string, { platform, counts, secrets, incomplete, leftOut }: ExportResult): string {
  const objects = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`);
  return [
    `Wrote ${objects.join(', ') || 'nothing'} from ${platform} to ${folder}.`,
    ...incomplete.map(({ kind, because }) => `${kind} objects are missing from it: ${because}.`),
    ...leftOut.map(({ object, because }) => `${object} is left out: ${because}.`),
    ...(secrets.length === 0 ? [] : ['Secrets that stay on the platform until git refers to them:']),
    ...secrets.map(({ object, names }) => `  ${object}: ${names.join(', ')}`),
    'Next: commit it, point a Sync with "adopt: matching" at it, and look at "plumbline plan".',
  ].join('\n');
}
