import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import type { SourceLimits } from './git-config.ts';
import { byPath, refusedEntry, refusedLink, refusedSize } from './refused.ts';
import type { SourceFile } from './source.ts';

/** What was hashed, and the file's marks at that time: while they are the same, so is the content. */
export interface Hashed {
  readonly marks: string;
  readonly id: string;
}

export interface Walk {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  /** By path, for the next walk. */
  readonly hashed: ReadonlyMap<string, Hashed>;
}

/**
 * A file written twice within a clock tick of the file system looks unchanged the second time ("racy git"), so that marks count
 * only when they are older than this. FAT has the coarsest clock: two seconds.
 */
const RACY_MS = 2_000;

/** Files that are looked at and read at once: what takes time is waiting for the file system, again and again. */
export const AT_ONCE = 16;

/**
 * Names that stand for no manifests: `.git` and other hidden folders, installed packages, and hidden files, because editors keep
 * their locks and half-written copies under such names (Emacs as a dangling link) just while somebody is working.
 */
export function isSkipped(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

/**
 * Lists the regular files below `root`, a real path, and names their contents. Links are not followed. A file that vanishes
 * while the walk is under way counts as deleted; a folder that cannot be listed makes the whole walk fail, because what is unknown is not absent.
 * @throws ReconcilerError when there are too many files; the error of the file system.
 */
export async function walkFolder(
  root: string,
  limits: SourceLimits,
  before: ReadonlyMap<string, Hashed>,
  signal: AbortSignal,
): Promise<Walk> {
  const files: SourceFile[] = [];
  const problems: Problem[] = [];
  const hashed = new Map<string, Hashed>();
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    const seen = entries.filter(({ name }) => !isSkipped(name));
    const pathOf = ({ name }: { readonly name: string }): string => (folder === '' ? name : `${folder}/${name}`);
    folders.push(...seen.filter((entry) => entry.isDirectory()).map(pathOf));
    const paths = seen.filter((entry) => !entry.isDirectory()).map(pathOf);
    for (let start = 0; start < paths.length; start += AT_ONCE) {
      signal.throwIfAborted();
      const part = paths.slice(start, start + AT_ONCE);
      for (const found of await Promise.all(part.map((path) => look(root, path, limits, before.get(path))))) {
        if (found === undefined) continue;
        if ('message' in found) problems.push(found);
        else {
          files.push(found.file);
          if (found.hashed !== undefined) hashed.set(found.file.path, found.hashed);
        }
      }
      if (files.length + problems.length > limits.maxFiles) throw tooMany(limits.maxFiles);
    }
  }
  return {
    files: files.sort(byPath),
    problems: problems.sort((a, b) => (a.origin.file < b.origin.file ? -1 : 1)),
    hashed,
  };
}

/** Names the files and the refused entries: what a pass would see differently has another revision. */
export function folderRevision(walk: Walk): string {
  const hash = createHash('sha256');
  for (const { path, id } of walk.files) hash.update(`${path}\0${id}\0`);
  for (const { origin, message } of walk.problems) hash.update(`!${origin.file}\0${message}\0`);
  return `folder:${hash.digest('hex')}`;
}

/**
 * The bytes of one file. The last part of the path is opened without following a link, and where the parts before it lead
 * is checked, so that swapping a folder for a link between listing and reading leads nowhere.
 * @throws ReconcilerError ('replan') when it is no regular file below `root` any more; the error of the file system.
 */
export async function readInside(root: string, path: string, limit: number): Promise<Buffer> {
  const whole = join(root, path);
  // Without waiting: opening a named pipe would block until somebody writes to it.
  const handle = await open(whole, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (!status.isFile() || status.size > limit || (await realpath(whole)) !== whole) throw changed(path);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

export function contentId(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function changed(path: string): ReconcilerError {
  return new ReconcilerError(`${path} changed while it was being read.`, 'replan', {
    remedy: 'Nothing to do: the next pass reads the folder as it is then.',
    code: 'source-changed',
  });
}

async function look(
  root: string,
  path: string,
  limits: SourceLimits,
  known: Hashed | undefined,
): Promise<Problem | { readonly file: SourceFile; readonly hashed: Hashed | undefined } | undefined> {
  if (path.includes('\uFFFD') || /[\p{Cc}\\]/u.test(path)) {
    return refusedEntry(
      JSON.stringify(path).slice(1, -1),
      'The name is not valid UTF-8 or holds a control character.',
      'Rename it.',
    );
  }
  try {
    const status = await lstat(join(root, path), { bigint: true });
    if (status.isSymbolicLink()) return refusedLink(path);
    if (!status.isFile()) return refusedEntry(path, 'This is not a regular file.', 'Take it out of the folder.');
    const size = Number(status.size);
    if (size > limits.maxFileBytes) return refusedSize(path, size, limits.maxFileBytes);
    const marks = [status.mtimeNs, status.ctimeNs, status.size, status.ino, status.dev].join(' ');
    if (known?.marks === marks) return { file: { path, id: known.id, size }, hashed: known };
    const settled = Date.now() - Math.max(Number(status.mtimeMs), Number(status.ctimeMs)) > RACY_MS;
    const bytes = await readInside(root, path, limits.maxFileBytes);
    const id = contentId(bytes);
    return { file: { path, id, size: bytes.length }, hashed: settled ? { marks, id } : undefined };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function tooMany(limit: number): ReconcilerError {
  return new ReconcilerError(`There are more than ${limit} files in the folder.`, 'backoff', {
    remedy: 'Name the folder that holds the manifests.',
    code: 'source-too-large',
  });
}
