import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { abortReason } from './git-failure.ts';
import { readBlobs } from './git-objects.ts';
import type { GitPlace } from './git-process.ts';
import type { Listing } from './git-tree.ts';
import type { Commit, Snapshot, SourceFile, Stale } from './source.ts';

/** What a snapshot needs of its source after it was handed out. */
export interface SnapshotOrigin {
  readonly place: GitPlace;
  readonly description: string;
  failure(doing: string, error: unknown): ReconcilerError;
  lastCommits(commit: Commit, paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Commit>>;
}

/** One commit of a repository, seen below the source's path. */
export class GitSnapshot implements Snapshot {
  readonly revision: string;
  readonly commit: Commit;
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  readonly stale?: Stale;
  readonly #origin: SnapshotOrigin;
  #ids: ReadonlyMap<string, string> | undefined;

  constructor(origin: SnapshotOrigin, commit: Commit, listing: Listing, stale?: Stale) {
    this.#origin = origin;
    this.revision = commit.revision;
    this.commit = commit;
    this.files = listing.files;
    this.problems = listing.problems;
    if (stale !== undefined) this.stale = stale;
  }

  async *read(
    paths: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly path: string; readonly bytes: Buffer }, void> {
    this.#ids ??= new Map(this.files.map(({ path, id }) => [path, id]));
    const ids = paths.map((path) => this.#idOf(path));
    let index = 0;
    try {
      for await (const { bytes } of readBlobs(this.#origin.place, ids, signal)) {
        yield { path: paths[index] ?? '', bytes };
        index += 1;
      }
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      throw this.#origin.failure(`Reading ${paths[index] ?? 'files'} at ${this.revision.slice(0, 12)}`, error);
    }
  }

  lastCommits(paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Commit>> {
    return this.#origin.lastCommits(this.commit, paths, signal);
  }

  #idOf(path: string): string {
    const id = this.#ids?.get(path);
    if (id !== undefined) return id;
    throw new ReconcilerError(
      `${path} is not in revision ${this.revision.slice(0, 12)} of ${this.#origin.description}.`,
      'never',
      {
        remedy: 'Correct the name, or commit the file.',
        code: 'source-file-missing',
      },
    );
  }
}
