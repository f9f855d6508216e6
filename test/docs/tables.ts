import type { Command, Option } from 'commander';
import { coloursFor, type Context } from '../../src/cli/context.ts';
import { VARIABLES } from '../../src/cli/environment.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { DriverDefinition } from '../../src/drivers/driver.ts';
import { DRIVERS } from '../../src/drivers/index.ts';
import { withIntegrations } from '../../src/drivers/integrations.ts';
import { KINDS } from '../../src/manifest/manifest.ts';
import type { Kind } from '../../src/manifest/manifest.ts';
import { defaultsTable } from '../../src/manifest/json-schema.ts';
import { Metrics } from '../../src/report/metrics.ts';

/** The command line as it is, without anything behind it: nothing may be run. */
export function programme(): Command {
  const environment = { variables: {}, cwd: '/', terminal: true, colour: false, columns: 100, user: 'nobody' };
  const context: Context = {
    environment,
    colours: coloursFor(environment),
    signal: new AbortController().signal,
    print: () => undefined,
    remark: () => undefined,
    exit: () => undefined,
    open: () => Promise.reject(new Error('nothing is run here')),
    api: () => {
      throw new Error('nothing is run here');
    },
    confirm: () => Promise.resolve(false),
  };
  return createProgram(context);
}

/** What stands in the README between `<!-- NAME -->` and `<!-- /NAME -->`, by name. */
export const TABLES: Readonly<Record<string, () => string>> = {
  platforms: () =>
    rows(
      ['Kind', ...DRIVERS.map(({ name }) => name)],
      KINDS.map((kind) => [kind, ...DRIVERS.map((definition) => supportOf(definition, kind))]),
    ),
  outputs: () =>
    rows(
      ['Driver', 'Kind', 'Output', 'Value'],
      DRIVERS.flatMap(({ name, outputs = {} }) =>
        Object.entries(outputs).flatMap(([kind, of]) =>
          Object.entries(of).map(([output, value]) => [name, kind, code(output), value]),
        ),
      ),
    ),
  'global flags': () =>
    rows(
      ['Flag', 'Environment', 'Default', 'Meaning'],
      programme().options.flatMap((option) => {
        const variable = Object.entries(VARIABLES).find(([name]) => name === option.attributeName())?.[1];
        if (variable === undefined) return [];
        const meaning = option.description.replace(/ \(also [A-Z_]+\)$/, '');
        return [[code(option.flags), code(variable), code(String(option.defaultValue)), meaning]];
      }),
    ),
  commands: () =>
    rows(
      ['Command', 'Flags', 'What it does'],
      leaves(programme()).map((command) => [
        code(usage(command)),
        command.options
          .filter((option) => option.long !== '--output')
          .map((option) => `${code(option.flags)} ${meaning(option)}`)
          .join('<br>'),
        command.description(),
      ]),
    ),
  defaults: () =>
    rows(
      ['Kind', 'Field', 'Type', 'Default', 'Meaning'],
      defaultsTable()
        .filter(({ field }) => !COMMON.has(field))
        .map((row) => [row.kind, code(row.field), row.type, code(row.default), row.description]),
    ),
  'common defaults': () => {
    const seen = new Map<string, string[]>();
    for (const row of defaultsTable()) {
      if (!COMMON.has(row.field)) continue;
      const cells = [code(row.field), row.type, code(row.default), row.description].join('\0');
      seen.set(cells, [...(seen.get(cells) ?? []), row.kind]);
    }
    return rows(
      ['Field', 'Type', 'Default', 'Meaning', 'Kinds'],
      [...seen].map(([cells, kinds]) => [...cells.split('\0'), kinds.join(', ')]),
    );
  },
  metrics: () =>
    rows(
      ['Metric', 'Type', 'Labels', 'Meaning'],
      new Metrics({ version: '0.0.0' })
        .describe()
        .filter(({ name }) => !/^plumbline_(nodejs|process)_/.test(name))
        .map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]),
    ),
};

/** Fields that every kind has. */
const COMMON = new Set(['metadata.labels', 'metadata.annotations', 'metadata.renamedFrom']);

/** A README in which every table stands as the program has it now. */
export function withTables(readme: string): string {
  return Object.entries(TABLES).reduce((text, [name, make]) => {
    const pattern = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`);
    if (!pattern.test(text)) throw new Error(`README.md has no place for the table "${name}"`);
    return text.replace(pattern, (_whole, start: string, end: string) => `${start}\n${make()}\n\n${end}`);
  }, readme);
}

/** What a driver can do with a kind under the best of circumstances; what a platform has not, Plumbline may have in its place. */
function supportOf(definition: DriverDefinition, kind: Kind): string {
  const limits = { concurrency: 1, requestsPerSecond: 1, timeout: 1 };
  const nowhere = { platform: 'docs', url: 'http://127.0.0.1:9', auth: {}, limits, onRequest: () => undefined };
  const driver = definition.connect(nowhere);
  const { create } = driver.capabilities[kind];
  if (typeof create === 'string') return create === 'manage' ? 'managed' : 'observed';
  if (kind === 'Webhook') return 'delivered by Plumbline';
  if (kind === 'ServiceLevel') return 'measured by Plumbline';
  const refusal = `refused: ${create.unsupported}`;
  if (kind !== 'Integration') return refusal;
  const withCode = withIntegrations(driver, {} as never, 'docs').capabilities[kind].create;
  return withCode === 'manage' ? `code of its own is run by Plumbline; a connection is ${refusal}` : refusal;
}

/** Commands that do something: those with subcommands only lead to them. */
export function leaves(program: Command): readonly Command[] {
  return program.commands.flatMap((command) => (command.commands.length === 0 ? [command] : leaves(command)));
}

function usage(command: Command): string {
  const names = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const group = command.parent?.parent ? [command.parent.name()] : [];
  return [...group, command.name(), ...names].join(' ');
}

function meaning(option: Option): string {
  const { defaultValue, argChoices } = option;
  const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
  const shown =
    Array.isArray(defaultValue) || defaultValue === undefined ? '' : `; default ${code(String(defaultValue))}`;
  return `${option.description}${option.mandatory ? '; required' : ''}${choices}${shown}`;
}

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}
