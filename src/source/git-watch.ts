import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { watch } from 'chokidar';

/** Waits this long after a change for more of it: git moves a branch by writing and renaming several files. */
const SETTLE_MS = 15;

/**
 * Watches the refs of a repository on this machine, so that a local commit is seen at once and not at the next poll.
 * Where watching fails (no inotify left, the repository is not there yet) nothing is lost but time: the poll remains.
 */
export function watchRefs(repository: string, onChange: () => void): AsyncDisposable {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const started = gitFolder(repository).then((folder) => {
    if (folder === undefined || closed) return undefined;
    const paths = ['HEAD', 'packed-refs', 'refs', 'reftable'].map((name) => join(folder, name));
    const watcher = watch(paths, {
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path) => path.endsWith('.lock'),
    });
    const later = (): void => {
      clearTimeout(timer);
      timer = setTimeout(onChange, SETTLE_MS);
    };
    watcher.on('all', later);
    watcher.on('error', () => undefined);
    // A commit made while the watch was being set up is not reported by it.
    watcher.on('ready', later);
    return watcher;
  });
  return {
    async [Symbol.asyncDispose]() {
      closed = true;
      const watcher = await started;
      clearTimeout(timer);
      await watcher?.close();
      clearTimeout(timer);
    },
  };
}

/** The folder with the refs: the repository itself when bare, `.git` inside it, or where a worktree's `.git` file points. */
async function gitFolder(repository: string): Promise<string | undefined> {
  const inner = join(repository, '.git');
  try {
    if ((await stat(inner)).isDirectory()) return inner;
    const link = /^gitdir: (.+)$/m.exec(await readFile(inner, 'utf8'))?.[1];
    if (link === undefined) return undefined;
    const folder = isAbsolute(link) ? link : resolve(repository, link);
    const common = await readFile(join(folder, 'commondir'), 'utf8').catch(() => '.');
    return resolve(folder, common.trim());
  } catch {
    return stat(join(repository, 'HEAD')).then(
      () => repository,
      () => undefined,
    );
  }
}
