import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A temporary folder that goes away with `await using`. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'plumbline-source-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A real repository with a work tree, as a person would have it. */
export class Repository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async create(path: string): Promise<Repository> {
    await mkdir(path, { recursive: true });
    const repository = new Repository(path);
    await repository.git('init', '--quiet', '--initial-branch=main');
    await repository.git('config', 'user.name', 'Ada Example');
    await repository.git('config', 'user.email', 'ada@example.com');
    await repository.git('config', 'uploadpack.allowFilter', 'true');
    return repository;
  }

  async git(...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH ?? '', HOME: this.path, GIT_CONFIG_NOSYSTEM: '1' };
    const { stdout } = await run('git', args, { cwd: this.path, env, maxBuffer: 1e8 });
    return stdout.trim();
  }

  async write(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.path, path)), { recursive: true });
      await writeFile(join(this.path, path), text);
    }
  }

  /** Writes files, commits everything, and answers with the commit's id. */
  async commit(files: Readonly<Record<string, string | Buffer>>, subject = 'Change'): Promise<string> {
    await this.write(files);
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--allow-empty', '-m', subject);
    return this.git('rev-parse', 'HEAD');
  }
}

export interface GitServer extends AsyncDisposable {
  readonly origin: string;
  /** What was asked for: method, path with query, authorization header. */
  readonly requests: { readonly method: string; readonly url: string; readonly authorization: string | undefined }[];
  /** Takes over a request when it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Smart HTTP by git's own http-backend (git-http-backend(1)) over every repository below `root`. */
export async function serveGit(root: string, password?: () => string): Promise<GitServer> {
  const requests: GitServer['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization,
    });
    if (served.intercept(request, response)) return;
    const given = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
    if (password !== undefined && given.slice(given.indexOf(':') + 1) !== password()) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    answer(root, request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const served: GitServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    intercept: () => false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return served;
}

function answer(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const cgi = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: root,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method ?? '',
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  cgi.stdin.on('error', () => undefined);
  request.pipe(cgi.stdin);
  let head: Buffer | undefined = Buffer.alloc(0);
  cgi.stdout.on('data', (chunk: Buffer) => {
    if (head === undefined) {
      response.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const headers = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(/: (.*)/) as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
    response.writeHead(
      Number.parseInt(status, 10),
      headers
        .filter(([name]) => name !== 'Status')
        .map(([name, value]) => [name, value])
        .flat(),
    );
    response.write(head.subarray(end + 4));
    head = undefined;
  });
  cgi.stdout.on('end', () => response.end());
}

/** Waits until `condition` holds; fails after `deadline` milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, deadline = 5_000): Promise<void> {
  const end = Date.now() + deadline;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The error that `work` ends with. */
export async function failure(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error('something that is no error was thrown', { cause: error });
  }
  throw new Error('it was expected to fail');
}
