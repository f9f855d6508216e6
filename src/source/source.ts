import type { Problem } from '../errors.ts';

/** One regular file of a snapshot. `id` names its bytes: two entries with the same id have the same content. */
export interface SourceFile {
  /** Path below the source's `path`, with forward slashes. */
  readonly path: string;
  readonly id: string;
  /** Bytes. */
  readonly size: number;
}

/** Who wrote a revision. */
export interface Commit {
  readonly revision: string;
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly subject: string;
}

/** Why a snapshot is not the newest state of its source: the last good revision is served meanwhile. */
export interface Stale {
  readonly reason: string;
  readonly remedy: string;
  /** Milliseconds since 1970: when serving the old revision began. */
  readonly since: number;
}

/** Desired state at one revision. Holds names and content ids; bytes are read when somebody needs them. */
export interface Snapshot {
  /** A commit id, or `folder:<hash over paths and contents>`. Equal revisions have equal files. */
  readonly revision: string;
  /** The commit behind the revision, where the source has commits. */
  readonly commit?: Commit;
  /** Sorted by path (code units). */
  readonly files: readonly SourceFile[];
  /** Entries that were refused: links, submodules, LFS pointers, paths that leave the root, files over the limit. */
  readonly problems: readonly Problem[];
  readonly stale?: Stale;
  /**
   * The bytes of the files at `paths`, in that order, read as a stream; one process however many files.
   * @throws ReconcilerError when a path is not in `files` or its bytes cannot be had.
   */
  read(paths: readonly string[], signal: AbortSignal): AsyncIterable<{ readonly path: string; readonly bytes: Buffer }>;
  /** The last commit that touched each of `paths` (for origins in reports; on demand, because history is slow). */
  lastCommits(paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Commit>>;
}

/** Where desired state comes from. */
export interface Source {
  /** What a person calls it in a log line; never carries a credential. */
  readonly description: string;
  /**
   * The newest state. When the source cannot be read or looks wrong (force-push, deleted branch, emptied path,
   * unreachable server) the last good snapshot with `stale` set; throws only when there has never been a good one.
   * `moved`: somebody said that there is something new. Only a hint of what to ask for first; it changes no answer.
   * @throws ReconcilerError
   */
  read(signal: AbortSignal, moved?: boolean): Promise<Snapshot>;
  /**
   * A person's word that this revision is meant, although it looked wrong (rewritten history, an emptied path). Holds until
   * it has been read.
   */
  accept(revision: string): void;
  /** Calls `onChange` when there may be something new. It only ever says "look again". */
  watch(onChange: () => void): AsyncDisposable;
}
