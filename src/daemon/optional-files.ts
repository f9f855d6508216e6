import { dirname, resolve } from 'node:path';
import { formatProblem } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { Log } from '../report/log.ts';
import { problemsOf, refuseEmptied, refuseInvalid } from './configuration-refusal.ts';
import { NOTHING_CONFIGURED, readOptional } from './configuration.ts';
import type { Configuration } from './configuration.ts';

/**
 * Configuration files beside custom resources, which have nothing to do with each other: files that are not in order stay on their own
 * last good state, and hold up no custom resource.
 */
export class OptionalFiles {
  readonly #path: string;
  readonly #log: Log;
  #good: Configuration | undefined;
  /** What was last told of the files. */
  #told = '';

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * What the files say; what they last said in order, with `refused`, when they are not. Nothing when they never were: a Sync that cannot be
   * read is not one that is gone, and nothing is given up.
   */
  async read(): Promise<Configuration> {
    try {
      const files = await readOptional(this.#path);
      refuseInvalid(files);
      refuseEmptied(files, this.#good);
      this.#good = files;
      this.#told = '';
      return files;
    } catch (error) {
      const refused = problemsOf(error);
      this.#tell(refused);
      const before = this.#good ?? { ...NOTHING_CONFIGURED, baseDir: dirname(resolve(this.#path)) };
      return { ...before, refused };
    }
  }

  /** Once, and not with every custom resource that comes into force meanwhile. */
  #tell(refused: readonly Problem[]): void {
    const about = refused.map(formatProblem).join('\n');
    if (about === this.#told) return;
    this.#told = about;
    this.#log.error('configuration refused', { about, inForce: 'the last good files, and every custom resource' });
  }
}
