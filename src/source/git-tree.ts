import { isUtf8 } from 'node:buffer';
import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { SourceLimits } from './git-config.ts';
import { readBlobs } from './git-objects.ts';
import { streamGit } from './git-process.ts';
import type { GitPlace } from './git-process.ts';
import { byPath, refusedEntry, refusedFile, refusedLink, refusedSize } from './refused.ts';
import type { SourceFile } from './source.ts';

/** What a commit holds below a path. */
export interface Listing {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
}

/** One line of `git ls-tree`. */
export interface Entry {
  readonly mode: string;
  readonly id: string;
  readonly size: number;
  /** Git takes any bytes but NUL; where they are no text, this is not what they are. */
  readonly path: string;
  readonly isText: boolean;
}

// Pointers are shorter than 1,024 bytes (git-lfs docs/spec.md); the shortest has a version line, a sha256 and a size of one digit.
const POINTER_MIN = 120;
const POINTER_MAX = 1024;
const POINTER = 'version https://git-lfs.github.com/spec/';

/**
 * Lists the regular files of `commit` below `path` with one `ls-tree`, and sorts out what is refused. `knownPlain` remembers
 * between calls which small blobs were looked into and found to be no LFS pointers, so that a commit costs what it changed.
 * @throws ReconcilerError ('backoff') when there are more than `limits.maxFiles`; Error with git's words when git fails.
 */
export async function listTree(
  place: GitPlace,
  tree: { readonly commit: string; readonly path: string },
  limits: SourceLimits,
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<Listing> {
  const files: SourceFile[] = [];
  const problems: Problem[] = [];
  const paths = tree.path === '' ? [] : [tree.path];
  for await (const block of entries(place, { commit: tree.commit, paths }, options.signal)) {
    for (const entry of block) {
      const judged = judge(entry, tree.path, limits);
      if ('id' in judged) files.push(judged);
      else problems.push(judged);
    }
    if (files.length + problems.length > limits.maxFiles) {
      throw new ReconcilerError(`There are more than ${limits.maxFiles} files below the path.`, 'backoff', {
        remedy: 'Set path to the folder that holds the manifests.',
        code: 'source-too-large',
      });
    }
  }
  const pointers = await findPointers(place, files, options);
  forgetOthers(options.knownPlain, files);
  if (pointers.size === 0) return { files: files.sort(byPath), problems };
  for (const file of files) {
    if (!pointers.has(file.id)) continue;
    const remedy = 'Keep manifests out of Git LFS: `git lfs untrack` the pattern and commit the file itself.';
    problems.push(
      refusedFile(file.path, 'This is a Git LFS pointer, and contents are not fetched from LFS (not smudged).', remedy),
    );
  }
  return { files: files.filter((file) => !pointers.has(file.id)).sort(byPath), problems };
}

/**
 * Ids of blobs below `path` that a partial clone does not have yet; none when the path is no folder, which the listing then says.
 */
export async function missingBlobs(
  place: GitPlace,
  tree: { readonly commit: string; readonly path: string },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const args = ['rev-list', '--objects', '--missing=print', `${tree.commit}:${tree.path}`];
  let rest = '';
  try {
    for await (const chunk of streamGit(place, args, { signal })) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('?')) missing.push(line.slice(1));
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
  return missing;
}

/**
 * Only the paths themselves and what is below them is listed, everything when there are none; nothing of one that does not exist.
 * In blocks, as git prints them: handing thousands of entries on one by one would take longer than reading them.
 * @throws Error with git's words when git fails; the signal's reason when it was aborted.
 */
export async function* entries(
  place: GitPlace,
  { commit, paths }: { readonly commit: string; readonly paths: readonly string[] },
  signal: AbortSignal,
): AsyncGenerator<readonly Entry[], void> {
  const args = ['--literal-pathspecs', 'ls-tree', '-r', '-z', '-l', '--full-tree', commit, '--', ...paths];
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of streamGit(place, args, { signal })) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(0);
    rest = bytes.subarray(end + 1);
    if (rest.length > LONGEST_RECORD) throw new Error('git printed a record that is too long');
    if (end >= 0) yield entriesIn(bytes.subarray(0, end));
  }
}

