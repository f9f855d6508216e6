import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { stringify } from 'yaml';
import { dashboards } from '../monitor/dashboards.ts';
import { prometheusRule } from '../monitor/rules/rules.ts';
import { globalFlags, type Register } from './context.ts';

interface RulesFlags {
  readonly platform?: string;
  readonly dashboards?: string;
  readonly output: 'yaml' | 'prometheusrule' | 'json';
  readonly label: readonly string[];
}

export const registerRules: Register = (program, context) => {
  const command = program
    .command('rules')
    .description('print what Prometheus has to record and alert on for the service levels in force')
    .option('--platform <name>', 'only for windows that service levels of this Platform have')
    .addOption(
      new Option('--label <name=value>', 'label of the PrometheusRule, such as release=prometheus; may be repeated')
        .argParser((text: string, before: readonly string[]) => [...before, text])
        .default([]),
    )
    .option('--dashboards <folder>', 'write the dashboards for Grafana there, too')
    .addOption(
      new Option('-o, --output <format>', 'a rule file, an object of the Prometheus operator, or json for programs')
        .choices(['yaml', 'prometheusrule', 'json'])
        .default('yaml'),
    );
  command.action(async (flags: RulesFlags) => {
    if (flags.dashboards !== undefined) await writeDashboards(resolve(context.environment.cwd, flags.dashboards));
    await using session = await context.open(globalFlags(command));
    const groups = await session.rules(flags.platform === undefined ? {} : { platform: flags.platform });
    if (flags.output === 'json') {
      context.print(JSON.stringify({ groups }, undefined, 2));
      return;
    }
    const labels = Object.fromEntries(
      flags.label.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
    );
    const whole =
      flags.output === 'yaml' ? { groups } : prometheusRule(groups, { name: 'plumbline-service-levels', labels });
    context.print(stringify(whole, { lineWidth: 0 }).trimEnd());
  });
};

async function writeDashboards(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, dashboard] of dashboards())
    await writeFile(join(folder, `${name}.json`), `${JSON.stringify(dashboard, undefined, 2)}\n`);
}
