import { hash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { messageOf, ReconcilerError } from '../errors.ts';
import { pluginError } from './plugin-error.ts';

/** Files and folders of one plugin at most: every one is looked at before its code runs. */
const MOST_ENTRIES = 10_000;

/** A plugin's folder as its processes see it. */
export interface PluginFolder {
  /** Real path of the folder: all that the code may read. */
  readonly root: string;
  /** Real path of the module that is loaded. */
  readonly entry: string;
  /** Changes whenever a file in the folder does. */
  readonly stamp: string;
}

/** Where a plugin is, as its configuration writes it. */
export interface PluginPlace {
  readonly name: string;
  readonly folder: string;
  readonly entry: string;
  /** Folder of the configuration, from which `folder` counts. */
  readonly baseDir: string;
}

/**
 * Follows a plugin's folder to where it really is. The runtime grants reading by path and follows symbolic links wherever
 * they lead, so a folder with one that leads out is refused, as is one that holds the configuration.
 * @throws ReconcilerError 'never' (`plugin-folder`)
 */
export async function openFolder(place: PluginPlace): Promise<PluginFolder> {
  try {
    return await examine(place);
  } catch (error) {
    if (error instanceof ReconcilerError) throw error;
    throw pluginError(place.name, 'plugin-folder', `has a folder that cannot be read: ${messageOf(error)}`);
  }
}

async function examine({ name, folder, entry, baseDir }: PluginPlace): Promise<PluginFolder> {
  const refuse = (what: string): never => {
    throw pluginError(name, 'plugin-folder', what);
  };
  const given = resolve(baseDir, folder);
  const root = await real(given);
  if (root === undefined || !(await stat(root)).isDirectory()) return refuse(`has no folder at ${given}`);
  const base = (await real(baseDir)) ?? resolve(baseDir);
  if (isInside(base, root)) return refuse(`may not have a folder that holds the configuration (${root})`);
  if (root.includes('*')) return refuse(`may not lie in a folder with "*" in its path (${root})`);
  const file = await real(join(root, entry));
  if (file === undefined || !(await stat(file)).isFile()) return refuse(`has no file ${entry} in ${root}`);
  if (!isInside(file, root)) return refuse(`has its entry ${entry} outside of ${root}`);
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  if (found.length > MOST_ENTRIES) return refuse(`has more than ${MOST_ENTRIES} files in ${root}`);
  const lines: string[] = [];
  for (const one of found) {
    const path = join(one.parentPath, one.name);
    const target = await real(path);
    if (target === undefined || !isInside(target, root))
      return refuse(`has a symbolic link that leads out of its folder or nowhere (${relative(root, path)})`);
    const { size, mtimeMs, ino } = await stat(target);
    lines.push([relative(root, path), size, mtimeMs, ino].join('\0'));
  }
  return { root, entry: file, stamp: hash('sha256', JSON.stringify([root, entry, lines.toSorted()])) };
}

function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

async function real(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}
