import { pathToFileURL } from 'node:url';
import { messageOf, ReconcilerError } from '../errors.ts';
import { formatDuration } from '../manifest/duration.ts';
import type { JsonObject } from '../manifest/manifest.ts';
import { readLine } from './answer.ts';
import { hold, spawnChild, type Child } from './command.ts';
import type { PluginFolder } from './folder.ts';
import { pluginError, wordsOf, type PluginErrorCode } from './plugin-error.ts';
import { Printed } from './printed.ts';
import { residentSize, ResidentWatch } from './resident.ts';

/** Milliseconds until a process stands and has loaded its plugin. */
const START = 20_000;
const MIB = 1024 * 1024;
/** What the runtime may need beyond its size at the start, while it collects garbage. */
const SLACK = 24 * MIB;

export interface ProcessOptions {
  readonly name: string;
  readonly folder: PluginFolder;
  readonly limits: {
    /** Milliseconds for one call. */
    readonly timeout: number;
    /** MiB beyond what the runtime itself takes. */
    readonly memory: number;
    /** KiB that one call may answer, and print. */
    readonly output: number;
  };
  readonly redact: (text: string) => string;
  readonly onLine: (line: string) => void;
}

interface Waiting {
  readonly resolve: (line: JsonObject) => void;
  readonly reject: (error: ReconcilerError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One child process that has loaded a plugin. One message goes in, one line comes out; whatever else it does ends it, and
 * the call that ran. It does not outlive this process, even when that is killed.
 */
export class PluginProcess {
  readonly #options: ProcessOptions;
  readonly #child: Child;
  readonly #printed: Printed;
  readonly #closed = Promise.withResolvers<void>();
  #watch: ResidentWatch | undefined;
  #waiting: Waiting | undefined;
  #parts: Buffer[] = [];
  #size = 0;
  #calls = 0;
  #end: ReconcilerError | undefined;

  /** Use `PluginProcess.start`. */
  private constructor(options: ProcessOptions) {
    this.#options = options;
    const { folder, limits, redact, onLine } = options;
    const excess = () => this.#fail('plugin-output', `printed more than ${limits.output} KiB in one call`);
    this.#printed = new Printed({ limit: limits.output * 1024, redact, onLine, onExcess: excess });
    this.#child = spawnChild(folder, limits.memory);
    this.#connect();
  }

  /** Aborting kills it. @throws ReconcilerError `plugin-load`, and whatever else can end a process. */
  static async start(options: ProcessOptions, signal: AbortSignal): Promise<PluginProcess> {
    let one: PluginProcess | undefined;
    const stop = (): void => one?.kill();
    signal.addEventListener('abort', stop);
    try {
      one = new PluginProcess(options);
      const { root, entry } = options.folder;
      one.#judge(await one.#exchange(undefined, START), 'started');
      one.#limitMemory();
      const load = { folder: `${pathToFileURL(root).href}/`, entry: pathToFileURL(entry).href };
      one.#judge(await one.#exchange(load, START), 'ready');
      one.#watch?.look(false);
      return one;
    } catch (error) {
      one?.kill();
      if (error instanceof ReconcilerError) throw error;
      throw pluginError(options.name, 'plugin-crashed', `could not be started: ${messageOf(error)}`);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Why it cannot be asked any more; undefined while it can. */
  get end(): ReconcilerError | undefined {
    return this.#end;
  }

  /** Settles when the process is gone and all that it printed was passed on. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get pid(): number | undefined {
    return this.#child.process.pid;
  }

  /**
   * Runs one call.
   * @param context JSON text
   * @param reply what travels back: the resulting context, or only its `refusals`
   * @returns the line it answered: `result`, `refused` or `fault`
   * @throws ReconcilerError with a code of `PluginErrorCode`; the process is dead then.
   */
  async call(context: string, reply: 'context' | 'refusals'): Promise<JsonObject> {
    const id = (this.#calls += 1);
    this.#printed.reset();
    this.#watch?.look(true);
    const line = await this.#exchange(
      `{"id":${id},"reply":"${reply}","context":${context}}`,
      this.#options.limits.timeout,
    );
    this.#watch?.look(false);
    if (line['id'] !== id) throw this.#fail('plugin-malformed', 'answered a call that was not the one it was asked');
    return line;
  }

  kill(): void {
    this.#fail('plugin-stopped', 'was stopped');
  }

  #connect(): void {
    const { process: child, printed, requests, answers, alive } = this.#child;
    for (const stream of printed) stream.on('data', (chunk: Buffer) => this.#printed.add(chunk));
    answers.on('data', (chunk: Buffer) => this.#read(chunk));
    // Either it is dying already, or it closed the line itself; what it was is told once it is gone.
    answers.once('end', () => child.kill('SIGKILL'));
    child.once('error', (error) => {
      this.#fail('plugin-crashed', `could not be started: ${error.message}`);
      if (child.pid === undefined) this.#closed.resolve();
    });
    child.once('exit', () => {
      requests.destroy();
      alive.destroy();
    });
    child.once('close', (code, signal) => {
      this.#fail(...this.#causeOfDeath(code, signal));
      this.#watch?.stop();
      this.#printed.flush();
      this.#closed.resolve();
    });
    // A call under way has a timer that keeps the daemon from ending, and so has a start.
    hold(this.#child, false);
  }

  #causeOfDeath(code: number | null, signal: NodeJS.Signals | null): [PluginErrorCode, string] {
    // V8 gives up with these words when its heap is full.
    if (/heap out of memory|Zone Allocation failed/i.test(this.#printed.tail)) return this.#tooMuchMemory();
    return ['plugin-crashed', `ended its process (${signal ?? `exit code ${String(code)}`})`];
  }

  #tooMuchMemory(): [PluginErrorCode, string] {
    return ['plugin-memory', `used more than ${this.#options.limits.memory} MiB of memory`];
  }

  /** The runtime's own size is known before the plugin is loaded; what comes on top of it is the plugin's. */
  #limitMemory(): void {
    const { pid } = this.#child.process;
    const own = pid === undefined ? undefined : residentSize(pid);
    if (pid === undefined || own === undefined) return;
    this.#watch = new ResidentWatch(pid, {
      memory: own + this.#options.limits.memory * MIB + SLACK,
      onMemory: () => this.#fail(...this.#tooMuchMemory()),
      onRestless: () => this.#fail('plugin-crashed', 'went on working when its call was over'),
    });
    this.#watch.look(true);
  }

  #judge(line: JsonObject, expected: 'started' | 'ready'): void {
    if (line[expected] === true) return;
    const { failed } = line;
    if (typeof failed !== 'string') throw this.#fail('plugin-malformed', 'spoke before it was loaded');
    throw this.#fail('plugin-load', `cannot be loaded: ${wordsOf(this.#options.redact(failed))}`);
  }

  #exchange(message: string | object | undefined, limit: number): Promise<JsonObject> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const { resolve, reject, promise } = Promise.withResolvers<JsonObject>();
    // An answer that lies there already counts, even when this process was too busy to read it in time.
    const late = () => setImmediate(() => this.#waiting === waiting && this.#fail('plugin-timeout', tooLate(limit)));
    const waiting: Waiting = { resolve, reject, timer: setTimeout(late, limit) };
    this.#waiting = waiting;
    if (message !== undefined) {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      this.#child.requests.write(`${text}\n`);
    }
    return promise;
  }

  #read(chunk: Buffer): void {
    const { output } = this.#options.limits;
    let rest = chunk;
    while (this.#end === undefined && rest.length > 0) {
      const end = rest.indexOf(10);
      const part = end < 0 ? rest : rest.subarray(0, end);
      this.#size += part.length;
      if (this.#size > output * 1024) this.#fail('plugin-output', `answered more than ${output} KiB`);
      this.#parts.push(part);
      if (end < 0) return;
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#size = 0;
      rest = rest.subarray(end + 1);
      if (this.#end === undefined) this.#take(line);
    }
  }

  #take(text: Buffer): void {
    const line = readLine(text);
    if (!line.ok) this.#fail('plugin-malformed', `gave an answer that ${line.because}`);
    else if (typeof line.value['exited'] === 'number')
      this.#fail('plugin-crashed', `ended its process (exit code ${line.value['exited']})`);
    else if (this.#waiting === undefined) this.#fail('plugin-malformed', 'said something that it was not asked');
    else this.#settle()?.resolve(line.value);
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    clearTimeout(waiting?.timer);
    this.#waiting = undefined;
    return waiting;
  }

  /** Ends the process for its first failure; later ones change nothing. */
  #fail(code: PluginErrorCode, what: string): ReconcilerError {
    if (this.#end !== undefined) return this.#end;
    const error = pluginError(this.#options.name, code, what);
    this.#end = error;
    this.#child.process.kill('SIGKILL');
    // So that whoever waits for its end gets there.
    hold(this.#child, true);
    this.#watch?.stop();
    this.#parts = [];
    this.#settle()?.reject(error);
    return error;
  }
}

function tooLate(milliseconds: number): string {
  return `did not answer within ${formatDuration(milliseconds)}`;
}
