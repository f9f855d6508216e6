import { writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import type { PassJson } from '../daemon/pass-json.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Approvals } from '../plan/terms.ts';
import { objectKeys } from './arguments.ts';
import { globalFlags, output, type Context, type Register, type Session } from './context.ts';
import { planExit, EXIT } from './exit-codes.ts';
import { planText } from './plan-text.ts';
import { syncsNamed } from './select.ts';

interface PlanFlags {
  readonly platform?: string;
  readonly only: readonly Key[];
  readonly output: 'text' | 'json';
  readonly out?: string;
  readonly detailedExitcode?: boolean;
}

export const onlyOption = new Option('--only <kind/name>', 'restrict to this object; may be repeated')
  .argParser(objectKeys)
  .default([]);
export const outputOption = new Option('-o, --output <format>', 'text, or json for programs')
  .choices(['text', 'json'])
  .default('text');

export const registerPlan: Register = (program, context) => {
  const command = program
    .command('plan')
    .description('show what would be changed, and what is withheld and why; writes nothing')
    .argument('[sync]', 'Sync to plan; all of them when absent')
    .option('--platform <name>', 'only on this Platform')
    .addOption(onlyOption)
    .addOption(outputOption)
    .option('--out <file>', 'save the plan for "plumbline apply --plan"')
    .option('--detailed-exitcode', '0 nothing to do, 2 changes, 3 withheld or problems, 1 error');
  command.action(async (sync: string | undefined, flags: PlanFlags) => {
    await using session = await context.open(globalFlags(command));
    const passes = await planAll(session, { sync, ...flags });
    output(context, flags.output, { passes }, () => passes.map((pass) => planText(pass, context.colours)).join('\n\n'));
    if (flags.out !== undefined) await savePlan(flags.out, passes, context);
    if (flags.detailedExitcode === true) context.exit(planExit(passes));
    else if (passes.some((pass) => pass.error !== undefined)) context.exit(EXIT.error);
  });
};

export interface PlanRequest {
  readonly sync: string | undefined;
  readonly platform?: string;
  readonly only: readonly Key[];
  readonly approvals?: Approvals;
}

/** One plan per Sync and Platform. */
export async function planAll(session: Session, request: PlanRequest): Promise<PassJson[]> {
  const passes: PassJson[] = [];
  for (const sync of await syncsNamed(session, request.sync))
    passes.push(...(await session.plan({ sync, ...shared(request) })));
  return passes;
}

export function shared(request: Omit<PlanRequest, 'sync'>) {
  return {
    only: [...request.only],
    ...(request.platform === undefined ? {} : { platform: request.platform }),
    ...(request.approvals === undefined ? {} : { approvals: request.approvals }),
  };
}

async function savePlan(file: string, passes: readonly PassJson[], context: Context): Promise<void> {
  await writeFile(file, `${JSON.stringify({ plans: passes.flatMap((pass) => pass.plan ?? []) }, undefined, 2)}\n`);
  context.remark(`Saved. To apply exactly this: plumbline apply --plan ${file}`);
}
