import { isUtf8 } from 'node:buffer';
import type { SourceLimits } from './git-config.ts';
import { records, streamGit } from './git-process.ts';
import type { GitPlace } from './git-process.ts';
import { entries, findPointers, forgetOthers, judge, listTree } from './git-tree.ts';
import type { Listing } from './git-tree.ts';
import type { Commit, SourceFile } from './source.ts';

/** A commit that changes more files than this is listed anew: the arguments of a process are limited. */
const MOST = 200;

/** What a commit held, listed before. */
export interface Known extends Listing {
  readonly commit: Pick<Commit, 'revision'>;
}

/** What is known, and what is wanted. Path and limits are those of the known listing. */
export interface Patching {
  readonly from: Known;
  readonly commit: string;
  readonly path: string;
}

/** Paths below the root of the repository. */
interface Changes {
  readonly added: ReadonlySet<string>;
  readonly modified: ReadonlySet<string>;
  readonly deleted: ReadonlySet<string>;
}

/** What `listTree` gives and throws, by way of a listing that is known where that is shorter. */
export async function listTreeFrom(
  place: GitPlace,
  { from, ...tree }: Omit<Patching, 'from'> & { readonly from: Known | undefined },
  limits: SourceLimits,
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<Listing> {
  const patched = from === undefined ? undefined : await patchListing(place, { from, ...tree }, limits, options);
  return patched ?? listTree(place, tree, limits, options);
}

/**
 * What `listTree` would give, made of the listing of another commit and what differs between the two, so that a listing costs what
 * changed. Undefined when only a full listing tells: many changes, a commit that is not here (a shallow clone), or anything but plain
 * files among what changed.
 * @throws the signal's reason when it was aborted.
 */
export async function patchListing(
  place: GitPlace,
  patching: Patching,
  limits: SourceLimits,
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<Listing | undefined> {
  try {
    return await patched(place, patching, limits, options);
  } catch (error) {
    if (options.signal.aborted) throw error;
    // The full listing tells what is wrong, if anything is.
    return undefined;
  }
}

async function patched(
  place: GitPlace,
  { from, commit, path }: Patching,
  limits: SourceLimits,
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<Listing | undefined> {
  const changes = await changesBetween(place, { from: from.commit.revision, to: commit, path }, options.signal);
  if (changes === undefined) return undefined;
  const { added, modified, deleted } = changes;
  const present = await filesAt(place, { commit, path, paths: [...added, ...modified] }, limits, options);
  if (present === undefined) return undefined;
  const prefix = path === '' ? 0 : path.length + 1;
  const files = [...from.files];
  for (const whole of deleted) {
    const index = indexOf(files, whole.slice(prefix));
    // What is not among the files is among the problems.
    if (index < 0) return undefined;
    files.splice(index, 1);
  }
  for (const [whole, file] of present) {
    const index = indexOf(files, file.path);
    if (index >= 0 !== modified.has(whole)) return undefined;
    if (index >= 0) files[index] = file;
    else files.splice(-index - 1, 0, file);
  }
  if (files.length + from.problems.length > limits.maxFiles) return undefined;
  forgetOthers(options.knownPlain, files);
  return { files, problems: from.problems };
}

/** Undefined when there are too many, or names that are no text. */
async function changesBetween(
  place: GitPlace,
  { from, to, path }: { readonly from: string; readonly to: string; readonly path: string },
  signal: AbortSignal,
): Promise<Changes | undefined> {
  const changes = { added: new Set<string>(), modified: new Set<string>(), deleted: new Set<string>() };
  const how = ['-r', '-z', '--name-status', '--no-renames', '--ignore-submodules=none'];
  const below = path === '' ? [] : [path];
  const args = ['--literal-pathspecs', 'diff-tree', ...how, from, to, '--', ...below];
  let status: string | undefined;
  let count = 0;
  for await (const record of records(streamGit(place, args, { signal }))) {
    if (!isUtf8(record)) return undefined;
    const text = record.toString('utf8');
    if (status === undefined) {
      status = text;
      continue;
    }
    count += 1;
    if (count > MOST) return undefined;
    if (status === 'A') changes.added.add(text);
    else if (status === 'D') changes.deleted.add(text);
    else if (status === 'M' || status === 'T') changes.modified.add(text);
    else return undefined;
    status = undefined;
  }
  return changes;
}

/** The files at these paths of the repository, by path; undefined when one of them is refused or not there. */
async function filesAt(
  place: GitPlace,
  { commit, path, paths }: { readonly commit: string; readonly path: string; readonly paths: readonly string[] },
  limits: SourceLimits,
  options: { readonly signal: AbortSignal; readonly knownPlain: Set<string> },
): Promise<ReadonlyMap<string, SourceFile> | undefined> {
  const files = new Map<string, SourceFile>();
  // Without paths everything would be listed.
  if (paths.length === 0) return files;
  const wanted = new Set(paths);
  for await (const block of entries(place, { commit, paths }, options.signal)) {
    for (const entry of block) {
      const judged = judge(entry, path, limits);
      if (!('id' in judged) || !wanted.has(entry.path)) return undefined;
      files.set(entry.path, judged);
    }
  }
  if (files.size !== wanted.size) return undefined;
  const pointers = await findPointers(place, [...files.values()], options);
  return pointers.size === 0 ? files : undefined;
}

/** Position of a path among sorted files; where it is missing, `-1 - p` with the position p that it would have. */
function indexOf(files: readonly SourceFile[], path: string): number {
  let low = 0;
  let high = files.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = files[middle]?.path ?? '';
    if (found === path) return middle;
    if (found < path) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}
