import { Worker } from 'node:worker_threads';
import { ReconcilerError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../manifest/manifest.ts';
import type { CheckAnswer, CheckRequest } from './check-worker.ts';

/** Beside this file, in whichever form it is: as it is written, or compiled. */
const WORKER = new URL(`check-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url);

/** Milliseconds that the records of one page may take to be checked. */
const LONGEST = 15_000;

/** Holds records against a JSON Schema; neither a slow pattern nor a deep record harms anybody else. */
export class RecordCheck {
  readonly #limit: number;

  /** @param limit milliseconds for one page */
  constructor(limit = LONGEST) {
    this.#limit = limit;
  }

  /** Why a schema cannot be used; undefined when it can. */
  async flawOf(schema: JsonObject, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#ask({ schema, records: [] }, signal);
    return 'unusable' in answer ? answer.unusable : undefined;
  }

  /**
   * For each record why it breaks the schema; undefined where it does not.
   * @throws ReconcilerError 'never' (`schema-unusable`, `schema-slow`)
   */
  async flaws(
    schema: JsonObject,
    records: readonly JsonValue[],
    signal: AbortSignal,
  ): Promise<readonly (string | undefined)[]> {
    if (records.length === 0) return [];
    const answer = await this.#ask({ schema, records }, signal);
    if ('flaws' in answer) return answer.flaws.map((flaw) => flaw ?? undefined);
    throw new ReconcilerError(`The schema of the records cannot be used: ${answer.unusable}`, 'never', {
      code: 'schema-unusable',
      remedy: 'Correct spec.records.',
    });
  }

  async #ask(request: CheckRequest, signal: AbortSignal): Promise<CheckAnswer> {
    signal.throwIfAborted();
    const worker = new Worker(WORKER, { env: {}, resourceLimits: { maxOldGenerationSizeMb: 256 } });
    const { promise, resolve, reject } = Promise.withResolvers<CheckAnswer>();
    const stop = (): void => reject(signal.reason);
    const timer = setTimeout(() => reject(slow(`took longer than ${this.#limit / 1000} s`)), this.#limit);
    signal.addEventListener('abort', stop);
    worker.once('message', resolve);
    worker.once('error', (error) => reject(slow(`could not be done (${error.message})`)));
    worker.once('exit', () => reject(slow('came to no end')));
    try {
      worker.postMessage(request, []);
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      await worker.terminate();
    }
  }
}

function slow(what: string): ReconcilerError {
  return new ReconcilerError(`Checking the records of a page against their schema ${what}.`, 'never', {
    code: 'schema-slow',
    remedy: 'Simplify the patterns of the schema, or yield smaller pages.',
  });
}
