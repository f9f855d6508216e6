import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
import { urlOf } from './address.ts';
import type { OperationName, Operations } from './operations.ts';

/** What a running daemon tells of itself in `<state-dir>/daemon.json`. */
const DaemonFile = z.object({
  pid: z.int(),
  host: z.string(),
  port: z.int(),
  address: z.string(),
  startedAt: z.string(),
});
export type DaemonFile = z.infer<typeof DaemonFile>;

export const DAEMON_FILE = 'daemon.json';
export const TOKEN_FILE = 'token';

const ErrorAnswer = z.object({
  error: z.object({
    message: z.string(),
    retry: z.enum(['backoff', 'replan', 'never']).default('never'),
    code: z.string().optional(),
    remedy: z.string().optional(),
  }),
});

/** What the daemon of this state directory told of itself; undefined when there is none, or none any more. */
export function daemonOf(stateDir: string): DaemonFile | undefined {
  try {
    const told = DaemonFile.parse(JSON.parse(readFileSync(join(stateDir, DAEMON_FILE), 'utf8')));
    process.kill(told.pid, 0);
    return told;
  } catch {
    return undefined;
  }
}

/**
 * The operations of a running daemon, over HTTP with the token of its state directory. Ask for them only while the
 * state directory is locked: else the address may belong to somebody else by now.
 * @throws ReconcilerError 'backoff' (`daemon-unreachable`) when there is no daemon or its token cannot be read.
 */
export function remoteOperations(stateDir: string): Operations {
  const daemon = daemonOf(stateDir);
  if (daemon === undefined) throw unreachable(stateDir, undefined);
  const call = caller(daemon, tokenOf(stateDir));
  const operation = <Name extends OperationName>(name: Name): Operations[Name] =>
    // One function serves all: name and result travel as JSON, and the daemon checks the arguments.
    ((args: unknown) => call(name, args)) as Operations[Name];
  return {
    status: operation('status'),
    check: operation('check'),
    plan: operation('plan'),
    apply: operation('apply'),
    reconcile: operation('reconcile'),
    accept: operation('accept'),
    suspend: operation('suspend'),
    resume: operation('resume'),
    release: operation('release'),
    restore: operation('restore'),
    history: operation('history'),
    events: operation('events'),
    export: operation('export'),
    tree: operation('tree'),
    archived: operation('archived'),
  };
}

function tokenOf(stateDir: string): string {
  try {
    return readFileSync(join(stateDir, TOKEN_FILE), 'utf8').trim();
  } catch (error) {
    throw unreachable(stateDir, error);
  }
}

function caller(daemon: DaemonFile, token: string): (name: OperationName, args: unknown) => Promise<unknown> {
  return async (name, args) => {
    const { statusCode, text } = await post(`${urlOf(daemon)}/api/v1/operations/${name}`, token, args).catch(
      (error: unknown) => {
        throw unreachable(daemon.address, error);
      },
    );
    const answer = parsed(text);
    if (statusCode === 200 && typeof answer === 'object' && answer !== null && 'result' in answer) return answer.result;
    const refused = ErrorAnswer.safeParse(answer);
    if (!refused.success) throw unreachable(daemon.address, new Error(`status ${statusCode}`));
    const { message, retry, code, remedy } = refused.data.error;
    throw new ReconcilerError(message, retry, {
      ...(code === undefined ? {} : { code }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
}

async function post(
  url: string,
  token: string,
  args: unknown,
): Promise<{ readonly statusCode: number; readonly text: string }> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(args ?? {}),
    // The daemon has its own time limit on a pass; its answer comes when the pass has ended.
    headersTimeout: 0,
    bodyTimeout: 60_000,
  });
  return { statusCode, text: await body.text() };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(where: string, cause: unknown): ReconcilerError {
  return new ReconcilerError(`No plumbline daemon answers for ${where}.`, 'backoff', {
    cause,
    code: 'daemon-unreachable',
    remedy: 'Start it with `plumbline start`, or name its state directory with --state-dir.',
  });
}
