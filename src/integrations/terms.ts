import { ReconcilerError } from '../errors.ts';
import { namespaceOf } from '../manifest/cluster-name.ts';
import type { GitSourceConfig } from '../source/git-config.ts';

/** What the configuration lets Integrations of one Sync run. */
export interface CodeTerms {
  readonly repositories: readonly AllowedRepository[];
  readonly limits: {
    /** Milliseconds for one call. */
    readonly timeout: number;
    /** MiB. */
    readonly memory: number;
    /** KiB that one call may answer, and print. */
    readonly output: number;
  };
}

export interface AllowedRepository extends Pick<GitSourceConfig, 'auth' | 'caFile'> {
  /** The URL, or its beginning followed by `/*`. */
  readonly url: string;
}

/**
 * The entry that allows a repository: credentials are those of that entry, and go nowhere else.
 * @throws ReconcilerError 'never' (`code-not-allowed`)
 */
export function allowedBy(sync: string, terms: CodeTerms | undefined, repository: string): AllowedRepository {
  // A Sync with a namespace is a custom resource: that can allow nothing.
  const remedy =
    namespaceOf(sync) === undefined
      ? `Whoever runs Plumbline allows it in spec.code.repositories of the Sync ${sync}, in a configuration file.`
      : 'Keep the Integration in the repository of a Sync that stands in a configuration file and allows it: what custom resources bring runs nowhere.';
  if (terms === undefined)
    throw new ReconcilerError(`The Sync ${sync} lets no Integration run code.`, 'never', {
      code: 'code-not-allowed',
      remedy,
    });
  const found = terms.repositories.find(({ url }) => matches(url, repository));
  if (found !== undefined) return found;
  throw new ReconcilerError(`The Sync ${sync} does not allow the repository ${repository}.`, 'never', {
    code: 'code-not-allowed',
    remedy,
  });
}

/** Below a prefix only plain names count: `..`, escapes and empty parts could lead out of it on the way. */
function matches(allowed: string, url: string): boolean {
  if (!allowed.endsWith('/*')) return allowed === url;
  const prefix = allowed.slice(0, -1);
  const parts = url.startsWith(prefix) ? url.slice(prefix.length).split('/') : [''];
  return parts.every((part) => /^[\w-][\w.-]*$/.test(part) && !part.includes('..'));
}
