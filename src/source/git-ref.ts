import semver from 'semver';
import { ReconcilerError } from '../errors.ts';

/** Which commit of a repository is meant. `semver` is a range over tags such as `v1.2.3` or `1.2.3`; the newest match counts. */
export type GitRef =
  { readonly branch: string } | { readonly tag: string } | { readonly commit: string } | { readonly semver: string };

/** What a ref led to on the server. */
export interface Resolved {
  /** What to ask the server for: a full ref name, or a commit id. */
  readonly name: string;
  /** Commit id as the server advertised it. */
  readonly commit: string;
  /** For semver ranges. */
  readonly version?: string;
}

const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** @throws ReconcilerError ('never', `source-config`) for names that git does not allow, or that a command line could take for an option. */
export function checkRef(ref: GitRef): void {
  if ('branch' in ref) checkName(ref.branch, 'branch');
  else if ('tag' in ref) checkName(ref.tag, 'tag');
  else if ('commit' in ref) {
    if (!OBJECT_ID.test(ref.commit)) {
      throw refused(
        'ref.commit is not a whole commit id.',
        'Write all 40 lower-case hexadecimal digits: `git rev-parse REF` prints them.',
      );
    }
  } else if (semver.validRange(ref.semver) === null) {
    throw refused(
      `ref.semver is not a version range: ${JSON.stringify(ref.semver)}.`,
      'Write one such as ">=1.2.0 <2" or "~1.4".',
    );
  }
}

export function describeRef(ref: GitRef): string {
  if ('branch' in ref) return `branch ${ref.branch}`;
  if ('tag' in ref) return `tag ${ref.tag}`;
  return 'commit' in ref ? `commit ${ref.commit.slice(0, 12)}` : `semver ${ref.semver}`;
}

/** Patterns for `git ls-remote`; none when the ref needs no question. */
export function patternsOf(ref: GitRef): readonly string[] {
  if ('branch' in ref) return [`refs/heads/${ref.branch}`];
  if ('tag' in ref) return [`refs/tags/${ref.tag}`, `refs/tags/${ref.tag}^{}`];
  return 'commit' in ref ? [] : ['refs/tags/*'];
}

/**
 * Finds the commit among what the server advertised (ref name → object id; `^{}` names what an annotated tag points to).
 * @throws ReconcilerError ('backoff', `source-ref-missing`)
 */
export function resolveRef(ref: GitRef, advertised: ReadonlyMap<string, string>): Resolved {
  if ('commit' in ref) return { name: ref.commit, commit: ref.commit };
  if ('semver' in ref) return newest(ref.semver, advertised);
  const name = 'branch' in ref ? `refs/heads/${ref.branch}` : `refs/tags/${ref.tag}`;
  const commit = advertised.get(`${name}^{}`) ?? advertised.get(name);
  if (commit === undefined) {
    throw missing(`The ${describeRef(ref)} does not exist in the repository.`, 'Push it again, or correct ref.');
  }
  return { name, commit };
}

function newest(range: string, advertised: ReadonlyMap<string, string>): Resolved {
  let best: { version: semver.SemVer; name: string } | undefined;
  for (const name of advertised.keys()) {
    if (name.endsWith('^{}') || !name.startsWith('refs/tags/')) continue;
    const version = semver.parse(name.slice('refs/tags/'.length).replace(/^v/, ''));
    if (version === null || !semver.satisfies(version, range)) continue;
    if (best === undefined || semver.compareBuild(version, best.version) > 0) best = { version, name };
  }
  const commit = best === undefined ? undefined : (advertised.get(`${best.name}^{}`) ?? advertised.get(best.name));
  if (best === undefined || commit === undefined) {
    throw missing(
      `No tag of the repository matches the version range ${range}.`,
      'Push such a tag, or widen ref.semver.',
    );
  }
  return { name: best.name, commit, version: best.version.raw };
}

/** Rules of git-check-ref-format(1). */
function checkName(name: string, what: string): void {
  const parts = name.split('/');
  const odd = /[\p{Cc} ~^:?*[\\]|\.\.|@\{|^-|\.$|^@$/u.test(name);
  if (odd || parts.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'))) {
    throw refused(
      `ref.${what} is not a name that git allows: ${JSON.stringify(name)}.`,
      `Write the ${what}'s short name, without refs/.`,
    );
  }
}

function refused(reason: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`git source: ${reason}`, 'never', { remedy, code: 'source-config' });
}

function missing(reason: string, remedy: string): ReconcilerError {
  return new ReconcilerError(reason, 'backoff', { remedy, code: 'source-ref-missing' });
}
