import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a push did to a branch or tag. Object ids; all zeros for a ref that was not there, or is gone. */
export interface Push {
  /** Name of the repository below the server. */
  readonly repo: string;
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

/** A git host of one's own, on loopback: bare repositories, smart HTTP, pushes allowed for everybody. */
export interface GitServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`; a repository is cloned from `${url}/name.git`. */
  readonly url: string;
  /** Folder that holds the repositories. */
  readonly path: string;
  /** Makes an empty bare repository with the branch `main`. @returns its URL. */
  create(name: string): Promise<string>;
  /** Resolves when every callback of pushes so far has ended; rejects with what one of them threw. */
  settled(): Promise<void>;
}

const ZERO = '0'.repeat(40);

/**
 * Starts the server. As a git host does with its webhooks, it calls `onPush` once for each ref that a push moved: after the
 * ref stands, and without keeping the pusher waiting for its end.
 */
export async function startGitServer(onPush: (push: Push) => Promise<void> = async () => {}): Promise<GitServer> {
  const path = await mkdtemp(join(tmpdir(), 'plumbline-git-server-'));
  const callbacks: Promise<void>[] = [];
  const server = createServer((request, response) => {
    serve(path, request, response, (push) => callbacks.push(onPush(push))).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    path,
    create: async (name) => {
      const repository = join(path, `${name}.git`);
      await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository]);
      await run('git', ['-C', repository, 'config', 'http.receivepack', 'true']);
      await run('git', ['-C', repository, 'config', 'uploadpack.allowFilter', 'true']);
      return `${url}/${name}.git`;
    },
    settled: async () => void (await Promise.all(callbacks)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.allSettled(callbacks);
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function serve(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  onPush: (push: Push) => void,
): Promise<void> {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const [, name] = /^\/([\w-]+)\.git\/git-receive-pack$/.exec(path) ?? [];
  const repository = name === undefined ? undefined : join(root, `${name}.git`);
  const before = repository === undefined ? undefined : await refsOf(repository);
  await backend(root, { path, query, request, response });
  if (name !== undefined && repository !== undefined && before !== undefined) {
    const after = await refsOf(repository);
    for (const ref of new Set([...before.keys(), ...after.keys()])) {
      const [was, is] = [before.get(ref) ?? ZERO, after.get(ref) ?? ZERO];
      if (was !== is) onPush({ repo: name, ref, before: was, after: is });
    }
  }
  // Only now: who has pushed finds the callback begun.
  response.end();
}

async function refsOf(repository: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run('git', ['-C', repository, 'for-each-ref', '--format=%(refname) %(objectname)']);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => line.split(' ') as [string, string]));
}

/** One request by git's own CGI program (git-http-backend(1)); resolves when it has ended. */
async function backend(
  root: string,
  {
    path,
    query,
    request,
    response,
  }: { path: string; query: string; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const cgi = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH ?? '',
      HOME: root,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_ADDR: '127.0.0.1',
      REQUEST_METHOD: request.method ?? '',
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-length'] !== undefined && { CONTENT_LENGTH: request.headers['content-length'] }),
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  const ended = new Promise<void>((resolve, reject) => {
    cgi.once('error', reject);
    cgi.once('close', () => resolve());
  });
  // A program that answers early hangs up on the rest of the body.
  cgi.stdin.on('error', () => undefined);
  request.pipe(cgi.stdin);
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of cgi.stdout as AsyncIterable<Buffer>) {
    if (head === undefined) {
      response.write(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    begin(response, head.subarray(0, end).toString());
    response.write(head.subarray(end + 4));
    head = undefined;
  }
  await ended;
}

function begin(response: ServerResponse, head: string): void {
  const headers = head.split('\r\n').map((line) => line.split(/: (.*)/) as [string, string]);
  const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
  for (const [name, value] of headers) if (name !== 'Status') response.setHeader(name, value);
  response.writeHead(Number.parseInt(status, 10));
}
