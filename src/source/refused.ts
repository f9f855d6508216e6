import type { Problem } from '../errors.ts';

/**
 * An entry of a source that is not taken. It withholds deletes (law 3) when it may stand for a manifest: a link or a
 * submodule always, because a folder may be behind it; a file only when its ending says so.
 */
export function refusedEntry(path: string, message: string, remedy: string): Problem {
  return { origin: { file: path, line: 1, column: 1 }, message, remedy, severity: 'error' };
}

export function refusedFile(path: string, message: string, remedy: string): Problem {
  const severity = /\.(?:ya?ml|json)$/i.test(path) ? 'error' : 'warning';
  return { origin: { file: path, line: 1, column: 1 }, message, remedy, severity };
}

export function refusedLink(path: string): Problem {
  return refusedEntry(
    path,
    'This is a symbolic link. Links are not followed, because they can lead out of the source.',
    'Replace it by the file it points to, or take it out of the path.',
  );
}

export function refusedSize(path: string, size: number, limit: number): Problem {
  return refusedFile(
    path,
    `The file has ${size} bytes; ${limit} are allowed.`,
    'Split it, or keep it outside the path.',
  );
}

/** Code-unit order, the order of a snapshot's files. */
export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}
