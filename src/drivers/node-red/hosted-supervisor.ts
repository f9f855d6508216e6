import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReconcilerError, messageOf } from '../../errors.ts';
import { HOSTED_USER, type HostedFiles, instanceOf, writePrivately } from './hosted-files.ts';
import { type LogEntry, parseLogLine } from './hosted-log.ts';
import { askChild, freePort } from './hosted-process.ts';

/** Message constants with fields, as everywhere; `text` is what Node-RED said, without our secrets. */
type HostedLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export interface HostedOptions {
  readonly stateDir: string;
  /** Platform's name: one directory each below the state directory. */
  readonly name: string;
  /** Wanted port; another one is taken when it is busy. Default 1880. */
  readonly port?: number;
  readonly log: HostedLog;
  /** Stops the start, and later the Node-RED. */
  readonly signal: AbortSignal;
}

/** The end of one process of the hosted Node-RED, and what follows. */
export interface HostedExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds until it is started again; undefined after `stop`. */
  readonly restartIn: number | undefined;
}

/** A Node-RED that Plumbline runs itself. `url` and `pid` may change when it has to be started again. */
export interface HostedNodeRed extends AsyncDisposable {
  readonly url: string;
  readonly username: string;
  password(): string;
  /** Identity of its user directory, as the add-on reports it. */
  readonly instance: string;
  readonly pid: number;
  onExit(listener: (exit: HostedExit) => void): void;
  stop(): Promise<void>;
}

/** Milliseconds: how long a start may take, how long a stop may, and the pauses between restarts. */
const TIMES = { ready: 60_000, stop: 10_000, firstPause: 500, longestPause: 30_000, stable: 60_000 };

/** One hosted Node-RED over its processes: starts, watches, starts again. */
export class Supervisor implements HostedNodeRed {
  readonly username = HOSTED_USER;
  readonly #options: HostedOptions;
  readonly #files: HostedFiles;
  readonly #program: string;
  readonly #ended = new AbortController();
  readonly #listeners: ((exit: HostedExit) => void)[] = [];
  #child: ChildProcess | undefined;
  #port: number;
  #pause = TIMES.firstPause;
  #lastWords: string[] = [];
  #instance = '';

  constructor(options: HostedOptions, files: HostedFiles, program: string) {
    this.#options = options;
    this.#files = files;
    this.#program = program;
    this.#port = options.port ?? 1880;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get instance(): string {
    return this.#instance;
  }

  password(): string {
    return this.#files.password;
  }

  onExit(listener: (exit: HostedExit) => void): void {
    this.#listeners.push(listener);
  }

  /** Starts the first process and waits until it has loaded its flows. */
  async start(): Promise<void> {
    const { signal } = this.#options;
    const stop = (): void => void this.stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#ended.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true });
    try {
      signal.throwIfAborted();
      await this.#launch();
    } catch (error) {
      await this.stop();
      throw error instanceof ReconcilerError ? error : this.#failure(messageOf(error));
    }
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), TIMES.stop);
      await gone;
      clearTimeout(force);
    }
    rmSync(this.#files.process, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** One process, up to the moment at which it is ready. A port that somebody takes in between costs another try. */
  async #launch(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const wanted = this.#port;
      this.#port = await freePort(wanted);
      if (this.#port !== wanted) {
        this.#options.log('warn', 'The port is busy; the hosted Node-RED takes another one', {
          wanted,
          taken: this.#port,
        });
      }
      const nonce = randomBytes(32).toString('hex');
      const child = this.#spawn(nonce);
      if (await this.#untilReady(child, nonce)) break;
      if (attempt === 5 || !this.#lastWords.some((line) => /port in use|EADDRINUSE/i.test(line))) {
        throw this.#failure('it ended before it was ready');
      }
    }
    this.#instance = instanceOf(this.#files.userDir);
    this.#options.log('info', 'Hosted Node-RED is ready', { url: this.url, pid: this.pid });
    const { pid } = this;
    this.#child?.once('exit', (code, signal) => this.#exited(code, signal));
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null)
      throw this.#failure(`process ${pid} ended at once`);
  }

  #spawn(nonce: string): ChildProcess {
    const { userDir, settings } = this.#files;
    // The title keeps the user directory visible in the process list: that is how a leftover is recognised.
    const title = `plumbline-node-red ${userDir}`;
    const args = [
      this.#program,
      '--userDir',
      userDir,
      '--settings',
      settings,
      '--port',
      String(this.#port),
      '--title',
      title,
    ];
    const child = spawn(process.execPath, args, {
      cwd: userDir,
      env: { HOME: userDir },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#lastWords = [];
    child.on('error', (error) =>
      this.#options.log('error', 'Hosted Node-RED cannot be started', { error: messageOf(error) }),
    );
    child.stdin.on('error', () => undefined);
    child.stdin.write(`${nonce}\n`);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#say(line, nonce));
    }
    if (child.pid !== undefined)
      writePrivately(this.#files.process, JSON.stringify({ pid: child.pid, parent: process.pid }));
    return child;
  }

  /** @returns false when the process ended instead. */
  async #untilReady(child: ChildProcess, nonce: string): Promise<boolean> {
    const deadline = Date.now() + TIMES.ready;
    const { signal } = this.#ended;
    while (Date.now() < deadline) {
      signal.throwIfAborted();
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return false;
      if ((await askChild(this.#port, nonce, signal)) === 'ready') return true;
      await sleep(50, undefined, { signal });
    }
    child.kill('SIGKILL');
    throw this.#failure(`it was not ready after ${TIMES.ready / 1000} s`);
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    const restartIn = this.#ended.signal.aborted ? undefined : this.#pause;
    for (const listener of this.#listeners) listener({ code, signal, restartIn });
    if (restartIn === undefined) return;
    this.#options.log('warn', 'Hosted Node-RED ended and is started again', { code, signal, restartIn });
    this.#pause = Math.min(this.#pause * 2, TIMES.longestPause);
    void this.#restart(restartIn);
  }

  async #restart(pause: number): Promise<void> {
    const { signal } = this.#ended;
    try {
      await sleep(pause, undefined, { signal });
      await this.#launch();
      await sleep(TIMES.stable, undefined, { signal, ref: false });
      this.#pause = TIMES.firstPause;
    } catch (error) {
      if (signal.aborted) return;
      this.#options.log('error', 'Hosted Node-RED did not start again', { error: messageOf(error) });
      const { exitCode = null, signalCode = null } = this.#child ?? {};
      this.#exited(exitCode, signalCode);
    }
  }

  #say(line: string, nonce: string): void {
    const { password, credentialSecret } = this.#files;
    const clean = [password, credentialSecret, nonce].reduce((text, secret) => text.replaceAll(secret, '***'), line);
    const entry: LogEntry = parseLogLine(clean);
    this.#lastWords = [...this.#lastWords.slice(-9), entry.text];
    const { level, ...fields } = entry;
    this.#options.log(level, 'Node-RED says', fields);
  }

  #failure(what: string): ReconcilerError {
    const words = this.#lastWords
      .filter((line) => line !== '')
      .slice(-3)
      .join(' | ');
    return new ReconcilerError(
      `The hosted Node-RED did not start: ${what}${words === '' ? '' : ` (${words})`}.`,
      'backoff',
      {
        code: 'hosted-start',
        remedy: `Look at ${join(this.#files.userDir, 'settings.js')} and at what Node-RED said in the log.`,
      },
    );
  }
}
