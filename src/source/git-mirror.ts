import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleGit } from 'simple-git';
import { ReconcilerError } from '../errors.ts';
import { GIT_VARIABLES, baseEnvironment } from './git-access.ts';
import type { GitAccess } from './git-access.ts';
import type { CheckedConfig, Conversed } from './git-config.ts';
import { abortReason, gitFailure } from './git-failure.ts';
import { mirrorConfig } from './git-mirror-config.ts';
import { streamGit } from './git-process.ts';
import type { GitPlace } from './git-process.ts';

/**
 * One bare repository that mirrors what is needed of a remote one.
 *
 * There is never a work tree. So a symbolic link is a short text and leads nowhere, smudge and clean filters, LFS,
 * `.gitattributes`, checkout hooks and submodules have no occasion to act, and two paths that differ only in case cannot
 * overwrite each other: whole classes of attacks on checkouts end here.
 */
export class GitMirror {
  readonly place: GitPlace;
  readonly #config: CheckedConfig;
  readonly #access: GitAccess;
  readonly #onConversed: ((what: Conversed) => void) | undefined;
  #open: Promise<void> | undefined;

  constructor(config: CheckedConfig, place: GitPlace, access: GitAccess, onConversed?: (what: Conversed) => void) {
    this.#onConversed = onConversed;
    this.#config = config;
    this.place = place;
    this.#access = access;
  }

