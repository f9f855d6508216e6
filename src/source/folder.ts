import { realpath } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { watch } from 'chokidar';
import { ReconcilerError, messageOf } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { abortReason } from './git-failure.ts';
import { DEFAULT_LIMITS } from './git-config.ts';
import type { SourceLimits } from './git-config.ts';
import { AT_ONCE, changed, contentId, folderRevision, isSkipped, readInside, walkFolder } from './folder-walk.ts';
import type { Hashed } from './folder-walk.ts';
import type { Commit, Snapshot, Source, SourceFile, Stale } from './source.ts';

export interface FolderSourceOptions {
  readonly limits?: Partial<SourceLimits>;
  /** Milliseconds of quiet after a change before it is reported; default 50. An editor saves in several steps. */
  readonly settle?: number;
}

/** A stream of changes without a pause is reported this often all the same, in milliseconds. */
const LONGEST_WAIT = 500;

/**
 * Desired state in a folder, for local work without git. A folder has no history, so that the last good state is kept in memory only,
 * as names: when the folder vanishes, is emptied, or cannot be listed, the snapshot is stale and its contents cannot be read.
 */
export class FolderSource implements Source {
  readonly description: string;
  readonly #root: string;
  readonly #limits: SourceLimits;
  readonly #settle: number;
  #hashed: ReadonlyMap<string, Hashed> = new Map();
  #good: FolderSnapshot | undefined;
  #staleSince: number | undefined;
  #emptyAccepted = false;

  /** `root`: the folder; a relative one counts from the working directory. */
  constructor(root: string, options: FolderSourceOptions = {}) {
    this.#root = resolve(root);
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#settle = options.settle ?? 50;
    this.description = `folder ${this.#root}`;
  }

  /** A person's word that the folder is meant to be empty, whatever revision they name; holds for the next read. */
  accept(_revision?: string): void {
    this.#emptyAccepted = true;
  }

  async read(signal: AbortSignal): Promise<Snapshot> {
    signal.throwIfAborted();
    try {
      const root = await realpath(this.#root);
      const walk = await walkFolder(root, this.#limits, this.#hashed, signal);
      const isEmpty = walk.files.length + walk.problems.length === 0;
      if (isEmpty && !this.#emptyAccepted) throw empty(this.#root);
      this.#emptyAccepted = false;
      this.#hashed = walk.hashed;
      this.#staleSince = undefined;
      this.#good = new FolderSnapshot(folderRevision(walk), walk, { root, limit: this.#limits.maxFileBytes });
      return this.#good;
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      return this.#lastGood(this.#failure(error));
    }
  }

  watch(onChange: () => void): AsyncDisposable {
    let timer: NodeJS.Timeout | undefined;
    let waitingSince: number | undefined;
    const fire = (): void => {
      waitingSince = undefined;
      onChange();
    };
    const later = (): void => {
      const now = Date.now();
      waitingSince ??= now;
      clearTimeout(timer);
      timer = setTimeout(fire, Math.max(0, Math.min(this.#settle, waitingSince + LONGEST_WAIT - now)));
    };
    const watcher = watch(this.#root, {
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => path !== this.#root && isSkipped(basename(path)),
    });
    watcher.on('all', later);
    // A change made while the watch was being set up is not reported by it.
    watcher.on('ready', later);
    // Watching is for speed; without it the daemon's poll finds the change.
    watcher.on('error', () => undefined);
    return {
      async [Symbol.asyncDispose]() {
        await watcher.close();
        clearTimeout(timer);
      },
    };
  }

  #lastGood(why: ReconcilerError): Snapshot {
    if (this.#good === undefined) throw why;
    this.#staleSince ??= Date.now();
    return this.#good.asStale({
      reason: why.message,
      remedy: why.remedy ?? 'See the message.',
      since: this.#staleSince,
    });
  }

  #failure(error: unknown): ReconcilerError {
    if (error instanceof ReconcilerError) return error;
    return new ReconcilerError(`The folder ${this.#root} cannot be read: ${messageOf(error)}`, 'backoff', {
      cause: error,
      remedy: 'Check that it exists and that this program may list all of it.',
      code: 'source-unreachable',
    });
  }
}

class FolderSnapshot implements Snapshot {
  readonly revision: string;
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  readonly stale?: Stale;
  readonly #place: { readonly root: string; readonly limit: number };
  #ids: ReadonlyMap<string, string> | undefined;

  constructor(
    revision: string,
    content: { readonly files: readonly SourceFile[]; readonly problems: readonly Problem[] },
    place: { readonly root: string; readonly limit: number },
    stale?: Stale,
  ) {
    this.revision = revision;
    this.files = content.files;
    this.problems = content.problems;
    this.#place = place;
    if (stale !== undefined) this.stale = stale;
  }

  asStale(stale: Stale): Snapshot {
    return new FolderSnapshot(this.revision, this, this.#place, stale);
  }

  /** @throws ReconcilerError ('replan') when a file is not what it was: equal revisions have equal files. */
  async *read(
    paths: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly path: string; readonly bytes: Buffer }, void> {
    this.#ids ??= new Map(this.files.map(({ path, id }) => [path, id]));
    const begun: { readonly path: string; readonly bytes: Promise<Buffer> }[] = [];
    let next = 0;
    for (;;) {
      signal.throwIfAborted();
      for (const path of paths.slice(next, next + AT_ONCE - begun.length)) {
        const bytes = this.#bytesOf(path);
        // Told when its turn comes; where the reader has stopped before, nobody misses it.
        bytes.catch(() => undefined);
        begun.push({ path, bytes });
        next += 1;
      }
      const first = begun.shift();
      if (first === undefined) return;
      yield { path: first.path, bytes: await first.bytes };
    }
  }

  async #bytesOf(path: string): Promise<Buffer> {
    const id = this.#ids?.get(path);
    if (id === undefined) {
      throw new ReconcilerError(`${path} is not in the folder.`, 'never', {
        remedy: 'Correct the name.',
        code: 'source-file-missing',
      });
    }
    const bytes = await readInside(this.#place.root, path, this.#place.limit).catch((error: unknown) => {
      throw error instanceof ReconcilerError
        ? error
        : new ReconcilerError(changed(path).message, 'replan', { cause: error, code: 'source-changed' });
    });
    if (contentId(bytes) !== id) throw changed(path);
    return bytes;
  }

  /** A folder has no history. */
  async lastCommits(): Promise<ReadonlyMap<string, Commit>> {
    return new Map();
  }
}

function empty(root: string): ReconcilerError {
  return new ReconcilerError(`The folder ${root} has no files.`, 'backoff', {
    remedy: 'Put the manifests back, correct the folder, or accept that it is empty.',
    code: 'source-empty',
  });
}
