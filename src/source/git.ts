import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ReconcilerError, messageOf } from '../errors.ts';
import { exclusively } from './exclusive.ts';
import { GitAccess, baseEnvironment } from './git-access.ts';
import { DEFAULT_LIMITS, checkConfig } from './git-config.ts';
import type { CheckedConfig, GitSourceConfig, GitSourceOptions, SourceLimits } from './git-config.ts';
import { abortReason, gitFailure } from './git-failure.ts';
import { FETCHED, lastCommits, parseCommit, parseFetched, showCommit } from './git-history.ts';
import type { Fetched } from './git-history.ts';
import { BACKWARDS, emptied, refuseBackwards } from './git-judgement.ts';
import { GitMirror, placeOf } from './git-mirror.ts';
import { describeRef, patternsOf, resolveRef } from './git-ref.ts';
import type { Resolved } from './git-ref.ts';
import { GitSnapshot } from './git-snapshot.ts';
import type { SnapshotOrigin } from './git-snapshot.ts';
import { loadLastGood, saveLastGood } from './git-state.ts';
import type { LastGood } from './git-state.ts';
import { missingBlobs } from './git-tree.ts';
import type { Listing } from './git-tree.ts';
import { listTreeFrom } from './git-tree-patch.ts';
import { watchRefs } from './git-watch.ts';
import type { Commit, Snapshot, Source, Stale } from './source.ts';

interface Listed extends Listing {
  readonly commit: Commit;
}

/**
 * Desired state in a git repository. One `ls-remote` when nothing changed; one fetch and a listing of what changed when something did,
 * and no question before it where a push announced it.
 *
 * A read moves forward only: to a descendant of the last good commit on a branch, to a newer version in a range. Anything
 * else (rewritten history, a moved tag, nothing left below the path, a silent server) leaves the last good revision in place,
 * marked stale, until the repository is set right or a person accepts the new revision. The last good revision
 * outlives the process; when the cache folder is deleted the next read counts as the first.
 */
export class GitSource implements Source {
  readonly description: string;
  readonly #config: CheckedConfig;
  readonly #limits: SourceLimits;
  readonly #access: GitAccess;
  readonly #mirror: GitMirror;
  readonly #dir: string;
  readonly #accepted: Set<string>;
  readonly #knownPlain = new Set<string>();
  readonly #origin: SnapshotOrigin;
  #good: LastGood | undefined;
  #loaded = false;
  #listed: Listed | undefined;
  /** The candidate that was turned down last, so that it is neither fetched nor judged at every poll. */
  #turnedDown: { readonly commit: string; readonly error: ReconcilerError } | undefined;

  /** @throws ReconcilerError ('never', `source-config`) when the configuration is unsafe or incomplete. */
  constructor(config: GitSourceConfig, options: GitSourceOptions) {
    this.#config = checkConfig(config);
    this.description = this.#config.description;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#accepted = new Set(options.accepted);
    const { url, ref, path } = this.#config;
    const name = createHash('sha256')
      .update(JSON.stringify([url, describeRef(ref), path]))
      .digest('hex')
      .slice(0, 24);
    this.#dir = join(options.cacheDir, name);
    const mirrorDir = join(this.#dir, 'mirror.git');
    const environment = options.environment ?? {};
    this.#access = new GitAccess(
      this.#config,
      mirrorDir,
      baseEnvironment(mirrorDir, this.#config.target.transport, environment),
    );
    this.#mirror = new GitMirror(this.#config, placeOf(mirrorDir, environment), this.#access, options.onConversed);
    this.#origin = {
      place: this.#mirror.place,
      description: this.description,
      failure: (doing, error) => this.#failure(doing, error),
      lastCommits: (commit, paths, signal) => this.#lastCommits(commit, paths, signal),
    };
  }

  /** A person's word that `revision` (whole commit id) is meant, although it goes backwards, moved a tag, or has no files. */
  accept(revision: string): void {
    this.#accepted.add(revision);
    this.#turnedDown = undefined;
  }

