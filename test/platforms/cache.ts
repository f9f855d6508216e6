import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

const MARKER = '.complete';

/**
 * A folder of the tests' cache, below `~/.cache/plumbline-tests` or the folder that PLUMBLINE_TEST_CACHE names: as it is when it was
 * finished by the same recipe, else built aside and moved into place. Whatever was interrupted leaves nothing behind that looks finished.
 */
export async function cached(name: string, recipe: string, build: (folder: string) => Promise<void>): Promise<string> {
  const cache = resolve(process.env['PLUMBLINE_TEST_CACHE'] ?? join(homedir(), '.cache', 'plumbline-tests'));
  const folder = join(cache, name);
  const stamp = createHash('sha256').update(recipe).digest('hex');
  if (isComplete(folder, stamp)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  dropRemains(dirname(folder), basename(folder));
  const partial = `${folder}.partial-${process.pid}`;
  mkdirSync(partial);
  const start = performance.now();
  say(`installing ${name} into ${folder} (once per version) …`);
  try {
    await build(partial);
    writeFileSync(join(partial, MARKER), stamp);
    // Somebody else may have finished the same meanwhile; a server may run from there, so theirs stays.
    if (!isComplete(folder, stamp)) {
      rmSync(folder, { recursive: true, force: true });
      renameSync(partial, folder);
    }
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  say(`installed ${name} in ${Math.round((performance.now() - start) / 1000)} s`);
  return folder;
}

function isComplete(folder: string, stamp: string): boolean {
  const marker = join(folder, MARKER);
  return existsSync(marker) && readFileSync(marker, 'utf8') === stamp;
}

/** Removes what installers that are no longer there left unfinished. */
function dropRemains(cache: string, name: string): void {
  for (const entry of readdirSync(cache)) {
    const pid = entry.startsWith(`${name}.partial-`) ? Number(entry.slice(`${name}.partial-`.length)) : undefined;
    if (pid !== undefined && !isAlive(pid)) rmSync(join(cache, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function say(line: string): void {
  console.error(`tests: ${line}`);
}
