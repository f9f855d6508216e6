import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { z } from 'zod';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { RemoteApi } from '../daemon/remote-api.ts';
import { ExecutionJson, TriggerAnswer } from '../gateway/api/shapes.ts';
import { globalFlags, output, type Context, type Register } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './plan.ts';
import { onePlatform } from './platform-choice.ts';

interface TriggerFlags {
  readonly platform?: string;
  readonly input?: string;
  readonly entry?: string;
  readonly wait?: boolean;
  readonly output: string;
}
type Execution = z.output<typeof ExecutionJson>;

/** Milliseconds: between two looks at a run, and that `--wait` waits. */
const LOOK_EVERY = 300;
const LONGEST = 120_000;
/** File descriptor. */
const STDIN = 0;

export const registerTrigger: Register = (program, context) => {
  const command = program
    .command('trigger')
    .description(
      'run a workflow once: plugins look at the input first, and what they refuse never reaches the platform',
    )
    .argument('<workflow>', 'name of the Workflow in git')
    .option('--platform <name>', 'Platform it is on, where there are several')
    .option('--input <json>', 'what it is given: JSON, @FILE, or - for standard input')
    .option('--entry <node>', 'which entry of the workflow to use, where it has several')
    .option('--wait', 'wait until the run has ended; ends with 3 when it failed')
    .addOption(outputOption);
  command.action(async (workflow: string, flags: TriggerFlags) => {
    const api = context.api(globalFlags(command));
    const input = inputOf(flags.input, context);
    const platform = await onePlatform(api, flags.platform);
    const path = `/platforms/${encodeURIComponent(platform)}`;
    const body = {
      ...(input === undefined ? {} : { input }),
      ...(flags.entry === undefined ? {} : { entry: flags.entry }),
    };
    const answer = TriggerAnswer.parse(
      await api('POST', `${path}/workflows/${encodeURIComponent(workflow)}/trigger`, body),
    );
    const run =
      flags.wait === true ? await ended(api, `${path}/executions/${answer.correlationId}`, context) : undefined;
    if (run?.status === 'failed') context.exit(EXIT.withheld);
    output(context, flags.output, run === undefined ? answer : { ...answer, execution: run }, () =>
      [
        `${workflow} on ${platform}: ${run === undefined ? answer.status : told(run)}, run ${answer.correlationId}`,
        ...(answer.answer === undefined
          ? []
          : [`It answered ${answer.answer.status}: ${JSON.stringify(answer.answer.body)}`]),
        ...(run === undefined ? [`See what became of it with "plumbline executions ${answer.correlationId}".`] : []),
      ].join('\n'),
    );
  });
};

/** How a run stands, in a few words. */
export function told({ status, startedAt, endedAt, error }: Execution): string {
  const took =
    startedAt === undefined || endedAt === undefined ? '' : ` in ${Date.parse(endedAt) - Date.parse(startedAt)} ms`;
  return `${status}${took}${error === undefined ? '' : ` (${error})`}`;
}

async function ended(api: RemoteApi, path: string, { signal }: Context): Promise<Execution> {
  const deadline = Date.now() + LONGEST;
  for (;;) {
    const run = ExecutionJson.parse(await api('GET', path));
    if (run.endedAt !== undefined || run.status === 'not-started' || Date.now() > deadline || signal.aborted)
      return run;
    await pause(LOOK_EVERY, undefined, { signal }).catch(() => undefined);
  }
}

/** @throws ReconcilerError 'never' when it is not JSON or cannot be read. */
export function inputOf(text: string | undefined, { environment }: Context): unknown {
  if (text === undefined) return undefined;
  const from = text === '-' ? STDIN : text.startsWith('@') ? resolve(environment.cwd, text.slice(1)) : undefined;
  try {
    return JSON.parse(from === undefined ? text : readFileSync(from, 'utf8'));
  } catch (error) {
    throw new ReconcilerError(`the input cannot be taken: ${messageOf(error)}`, 'never', {
      cause: error,
      remedy: `Write JSON such as '{"amount": 120}', @FILE, or - for standard input.`,
    });
  }
}
