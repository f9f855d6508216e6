import { randomUUID } from 'node:crypto';
import { printable } from './git-failure.ts';
import { SHOW } from './git-mirror.ts';
import type { GitMirror } from './git-mirror.ts';
import { records, streamGit } from './git-process.ts';
import type { GitPlace } from './git-process.ts';
import type { Commit } from './source.ts';

const FIELDS = '%H%x1f%an <%ae>%x1f%ct%x1f%s';

/** How far back a server is asked for history that was not fetched. */
const HISTORY_DEPTH = 500;

/**
 * The last commit that touched each of `paths` (below `from.path`). Where the mirror is shallow it is deepened once, to a bound.
 * Files last touched further back are left out: naming the oldest commit that is known would blame the wrong person.
 */
export async function lastCommits(
  mirror: GitMirror,
  from: { readonly commit: string; readonly path: string; readonly name: string },
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Commit>> {
  const prefix = from.path === '' ? '' : `${from.path}/`;
  const wanted = new Set(paths.map((path) => prefix + path));
  let boundary = await mirror.boundary();
  let found = await lastTouched(mirror.place, from, wanted, { signal, boundary });
  if (found.size < wanted.size && boundary.size > 0) {
    // A server that is silent now takes nothing away from what is known already.
    await mirror.deepen(from.name, HISTORY_DEPTH, signal).catch(() => undefined);
    boundary = await mirror.boundary();
    found = await lastTouched(mirror.place, from, wanted, { signal, boundary });
  }
  return new Map([...found].map(([path, commit]) => [path.slice(prefix.length), commit]));
}

/**
 * The newest commit that touched each of `wanted` (paths of the repository), as far as the history in the mirror goes.
 * `boundary` are the commits whose parents are missing: to git they seem to have added every file, which says nothing, so
 * what is found only there is left out.
 */
async function lastTouched(
  place: GitPlace,
  start: { readonly commit: string; readonly path: string },
  wanted: ReadonlySet<string>,
  options: { readonly signal: AbortSignal; readonly boundary: ReadonlySet<string> },
): Promise<Map<string, Commit>> {
  const found = new Map<string, Commit>();
  if (wanted.size === 0) return found;
  // Names of files come in the same stream, and somebody could name one so that it looks like a commit of somebody else:
  // what begins a commit is a word that cannot be foreseen.
  const mark = `${randomUUID()} `;
  const args = [
    'log',
    '-z',
    '--no-renames',
    '--no-mailmap',
    '--no-show-signature',
    '--name-only',
    `--format=${mark}${FIELDS}`,
    start.commit,
  ];
  const output = records(
    streamGit(place, [...args, ...(start.path === '' ? [] : ['--', start.path])], { signal: options.signal }),
  );
  let commit: Commit | undefined;
  for await (const record of output) {
    const text = record.toString('utf8');
    if (text.startsWith(mark)) {
      commit = parseCommit(text.slice(mark.length));
      continue;
    }
    // git puts a line break between a commit's text and the first of its names.
    const path = text.replace(/^\n/, '');
    if (commit === undefined || options.boundary.has(commit.revision) || !wanted.has(path) || found.has(path)) continue;
    found.set(path, commit);
    if (found.size === wanted.size) break;
  }
  return found;
}

/** Arguments that print one commit in the form `parseCommit` reads. */
export function showCommit(commit: string): readonly string[] {
  return [...SHOW, `--format=${FIELDS}`, commit];
}

/** Form of a commit that `parseFetched` reads. */
export const FETCHED = `%P%x1f${FIELDS}`;

/** A commit that was fetched. */
export interface Fetched {
  readonly commit: Commit;
  /** Ids of the commits that it was made from, as far as they were fetched. */
  readonly parents: readonly string[];
}

export function parseFetched(text: string): Fetched {
  const end = text.indexOf('\u001f');
  return { parents: text.slice(0, end).split(' '), commit: parseCommit(text.slice(end + 1)) };
}

/** Names and subjects are written by whoever can commit: they are shown as one line without control characters. */
export function parseCommit(text: string): Commit {
  const [revision = '', author = '', time = '', ...subject] = text.split('\u001f');
  return {
    revision,
    author: printable(author, 200),
    time: Number(time) * 1000,
    subject: printable(subject.join(' '), 200),
  };
}
