import { createInterface } from 'node:readline/promises';
import { CommanderError } from 'commander';
import { ReconcilerError, messageOf } from '../errors.ts';
import { coloursFor, type Context } from './context.ts';
import { readEnvironment } from './environment.ts';
import { EXIT } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { openApi, openSession } from './session.ts';

/** Runs one command line and returns the exit code. Errors go to standard error, in one line with the remedy. */
export async function main(args: readonly string[]): Promise<number> {
  const environment = readEnvironment();
  const stop = new AbortController();
  const interrupted = () => stop.abort(new Error('interrupted'));
  process.once('SIGINT', interrupted);
  let code: number = EXIT.ok;
  const context: Context = {
    environment,
    colours: coloursFor(environment),
    signal: stop.signal,
    print: (text) => void process.stdout.write(`${text}\n`),
    remark: (text) => void process.stderr.write(`${text}\n`),
    exit: (wanted) => {
      code = wanted;
    },
    open: (flags) => openSession(flags, context),
    api: (flags) => openApi(flags),
    confirm,
  };
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.error;
    const remedy = error instanceof ReconcilerError ? (error.remedy ?? '') : '';
    context.remark(`${context.colours.red('error:')} ${messageOf(error)}${remedy === '' ? '' : `\n${remedy}`}`);
    return EXIT.error;
  } finally {
    process.off('SIGINT', interrupted);
  }
  return code;
}

async function confirm(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
