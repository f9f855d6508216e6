import semver from 'semver';
import { ReconcilerError } from '../errors.ts';
import { describeRef } from './git-ref.ts';
import type { GitRef, Resolved } from './git-ref.ts';
import type { LastGood } from './git-state.ts';

/** Code of the errors that a person can overrule by accepting the revision. */
export const BACKWARDS = 'source-backwards';

/**
 * Turns down a commit that does not come after the last good one. `follows` says whether it descends from it; only for
 * branches does that matter, because a newer tag may sit on any line of history.
 * @throws ReconcilerError ('backoff', `source-backwards`)
 */
export function refuseBackwards(ref: GitRef, good: LastGood, target: Resolved, follows: boolean): void {
  if (good.revision === target.commit || follows) return;
  const [from, to] = [good.revision.slice(0, 12), target.commit.slice(0, 12)];
  if ('branch' in ref) {
    throw backwards(
      `The history of ${describeRef(ref)} was rewritten: ${to} does not follow ${from} (force-push).`,
      target.commit,
    );
  }
  if (good.name === target.name) throw backwards(`${target.name} was moved from ${from} to ${to}.`, target.commit);
  if (good.version === undefined || target.version === undefined) return;
  const order = semver.compareBuild(target.version, good.version);
  if (order < 0) {
    throw backwards(`The newest version in range went back from ${good.version} to ${target.version}.`, target.commit);
  }
  // `1.0.0` beside `v1.0.0`, on another commit.
  if (order === 0) {
    throw backwards(
      `Version ${good.version} is now ${target.name} at ${to}, and was ${good.name} at ${from}.`,
      target.commit,
    );
  }
}

/**
 * The error for a revision with nothing below the path. A first read is refused as well: with nothing to compare, an empty folder
 * looks the same as a mistyped path or a repository emptied while the cache was lost.
 */
export function emptied(path: string, good: LastGood | undefined, revision: string): ReconcilerError {
  const where = path === '' ? 'The repository' : `The path ${path}`;
  if (good !== undefined && good.entries > 0) {
    return backwards(`${where} had ${good.entries} files and has none at ${revision.slice(0, 12)}.`, revision);
  }
  return new ReconcilerError(`${where} has no files at ${revision.slice(0, 12)}.`, 'backoff', {
    remedy: 'Commit a first manifest, or correct path.',
    code: 'source-empty',
  });
}

function backwards(reason: string, revision: string): ReconcilerError {
  return new ReconcilerError(reason, 'backoff', {
    remedy: `Restore it in the repository, or accept revision ${revision} if it is meant.`,
    code: BACKWARDS,
  });
}
