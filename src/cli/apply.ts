import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
import type { PassJson } from '../daemon/pass-json.ts';
import type { Key } from '../manifest/manifest.ts';
import type { Approvals } from '../plan/terms.ts';
import { globalFlags, output, type Context, type Register, type Session } from './context.ts';
import { EXIT, applyExit } from './exit-codes.ts';
import { onlyOption, outputOption, planAll, shared } from './plan.ts';
import { outcomesText, planText } from './plan-text.ts';
import { applyInRounds } from './rounds.ts';
import type { Applied } from './rounds.ts';

interface ApplyFlags {
  readonly platform?: string;
  readonly only: readonly Key[];
  readonly output: 'text' | 'json';
  readonly plan?: string;
  readonly approve: readonly string[];
  readonly allowDeletions?: string;
  readonly yes?: boolean;
}

/** What is read of a saved plan: enough to apply it and to refuse another one. */
const SavedPlans = z.object({
  plans: z.array(z.object({ format: z.literal(1), sync: z.string(), platform: z.string(), fingerprint: z.string() })),
});

export const registerApply: Register = (program, context) => {
  const command = program
    .command('apply')
    .description('make the platform stand as git says; shows the plan and asks first')
    .argument('[sync]', 'Sync to apply; all of them when absent')
    .option('--platform <name>', 'only on this Platform')
    .addOption(onlyOption)
    .addOption(outputOption)
    .option('--plan <file>', 'apply this saved plan, or refuse when it does not hold any more')
    .addOption(
      new Option('--approve <what>', 'approve what waits for a person: adopt, vanished or instance; may be repeated')
        .choices(['adopt', 'vanished', 'instance'])
        .argParser((value: string, before: readonly string[]) => {
          if (!['adopt', 'vanished', 'instance'].includes(value)) {
            throw new ReconcilerError(`--approve ${value} is not known`, 'never', {
              remedy: 'Approve adopt, vanished or instance.',
            });
          }
          return [...before, value];
        })
        .default([]),
    )
    .option('--allow-deletions <revision>', 'let this revision delete more than prune.maxDeletions allows')
    .option('-y, --yes', 'do not ask; never enough for what needs an approval of its own');
  command.action(async (sync: string | undefined, flags: ApplyFlags) => {
    await using session = await context.open(globalFlags(command));
    const applied = await applyAll(session, { sync, flags, context });
    if (applied === undefined) return context.exit(EXIT.error);
    const { passes, last } = applied;
    output(context, flags.output, { passes }, () =>
      passes.map((pass) => outcomesText(pass, context.colours)).join('\n'),
    );
    context.exit(applyExit(last));
  });
};

async function applyAll(
  session: Session,
  { sync, flags, context }: { sync: string | undefined; flags: ApplyFlags; context: Context },
): Promise<Applied | undefined> {
  const approvals = approvalsOf(flags);
  const saved = flags.plan === undefined ? undefined : await readPlans(flags.plan);
  const fingerprintOf = ({ sync: of, platform, plan }: PassJson): string | undefined =>
    (saved ?? []).find((one) => one.sync === of && one.platform === platform)?.fingerprint ?? plan?.fingerprint;
  const request = (pass: PassJson) => ({
    ...shared({ ...flags, approvals }),
    sync: pass.sync,
    platform: pass.platform,
  });
  const agree = (plans: readonly PassJson[]): Promise<boolean> => agreed(plans, flags, context);
  const planned = await planAll(session, { sync, ...flags, approvals });
  const wanted = planned.filter(
    (pass) => saved?.some((one) => one.sync === pass.sync && one.platform === pass.platform) ?? true,
  );
  if (!(await agree(wanted))) return undefined;
  return applyInRounds(wanted, {
    // A saved plan is applied as it is, or not at all.
    plan: async (pass) => (saved === undefined ? (await session.plan(request(pass)))[0] : undefined),
    agree,
    apply: (pass) => {
      const expect = fingerprintOf(pass);
      return session.apply({ ...request(pass), ...(expect === undefined ? {} : { expect }) });
    },
  });
}

async function agreed(
  plans: readonly PassJson[],
  { yes, output: format }: Pick<ApplyFlags, 'yes' | 'output'>,
  context: Context,
): Promise<boolean> {
  if (format === 'text') for (const pass of plans) context.remark(planText(pass, context.colours));
  const changes = plans.reduce((sum, pass) => sum + (pass.plan?.stages.flat().length ?? 0), 0);
  if (changes === 0 || yes === true) return true;
  if (!context.environment.terminal) {
    context.remark('Nothing was applied: there is no terminal to ask on. Add --yes to apply without asking.');
    return false;
  }
  if (await context.confirm(`Apply ${changes} change(s)?`)) return true;
  context.remark('Nothing was applied.');
  return false;
}

function approvalsOf({ approve, allowDeletions }: ApplyFlags): Approvals {
  return {
    ...(approve.includes('adopt') ? { adopt: true } : {}),
    ...(approve.includes('vanished') ? { vanished: true } : {}),
    ...(approve.includes('instance') ? { instance: true } : {}),
    ...(allowDeletions === undefined ? {} : { deletions: allowDeletions }),
  };
}

async function readPlans(file: string) {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ReconcilerError(`${file} cannot be read`, 'never', {
      cause,
      remedy: 'Name a file that "plumbline plan --out" wrote.',
    });
  });
  const parsed = SavedPlans.safeParse(tryJson(text));
  if (parsed.success) return parsed.data.plans;
  throw new ReconcilerError(`${file} is not a saved plan`, 'never', {
    remedy: 'Make one with "plumbline plan --out FILE".',
  });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