  async read(signal: AbortSignal, moved = false): Promise<Snapshot> {
    signal.throwIfAborted();
    return exclusively(this.#dir, async () => {
      let why: ReconcilerError;
      try {
        await this.#open();
        return await this.#advance(moved, signal);
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        why = this.#failure('Reading the source', error);
      }
      return this.#lastGood(why, signal);
    });
  }

  /** Local repositories are watched; for others this does nothing, because only asking the server helps. */
  watch(onChange: () => void): AsyncDisposable {
    const { target } = this.#config;
    if (target.transport === 'file') return watchRefs(target.path, onChange);
    return { [Symbol.asyncDispose]: async () => undefined };
  }

  async #open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    if (!this.#loaded) this.#good = await loadLastGood(this.#dir);
    this.#loaded = true;
    await this.#mirror.open();
  }

  /** The newest state, or an error that says why it may not be used. */
  async #advance(moved: boolean, signal: AbortSignal): Promise<Snapshot> {
    const atOnce = moved ? await this.#fetchAtOnce(signal) : undefined;
    const target = atOnce?.target ?? (await this.#advertised(signal));
    if (target.commit === this.#good?.revision && (await this.#isHere(target.commit, signal))) {
      const listed = await this.#list(target.commit, signal);
      if (this.#good.staleSince !== undefined || this.#good.name !== target.name) await this.#keep(target, listed);
      return new GitSnapshot(this.#origin, listed.commit, listed);
    }
    if (this.#turnedDown?.commit === target.commit) throw this.#turnedDown.error;
    const fetched = atOnce?.fetched ?? (await this.#fetch(target, signal));
    const commit = fetched.commit.revision;
    try {
      const listing = this.#list(commit, signal, fetched.commit);
      // Whether it may be used at all is the first thing to know, and to tell.
      listing.catch(() => undefined);
      await this.#refuseBackwards({ ...target, commit }, fetched.parents, signal);
      const listed = await listing;
      const isEmpty = listed.files.length + listed.problems.length === 0;
      if (isEmpty && !this.#accepted.has(commit)) throw emptied(this.#config.path, this.#good, commit);
      const kept = this.#mirror.local('Keeping the revision', ['update-ref', 'refs/plumbline/good', commit], signal);
      await this.#keep({ ...target, commit }, listed, kept);
      return new GitSnapshot(this.#origin, listed.commit, listed);
    } catch (error) {
      if (error instanceof ReconcilerError && error.code === BACKWARDS) this.#turnedDown = { commit, error };
      throw error;
    }
  }

  async #advertised(signal: AbortSignal): Promise<Resolved> {
    const { ref } = this.#config;
    const patterns = patternsOf(ref);
    return resolveRef(ref, patterns.length === 0 ? new Map() : await this.#mirror.advertised(patterns, signal));
  }

  /**
   * Where a branch was pushed to, without asking what the server has first. Undefined where that question has to be asked:
   * there is nothing to go on from, or no such branch.
   */
  async #fetchAtOnce(
    signal: AbortSignal,
  ): Promise<{ readonly target: Resolved; readonly fetched: Fetched } | undefined> {
    const { ref } = this.#config;
    const good = this.#good;
    if (!('branch' in ref) || good === undefined || !this.#mirror.isRemote) return undefined;
    if (!(await this.#isHere(good.revision, signal))) return undefined;
    const name = `refs/heads/${ref.branch}`;
    try {
      const fetched = parseFetched(await this.#mirror.fetch(name, { contents: true, format: FETCHED }, signal));
      return { target: { name, commit: fetched.commit.revision }, fetched };
    } catch (error) {
      if (signal.aborted || !/couldn't find remote ref/i.test(messageOf(error))) throw error;
      return undefined;
    }
  }

  async #isHere(commit: string, signal: AbortSignal): Promise<boolean> {
    return this.#listed?.commit.revision === commit || this.#mirror.has(commit, signal);
  }

  async #fetch(target: Resolved, signal: AbortSignal): Promise<Fetched> {
    // From a last good commit on, whether the new one descends from it must be told, and a depth would cut exactly that
    // link. The server sends what came after the last good one; only rewritten history (or a lost mirror) costs more.
    const compares = 'branch' in this.#config.ref && this.#good !== undefined && this.#good.revision !== target.commit;
    const shallow = this.#mirror.isRemote && !compares;
    const how = { format: FETCHED, ...(shallow ? { depth: this.#config.depth } : {}) };
    return parseFetched(await this.#mirror.fetch(target.name, how, signal));
  }

  async #refuseBackwards(target: Resolved, parents: readonly string[], signal: AbortSignal): Promise<void> {
    const good = this.#good;
    if (good === undefined || this.#accepted.has(target.commit)) return;
    const { ref } = this.#config;
    const follows =
      'branch' in ref &&
      (parents.includes(good.revision) ||
        ((await this.#isHere(good.revision, signal)) &&
          (await this.#mirror.isAncestor(good.revision, target.commit, signal))));
    refuseBackwards(ref, good, target, follows);
  }

  async #list(commit: string, signal: AbortSignal, known?: Commit): Promise<Listed> {
    if (this.#listed?.commit.revision === commit) return this.#listed;
    const place = this.#mirror.place;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(this.#config.timeout)]);
    const tree = { commit, path: this.#config.path };
    if (this.#mirror.isPartial) {
      const missing = await missingBlobs(place, tree, bounded);
      if (missing.length > 0) await this.#mirror.fetchObjects(missing, signal);
    }
    const options = { signal: bounded, knownPlain: this.#knownPlain };
    const [listing, about] = await Promise.all([
      listTreeFrom(place, { ...tree, from: this.#listed }, this.#limits, options),
      known ?? this.#mirror.local('Reading the commit', showCommit(commit), signal).then(parseCommit),
    ]);
    const listed = { ...listing, commit: about };
    // What is only a candidate yet must not push out the listing that quiet reads are answered from.
    if (this.#good === undefined || this.#good.revision === commit) this.#listed = listed;
    return listed;
  }

  /** In force when it is on the disk, and `beside` is done. */
  async #keep(target: Resolved, listed: Listed, beside?: Promise<unknown>): Promise<void> {
    const { name, version } = target;
    const good: LastGood = {
      revision: listed.commit.revision,
      name,
      ...(version === undefined ? {} : { version }),
      entries: listed.files.length + listed.problems.length,
      at: Date.now(),
    };
    await Promise.all([saveLastGood(this.#dir, good), beside]);
    this.#good = good;
    this.#listed = listed;
    this.#turnedDown = undefined;
  }

  async #lastGood(why: ReconcilerError, signal: AbortSignal): Promise<Snapshot> {
    const good = this.#good;
    if (good === undefined) throw why;
    let listed: Listed;
    try {
      listed = await this.#list(good.revision, signal);
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      // The mirror is damaged as well. The newer trouble is the one to tell: the mirror would mend itself if the fetch worked.
      throw new ReconcilerError(
        `${why.message} The last good revision cannot be read either: ${messageOf(error)}`,
        'backoff',
        {
          remedy: why.remedy ?? 'See the message.',
          code: why.code ?? 'source-unreachable',
        },
      );
    }
    const since = good.staleSince ?? Date.now();
    if (good.staleSince === undefined) {
      this.#good = { ...good, staleSince: since };
      // Only the time would be lost.
      await saveLastGood(this.#dir, this.#good).catch(() => undefined);
    }
    const stale: Stale = { reason: why.message, remedy: why.remedy ?? 'See the message.', since };
    return new GitSnapshot(this.#origin, listed.commit, listed, stale);
  }

  async #lastCommits(
    start: Commit,
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Commit>> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(this.#config.timeout)]);
    const from = { commit: start.revision, path: this.#config.path, name: this.#good?.name ?? start.revision };
    return exclusively(this.#dir, async () => {
      try {
        return await lastCommits(this.#mirror, from, paths, bounded);
      } catch (error) {
        if (signal.aborted) throw abortReason(signal);
        throw this.#failure('Reading the history', error);
      }
    });
  }

  #failure(doing: string, error: unknown): ReconcilerError {
    return gitFailure(doing, error, (text) => this.#access.redact(text));
  }
}
