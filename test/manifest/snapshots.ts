import { createHash } from 'node:crypto';
import { ReconcilerError } from '../../src/errors.ts';
import type { Problem } from '../../src/errors.ts';
import type { Snapshot } from '../../src/source/source.ts';

/** A snapshot of files that are given as texts; `reads` lists what was asked for, one entry per call. */
export interface TextSnapshot extends Snapshot {
  readonly reads: (readonly string[])[];
}

export function snapshotOf(
  files: Readonly<Record<string, string | Buffer>>,
  problems: readonly Problem[] = [],
): TextSnapshot {
  const reads: (readonly string[])[] = [];
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]));
  const entries = [...contents]
    .map(([path, bytes]) => ({ path, id: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }))
    .sort((left, right) => (left.path < right.path ? -1 : 1));
  const revision = createHash('sha256').update(JSON.stringify(entries)).digest('hex');
  return {
    revision: `folder:${revision}`,
    files: entries,
    problems,
    reads,
    async *read(paths, signal) {
      reads.push(paths);
      for (const path of paths) {
        signal.throwIfAborted();
        const bytes = contents.get(path);
        if (bytes === undefined) throw new ReconcilerError(`There is no ${path}.`, 'replan');
        yield { path, bytes };
      }
    },
    lastCommits: () => Promise.resolve(new Map()),
  };
}
