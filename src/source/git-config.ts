import { ReconcilerError } from '../errors.ts';
import { checkRef, describeRef } from './git-ref.ts';
import type { GitRef } from './git-ref.ts';
import { checkGitUrl } from './url.ts';
import type { GitUrl } from './url.ts';

/** Gives a secret's present value. Called for every conversation with the server, so that a rotated secret is seen at once. */
export type SecretReader = () => Promise<string>;

export interface GitAuth {
  /** User name beside the token; default `x-access-token`, which GitHub asks for and others ignore. */
  readonly username?: string;
  /** Token or password for https. */
  readonly token?: SecretReader;
  /** Private key for ssh, as the text of its file. */
  readonly sshKey?: SecretReader;
  /** Host keys to trust for ssh, in known_hosts format. */
  readonly knownHosts?: { readonly text: string } | { readonly file: string };
}

export interface GitSourceConfig {
  readonly url: string;
  readonly ref: GitRef;
  /** Folder inside the repository that holds the manifests; default the whole repository. */
  readonly path?: string;
  readonly auth?: GitAuth;
  /** PEM file with certificate authorities to trust for https instead of the system's. */
  readonly caFile?: string;
  /** Milliseconds for one git command; default 60,000. */
  readonly timeout?: number;
  /** Commits to fetch at first from a remote repository; default 1. More are fetched when history is asked for. */
  readonly depth?: number;
}

/** One exchange with the server, for metrics. */
export interface Conversed {
  readonly command: 'ls-remote' | 'fetch';
  readonly result: 'success' | 'failure';
  readonly milliseconds: number;
}

export interface GitSourceOptions {
  /** Folder for mirrors, one below it per url, ref and path. One process at a time (the state directory's lock sees to that). */
  readonly cacheDir: string;
  /** The program's environment, of which git gets PATH, proxies and certificate folders, and nothing else. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly limits?: Partial<SourceLimits>;
  /** Commit ids that a person accepted although they go backwards or have no files; see `accept`. */
  readonly accepted?: readonly string[];
  /** Called after every exchange with the server; for metrics. */
  readonly onConversed?: (what: Conversed) => void;
}

/** What bounds one snapshot. */
export interface SourceLimits {
  /** Bytes of one file; default 10 MB. A larger one becomes a problem. */
  readonly maxFileBytes: number;
  /** Entries below the path; default 50,000. More make the read fail, because half a listing would look like deletions. */
  readonly maxFiles: number;
}

export const DEFAULT_LIMITS: SourceLimits = { maxFileBytes: 10_000_000, maxFiles: 50_000 };
const DEFAULT_TIMEOUT = 60_000;

/** A configuration that passed every check. */
export interface CheckedConfig {
  readonly url: string;
  readonly target: GitUrl;
  readonly ref: GitRef;
  /** Normalised, without leading or trailing slash; '' is the whole repository. */
  readonly path: string;
  readonly auth: GitAuth;
  readonly caFile: string | undefined;
  readonly timeout: number;
  readonly depth: number;
  readonly description: string;
}

/**
 * Checks everything that can be checked without the network.
 * @throws ReconcilerError ('never', `source-config`)
 */
export function checkConfig(config: GitSourceConfig): CheckedConfig {
  const auth = config.auth ?? {};
  const target = checkGitUrl(config.url, { credentials: auth.token !== undefined });
  if (!target.ok) throw bad(target.reason, target.remedy);
  checkRef(config.ref);
  checkAuth(target, auth);
  const path = checkPath(config.path ?? '');
  if (config.caFile !== undefined && !config.caFile.startsWith('/'))
    throw bad('caFile is not an absolute path.', 'Write it from / on.');
  return {
    url: config.url,
    target,
    ref: config.ref,
    path,
    auth,
    caFile: config.caFile,
    timeout: positive(config.timeout ?? DEFAULT_TIMEOUT, 'timeout'),
    depth: positive(config.depth ?? 1, 'depth'),
    description: `git ${config.url} ${describeRef(config.ref)}${path === '' ? '' : ` path ${path}`}`,
  };
}

function checkAuth(target: GitUrl, auth: GitAuth): void {
  if (target.transport === 'ssh') {
    if (auth.sshKey === undefined) throw bad('An ssh repository needs a private key.', 'Give auth.sshKey.');
    if (auth.knownHosts === undefined) {
      throw bad(
        `The host keys of ${target.host} are not given, and a host is never trusted because it answered first.`,
        `Give auth.knownHosts, for example from \`ssh-keyscan ${target.host}\` after comparing it with what the host publishes.`,
      );
    }
    if (auth.token !== undefined)
      throw bad('A token cannot be used over ssh.', 'Give auth.sshKey, or use the https URL.');
    return;
  }
  if (auth.sshKey !== undefined)
    throw bad('An ssh key can only be used with an ssh URL.', 'Use the ssh URL, or give auth.token.');
  if (target.transport === 'file' && auth.token !== undefined) {
    throw bad('A local repository takes no token.', 'Remove auth.');
  }
  // A colon ends the name in Basic authentication (RFC 7617), so the rest of it would become part of the password.
  if (auth.username !== undefined && /[:\p{Cc}]|^$/u.test(auth.username)) {
    throw bad('auth.username is empty or holds a colon or a control character.', 'Write the plain name.');
  }
}

function checkPath(path: string): string {
  const normal = path
    .replace(/\/+/g, '/')
    .replace(/\/$/, '')
    .replace(/^\.(?:\/|$)/, '');
  if (/[\p{Cc}\\]/u.test(path)) throw bad('path holds a backslash or a control character.', 'Use forward slashes.');
  if (path.startsWith('/'))
    throw bad('path is absolute; it is meant from the root of the repository.', 'Remove the leading slash.');
  if (path.startsWith('-'))
    throw bad('path begins with "-", which git would take for an option.', 'Rename the folder.');
  const segments = normal.split('/');
  if (segments.includes('..')) throw bad('path leaves the repository ("..").', 'Name a folder inside the repository.');
  if (segments.some((segment) => segment === '.' || segment.toLowerCase() === '.git')) {
    throw bad('path has a "." or ".git" segment.', 'Name the folder as `git ls-files` prints it.');
  }
  return normal;
}

function positive(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw bad(`${name} is not a positive whole number.`, `Correct ${name}.`);
  return value;
}

export function bad(reason: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`git source: ${reason}`, 'never', { remedy, code: 'source-config' });
}