/** No path is as long. */
const LONGEST_RECORD = 65_536;

function entriesIn(block: Buffer): readonly Entry[] {
  if (isUtf8(block))
    return block
      .toString('utf8')
      .split('\0')
      .map((record) => entryOf(record, true));
  const found: Entry[] = [];
  for (let start = 0; start < block.length;) {
    const end = block.indexOf(0, start);
    const record = block.subarray(start, end === -1 ? block.length : end);
    found.push(entryOf(record.toString('utf8'), isUtf8(record)));
    start += record.length + 1;
  }
  return found;
}

/** `mode type id size<tab>path`, the size padded with blanks, `-` for what has none. */
function entryOf(record: string, isText: boolean): Entry {
  const tab = record.indexOf('\t');
  const id = record.indexOf(' ', 7) + 1;
  const size = record.indexOf(' ', id);
  return {
    mode: record.slice(0, 6),
    id: record.slice(id, size),
    size: Number(record.slice(size, tab)) || 0,
    path: record.slice(tab + 1),
    isText,
  };
}

/**
 * The file that an entry is, or why it is refused.
 * @throws ReconcilerError ('backoff', `source-path`) when the entry is `root` itself, which is then no folder.
 */
export function judge(entry: Entry, root: string, limits: SourceLimits): SourceFile | Problem {
  const whole = entry.path;
  const path = root === '' ? whole : whole.slice(root.length + 1);
  if (whole === root) {
    throw new ReconcilerError('The path of the source is not a folder of the repository.', 'backoff', {
      remedy: 'Set path to a folder; links, submodules and single files cannot be one.',
      code: 'source-path',
    });
  }
  if (!entry.isText || !isPlain(path)) {
    const shown = JSON.stringify(path).slice(1, -1);
    return refusedEntry(
      shown,
      'The name is not valid UTF-8, or has parts that would lead elsewhere on some system.',
      'Rename it.',
    );
  }
  if (entry.mode === '120000') return refusedLink(path);
  if (entry.mode === '160000') {
    return refusedEntry(
      path,
      'This is a submodule, and submodules are not fetched.',
      'Give the other repository a Sync of its own.',
    );
  }
  if (entry.size > limits.maxFileBytes) return refusedSize(path, entry.size, limits.maxFileBytes);
  return { path, id: entry.id, size: entry.size };
}

/** What nearly all paths look like; no part begins with a dot. */
const USUAL = /^\w[\w.-]*(?:\/\w[\w.-]*)*$/;

/** fsck refuses `..` and `.git` in trees already; this holds when a repository was cached before fsck learnt of a trick. */
function isPlain(path: string): boolean {
  if (USUAL.test(path)) return true;
  if (/[\p{Cc}\\]/u.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git');
}

/** Ids of those files that are LFS pointers; only small blobs that were not looked into before are read. */
export async function findPointers(
  place: GitPlace,
  files: readonly SourceFile[],
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<ReadonlySet<string>> {
  const { knownPlain, signal } = options;
  const suspects = new Set<string>();
  for (const { id, size } of files)
    if (size >= POINTER_MIN && size < POINTER_MAX && !knownPlain.has(id)) suspects.add(id);
  const pointers = new Set<string>();
  if (suspects.size > 0) {
    for await (const { id, bytes } of readBlobs(place, [...suspects], signal)) {
      if (bytes.subarray(0, POINTER.length).toString('latin1') === POINTER) pointers.add(id);
      else knownPlain.add(id);
    }
  }
  return pointers;
}

/** Bounds what is remembered: contents that no file has any more are forgotten when they are many. */
export function forgetOthers(known: Set<string>, files: readonly SourceFile[]): void {
  if (known.size <= 2 * files.length) return;
  const present = new Set(files.map(({ id }) => id));
  for (const id of known) if (!present.has(id)) known.delete(id);
}
