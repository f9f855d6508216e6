import { ReconcilerError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import { openFolder, type PluginPlace } from './folder.ts';
import { pluginError, wordsOf } from './plugin-error.ts';
import { PluginProcess, type ProcessOptions } from './plugin-process.ts';
import { Restarts } from './restarts.ts';

/** Calls that may wait for a process, and milliseconds that one waits at most. */
const MOST_WAITING = 200;
const LONGEST_WAIT = 30_000;

export interface PoolOptions extends Omit<ProcessOptions, 'name' | 'folder'> {
  readonly place: PluginPlace;
  /** Processes that are kept at most; each runs one call at a time. */
  readonly processes: number;
  /** Milliseconds of a clock that only goes forward; the runtime's own when absent. */
  readonly now?: () => number;
}

/** What a plugin said to one call. */
export type Verdict = { readonly result: JsonValue } | { readonly refused: string };

interface Call {
  readonly context: string;
  readonly reply: 'context' | 'refusals';
  readonly signal: AbortSignal;
  readonly resolve: (line: JsonObject) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The processes of one plugin: started when they are needed, kept warm, replaced when a call ends one. Every call gets its
 * own verdict or error; a call that ends its process ends no other call.
 */
export class PluginPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #restarts: Restarts;
  readonly #live = new Set<PluginProcess>();
  readonly #idle: PluginProcess[] = [];
  readonly #starts = new Set<Promise<void>>();
  readonly #waiting = new Set<Call>();
  readonly #calls = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#restarts = new Restarts(options.now ?? (() => performance.now()));
  }

  /** Process ids, for whoever has to account for them. */
  get pids(): readonly number[] {
    return [...this.#live].flatMap(({ pid }) => pid ?? []);
  }

  /** Has one process ready, so that the first call need not wait for it. Never throws: a call will say what is wrong. */
  async warm(): Promise<void> {
    if (this.#live.size === 0 && this.#starts.size === 0 && this.#restarts.pause === 0) this.#start();
    await Promise.all(this.#starts);
  }

  /**
   * Runs `execute(context)` of the plugin. Aborting ends the process it runs in.
   * @throws ReconcilerError with a code of `PluginErrorCode`, or the signal's reason.
   */
  execute(context: JsonObject, reply: 'context' | 'refusals', signal: AbortSignal): Promise<Verdict> {
    const call = this.#verdict(JSON.stringify(context), reply, signal);
    this.#calls.add(call);
    const forget = () => this.#calls.delete(call);
    call.then(forget, forget);
    return call;
  }

  /** Lets what is under way come to its end, then stops. */
  async retire(): Promise<void> {
    await Promise.allSettled(this.#calls);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { name } = this.#options.place;
    this.#stop.abort();
    this.#refuseWaiting(pluginError(name, 'plugin-stopped', 'was stopped'));
    for (const one of this.#live) one.kill();
    await Promise.all(this.#starts);
    await Promise.all([...this.#live].map(({ closed }) => closed));
  }

  async #verdict(context: string, reply: Call['reply'], signal: AbortSignal): Promise<Verdict> {
    const { place, redact } = this.#options;
    const line = await this.#enqueue(context, reply, signal);
    if (typeof line['refused'] === 'string') return { refused: wordsOf(redact(line['refused'])) };
    if (typeof line['fault'] === 'string')
      throw pluginError(place.name, 'plugin-failed', `failed: ${wordsOf(redact(line['fault']))}`);
    if (line['result'] === undefined)
      throw pluginError(place.name, 'plugin-malformed', 'gave an answer without a result');
    return { result: line['result'] };
  }

  async #enqueue(context: string, reply: Call['reply'], signal: AbortSignal): Promise<JsonObject> {
    const { name } = this.#options.place;
    signal.throwIfAborted();
    if (this.#stop.signal.aborted) throw pluginError(name, 'plugin-stopped', 'was stopped');
    if (this.#waiting.size >= MOST_WAITING)
      throw pluginError(name, 'plugin-busy', `has ${MOST_WAITING} calls waiting already`);
    const { resolve, reject, promise } = Promise.withResolvers<JsonObject>();
    const call: Call = { context, reply, signal, resolve, reject };
    const tooLong = () => reject(pluginError(name, 'plugin-busy', `had no process free for ${LONGEST_WAIT / 1000} s`));
    const timer = setTimeout(() => this.#waiting.has(call) && tooLong(), LONGEST_WAIT);
    const aborted = () => this.#waiting.has(call) && reject(signal.reason);
    signal.addEventListener('abort', aborted);
    this.#waiting.add(call);
    this.#pump();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      this.#waiting.delete(call);
    }
  }

  /** Gives waiting calls to processes that are free, and starts more where there are too few. */
  #pump(): void {
    for (const call of this.#waiting) {
      const process = this.#free();
      if (process === undefined) break;
      this.#waiting.delete(call);
      void this.#run(process, call);
    }
    const { processes, place } = this.#options;
    const { pause, failures } = this.#restarts;
    if (pause > 0 && this.#live.size + this.#starts.size === 0) {
      const what = `failed ${failures} times in a row and is asked again in ${Math.ceil(pause / 1000)} s`;
      this.#refuseWaiting(pluginError(place.name, 'plugin-failed', what, pause));
    }
    if (pause > 0) return;
    while (this.#waiting.size > this.#starts.size && this.#live.size + this.#starts.size < processes) this.#start();
  }

  #refuseWaiting(error: unknown): void {
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      call.reject(error);
    }
  }

  #free(): PluginProcess | undefined {
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop()) if (one.end === undefined) return one;
    return undefined;
  }

  async #run(process: PluginProcess, { context, reply, signal, resolve, reject }: Call): Promise<void> {
    const kill = () => process.kill();
    signal.addEventListener('abort', kill);
    try {
      resolve(await process.call(context, reply));
      this.#restarts.succeeded();
      this.#idle.push(process);
    } catch (error) {
      if (signal.aborted) reject(signal.reason);
      else {
        this.#restarts.failed();
        reject(error);
      }
    } finally {
      signal.removeEventListener('abort', kill);
      this.#pump();
    }
  }

  #start(): void {
    const start = this.#startOne().then(() => {
      this.#starts.delete(start);
      this.#pump();
    });
    this.#starts.add(start);
  }

  async #startOne(): Promise<void> {
    const { place, limits, redact, onLine } = this.#options;
    try {
      const folder = await openFolder(place);
      const process = await PluginProcess.start(
        { name: place.name, folder, limits, redact, onLine },
        this.#stop.signal,
      );
      if (this.#stop.signal.aborted) process.kill();
      this.#live.add(process);
      this.#idle.push(process);
      void process.closed.then(() => this.#gone(process));
    } catch (error) {
      if (!(error instanceof ReconcilerError) || error.code !== 'plugin-stopped') this.#restarts.failed();
      // What cannot be started now could not be started for the others that wait either.
      if (this.#live.size === 0) this.#refuseWaiting(error);
    }
  }

  /** A process that ends between two calls failed too: it would do so again. */
  #gone(process: PluginProcess): void {
    this.#live.delete(process);
    const at = this.#idle.indexOf(process);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#restarts.failed();
    }
    this.#pump();
  }
}
