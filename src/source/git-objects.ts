import { BlobProcess } from './git-blob-process.ts';
import { abortReason } from './git-failure.ts';
import type { GitPlace } from './git-process.ts';

/** Milliseconds for which a process that has answered is kept for the next reader: a pass reads in many small batches. */
const KEPT = 1000;

interface Kept {
  readonly process: BlobProcess;
  readonly timer: NodeJS.Timeout;
}

const kept = new WeakMap<GitPlace, Kept>();

/**
 * The blobs `ids`, in that order, from one `git cat-file --batch`. At most one blob is held at a time; git waits while
 * the reader is busy. The process is used again by readers that follow soon, because starting one costs as much as reading
 * hundreds of files; one whose reader stopped early, failed or was aborted is killed.
 * @throws Error when a blob is missing or git fails; the signal's reason when it was aborted.
 */
export async function* readBlobs(
  place: GitPlace,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<{ readonly id: string; readonly bytes: Buffer }, void> {
  if (ids.length === 0) return;
  signal.throwIfAborted();
  const process = take(place) ?? new BlobProcess(place);
  const kill = (): void => process.kill();
  signal.addEventListener('abort', kill, { once: true });
  let finished = false;
  try {
    process.ask(ids);
    for (const id of ids) yield { id, bytes: await process.answer(id) };
    finished = true;
  } catch (error) {
    throw signal.aborted ? abortReason(signal) : error;
  } finally {
    signal.removeEventListener('abort', kill);
    if (finished && !signal.aborted) keep(place, process);
    else kill();
  }
}

function take(place: GitPlace): BlobProcess | undefined {
  const found = kept.get(place);
  if (found === undefined) return undefined;
  kept.delete(place);
  clearTimeout(found.timer);
  found.process.hold(true);
  return found.process;
}

/** One is kept per place: two readers at the same time have two processes, of which the later one to finish ends. */
function keep(place: GitPlace, process: BlobProcess): void {
  if (kept.has(place)) return process.end();
  process.hold(false);
  const drop = (): void => {
    if (kept.get(place)?.process === process) kept.delete(place);
  };
  const timer = setTimeout(() => {
    drop();
    process.end();
  }, KEPT).unref();
  kept.set(place, { process, timer });
  void process.closed.then(drop);
}