  /**
   * Makes the repository where it is missing. What `git init` would add (templates, sample hooks) is not wanted. Locks
   * left by a killed process are removed: the state directory has one user, and that is us.
   */
  async open(): Promise<void> {
    this.#open ??= this.#prepare();
    try {
      await this.#open;
    } catch (error) {
      this.#open = undefined;
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    const { dir } = this.place;
    await mkdir(join(dir, 'objects', 'info'), { recursive: true, mode: 0o700 });
    await mkdir(join(dir, 'objects', 'pack'), { recursive: true });
    await mkdir(join(dir, 'refs', 'heads'), { recursive: true });
    await rm(join(dir, 'ssh'), { recursive: true, force: true });
    for (const folder of ['.', 'refs', join('objects', 'pack'), join('objects', 'info')])
      await removeLeftovers(join(dir, folder));
    await writeFile(join(dir, 'HEAD'), 'ref: refs/heads/none\n');
    await writeFile(join(dir, 'config'), mirrorConfig(this.place.dir, this.#config, this.isPartial));
  }

  /** What the server advertises for `patterns`: ref name → object id. */
  async advertised(patterns: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const text = await this.#converse(
      'Reading the refs of the repository',
      ['ls-remote', 'origin', ...patterns],
      signal,
    );
    const refs = new Map<string, string>();
    for (const line of text.split('\n')) {
      const [id, name] = line.split('\t');
      if (id !== undefined && name !== undefined) refs.set(name, id);
    }
    return refs;
  }

  /**
   * Fetches `what` into refs/plumbline/candidate and answers with what git prints of the commit it leads to, in this form. With `contents`, a partial clone gets
   * small files along with the commits: one conversation instead of two, for a little of what lies outside the path.
   */
  async fetch(
    what: string,
    options: { readonly depth?: number; readonly contents?: boolean; readonly format: string },
    signal: AbortSignal,
  ): Promise<string> {
    const depth = options.depth === undefined ? [] : [`--depth=${options.depth}`];
    const filter = this.isPartial ? [`--filter=blob:${options.contents === true ? `limit=${SMALL}` : 'none'}`] : [];
    const rest = ['origin', `+${what}:${CANDIDATE}`];
    const doing = 'Fetching the repository';
    try {
      await this.#converse(doing, [...FETCH, ...depth, ...filter, ...rest], signal);
    } catch (error) {
      // Servers behind plain file hosting know neither depth nor filters, older ones refuse single commits.
      if (
        signal.aborted ||
        !(error instanceof Error) ||
        !/shallow|depth|filter|unadvertised|not our ref/i.test(error.message)
      )
        throw error;
      await this.#converse(
        doing,
        [...FETCH, 'origin', '+refs/heads/*:refs/plumbline/heads/*', '+refs/tags/*:refs/plumbline/tags/*'],
        signal,
      );
      const whole = what.replace(/^refs\/(?=heads|tags)/, 'refs/plumbline/');
      await this.local('Taking the commit', ['update-ref', CANDIDATE, whole], signal);
    }
    return this.local('Finding the commit', [...SHOW, `--format=${options.format}`, `${CANDIDATE}^{commit}`], signal);
  }

  /** Fetches single objects by id, for what a partial clone left out. */
  async fetchObjects(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const args = ['-c', 'fetch.negotiationAlgorithm=noop', ...FETCH, '--filter=blob:none', '--stdin', 'origin'];
    await this.#converse('Fetching file contents', args, signal, `${ids.join('\n')}\n`);
  }

  /** More history of `what`, `commits` further back. */
  async deepen(what: string, commits: number, signal: AbortSignal): Promise<void> {
    const filter = this.isPartial ? ['--filter=blob:none'] : [];
    await this.#converse('Fetching history', [...FETCH, `--deepen=${commits}`, ...filter, 'origin', what], signal);
  }

  /** Runs a git command that needs no network, and answers with its output. */
  async local(doing: string, args: readonly string[], signal: AbortSignal): Promise<string> {
    return this.#within(doing, signal, async (bounded) => {
      const git = simpleGit({
        baseDir: this.place.dir,
        abort: bounded,
        allowEnvironment: [...GIT_VARIABLES],
        // The end of the output is waited for, not the end of the process and then some 50 ms.
        completion: { onClose: true, onExit: false },
        trimmed: false,
      });
      return git.env({ ...this.place.env }).raw([...args]);
    });
  }

  async has(commit: string, signal: AbortSignal): Promise<boolean> {
    // Not by `rev-parse`, whose failure says "not there" as well as "could not look": taken for the first, a slow machine
    // would look like rewritten history.
    return this.#within('Looking for a commit', signal, async (bounded) => {
      const stream = streamGit(this.place, ['cat-file', '--batch-check'], { signal: bounded, input: [`${commit}\n`] });
      return (await collect(stream)).startsWith(`${commit} commit `);
    });
  }

  async isAncestor(older: string, newer: string, signal: AbortSignal): Promise<boolean> {
    return (await this.local('Comparing commits', ['merge-base', older, newer], signal)).trim() === older;
  }

  /** Commits whose parents were not fetched. Empty when the history is whole. */
  async boundary(): Promise<ReadonlySet<string>> {
    try {
      return new Set(
        (await readFile(join(this.place.dir, 'shallow'), 'utf8')).split('\n').filter((line) => line !== ''),
      );
    } catch {
      return new Set();
    }
  }

  /**
   * With a path, contents outside it are not worth fetching (partial clone). A server that cannot filter sends
   * everything, which is as good. A local repository is fetched whole: nothing crosses a network, and history is at hand.
   */
  get isPartial(): boolean {
    return this.#config.path !== '' && this.isRemote;
  }

  get isRemote(): boolean {
    return this.#config.target.transport !== 'file';
  }

  /**
   * Talks to the server. Not through simple-git: its abort and its timeout signal only git itself, and git leaves the
   * `git-remote-https` and `ssh` that it started running, which then wait for a silent server for ever (seen with git 2.39).
   * `streamGit` kills all of them. It also keeps the token out of simple-git's debug output, which prints environments.
   */
  async #converse(doing: string, args: readonly string[], signal: AbortSignal, input?: string): Promise<string> {
    const begin = performance.now();
    let result: Conversed['result'] = 'failure';
    return this.#within(`${doing} (${this.#config.description})`, signal, async (bounded) => {
      const talk = await this.#access.open();
      try {
        const place = { dir: this.place.dir, env: talk.env };
        const text = await collect(
          streamGit(place, args, { signal: bounded, input: input === undefined ? [] : [input] }),
        );
        result = 'success';
        return text;
      } finally {
        await talk.close();
        const command = args[0] === 'ls-remote' ? 'ls-remote' : 'fetch';
        this.#onConversed?.({ command, result, milliseconds: performance.now() - begin });
      }
    });
  }

  async #within<T>(doing: string, signal: AbortSignal, work: (bounded: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const { timeout } = this.#config;
    const deadline = AbortSignal.timeout(timeout);
    try {
      return await work(AbortSignal.any([signal, deadline]));
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      if (!deadline.aborted) throw gitFailure(doing, error, (text) => this.#access.redact(text));
      throw new ReconcilerError(`${doing} failed: no answer within ${timeout} ms`, 'backoff', {
        remedy: 'Check the server and the load of this machine, or raise timeout.',
        code: 'source-timeout',
      });
    }
  }
}

/** Manifests and definitions are smaller, as a rule; what is not is fetched by itself. */
const SMALL = '128k';
/** Prints one commit, as it is. */
export const SHOW = ['log', '-1', '--no-mailmap', '--no-show-signature'] as const;
const CANDIDATE = 'refs/plumbline/candidate';
const FETCH = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--recurse-submodules=no'];

/** Where a mirror's local commands run: with no protocol allowed, so that a missing object is an error and never a fetch nobody asked for. */
export function placeOf(dir: string, environment: Readonly<Record<string, string | undefined>>): GitPlace {
  return { dir, env: { ...baseEnvironment(dir, 'none', environment), GIT_NO_LAZY_FETCH: '1' } };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function removeLeftovers(folder: string): Promise<void> {
  const recursive = folder.endsWith('refs');
  const names = await readdir(folder, { recursive });
  for (const name of names) {
    if (name.endsWith('.lock') || (!recursive && name.startsWith('tmp_')))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}
