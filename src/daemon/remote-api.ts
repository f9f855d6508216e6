import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { z } from 'zod';
import { ReconcilerError } from '../errors.ts';
import { urlOf } from './address.ts';

/** What a running daemon tells of itself in `<state-dir>/daemon.json`. */
const DaemonFile = z.object({
  pid: z.int(),
  host: z.string(),
  port: z.int(),
  address: z.string(),
  /** Where git pushes and events of platforms go. */
  hooks: z.string(),
  /** The token of its API is in this file. */
  tokenFile: z.string(),
  startedAt: z.string(),
});
export type DaemonFile = z.infer<typeof DaemonFile>;

export const DAEMON_FILE = 'daemon.json';

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

/** Calls the API of a daemon: a path below /api/v1. @throws ReconcilerError that the daemon answered, or `daemon-unreachable` */
export type RemoteApi = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<unknown>;

/**
 * The API of a running daemon, with the token of its state directory. Ask for it only while the state directory is locked:
 * else the address may belong to somebody else by now.
 * @throws ReconcilerError 'backoff' (`daemon-unreachable`) when there is no daemon or its token cannot be read.
 */
export function remoteApi(stateDir: string): RemoteApi {
  const daemon = daemonOf(stateDir);
  if (daemon === undefined) throw unreachable(stateDir, undefined);
  const token = tokenOf(daemon.tokenFile);
  return async (method, path, body) => {
    const { statusCode, text } = await send(`${urlOf(daemon)}/api/v1${path}`, { method, token, body }).catch(
      (error: unknown) => {
        throw unreachable(daemon.address, error);
      },
    );
    if (statusCode === 204) return undefined;
    const answer = parsed(text);
    if (statusCode >= 200 && statusCode < 300 && answer !== undefined) return answer;
    const refused = ErrorAnswer.safeParse(answer);
    if (!refused.success) throw unreachable(daemon.address, new Error(`status ${statusCode}`));
    const { message, retry, code, remedy } = refused.data.error;
    throw new ReconcilerError(message, retry, {
      ...(code === undefined ? {} : { code }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  };
}

function tokenOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw unreachable(file, error);
  }
}

async function send(
  url: string,
  {
    method,
    token,
    body,
  }: { readonly method: 'GET' | 'POST' | 'DELETE'; readonly token: string; readonly body: unknown },
): Promise<{ readonly statusCode: number; readonly text: string }> {
  const answer = await request(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    // The daemon has its own time limit on a pass; its answer comes when the pass has ended.
    headersTimeout: 0,
    bodyTimeout: 60_000,
  });
  return { statusCode: answer.statusCode, text: await answer.body.text() };
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
