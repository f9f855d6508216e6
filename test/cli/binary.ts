import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const execute = promisify(execFile);
/** Compiled code of the binary, so that each start does not compile it anew. */
const COMPILED = join(tmpdir(), 'plumbline-test-compiled');

/** How one command ended, and what it said. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder in which a person works with the binary: nothing of the machine's environment but PATH comes along. */
export class Desk {
  readonly dir = mkdtempSync(join(tmpdir(), 'plumbline-cli-'));
  readonly environment: Record<string, string>;
  /** Everything that any command said. */
  said = '';

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.dir,
      NODE_COMPILE_CACHE: COMPILED,
      ...environment,
    };
  }

  /** Runs one command line to its end; it has no terminal. */
  async run(...args: readonly string[]): Promise<Ran> {
    const child = this.start(...args);
    const ran = await ended(child);
    this.said += ran.out + ran.err;
    return ran;
  }

  /** Runs one command line that reads this from standard input. */
  async feed(input: string, ...args: readonly string[]): Promise<Ran> {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...args], {
      cwd: this.dir,
      env: this.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(input);
    const ran = await ended(new Running(child));
    this.said += ran.out + ran.err;
    return ran;
  }

  /** Starts a command that goes on. */
  start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...args], {
      cwd: this.dir,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Running(child);
  }

  /** Runs one command and reads the JSON that it prints. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { out } = await this.run(...args, '-o', 'json');
    return JSON.parse(out) as T;
  }

  write(path: string, text: string): void {
    const file = join(this.dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** Commits everything in a folder, which becomes a repository the first time. */
  async commit(folder: string, message: string): Promise<void> {
    const git = (...args: readonly string[]) =>
      execute(
        'git',
        ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false', ...args],
        {
          cwd: join(this.dir, folder),
        },
      );
    await git('init', '--quiet', '--initial-branch=main');
    await git('add', '--all');
    await git('commit', '--quiet', '--message', message);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A process that is under way. */
export class Running {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly #exit: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.#exit = new Promise((resolve) => {
      child.once('close', (code) => resolve(code));
    });
  }

  exit(): Promise<number | null> {
    return this.#exit;
  }

  /** Polls until a condition holds. @throws what the process said, when it ends or 60 s pass before. */
  async until<T>(what: string, condition: () => Promise<T | false | undefined> | T | false | undefined): Promise<T> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const value = await condition();
      if (value !== false && value !== undefined) return value;
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`never ${what}; it said:\n${this.out}\n${this.err}`);
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }
}

async function ended(running: Running): Promise<Ran> {
  const code = await running.exit();
  return { code, out: running.out, err: running.err };
}
