/** A repository address that may be used, taken apart. */
export type GitUrl =
  | {
      readonly ok: true;
      readonly transport: 'https' | 'http';
      /** `https://host[:port]`, lower case: what a token is bound to. */
      readonly origin: string;
      readonly host: string;
    }
  | { readonly ok: true; readonly transport: 'ssh'; readonly host: string }
  | {
      readonly ok: true;
      readonly transport: 'file';
      /** Absolute path on this machine. */
      readonly path: string;
    };

export interface RefusedUrl {
  readonly ok: false;
  /** Why, without the URL: a refused one may hold a password. */
  readonly reason: string;
  readonly remedy: string;
}

const HOST = String.raw`(?<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])`;
const USER = String.raw`(?<user>[A-Za-z0-9_][A-Za-z0-9._-]*)`;
// The authority is matched strictly instead of parsed leniently: git, libcurl and the URL standard disagree about
// odd ones, and where they disagree a token could go to a host that nobody checked.
const HTTP = new RegExp(`^(?<scheme>https?)://${HOST}(?::(?<port>[0-9]{1,5}))?(?<path>/[^?#]*)?$`);
const SSH = new RegExp(`^ssh://(?:${USER}@)?${HOST}(?::[0-9]{1,5})?(?<path>/.+)$`);
const SCP_LIKE = new RegExp(`^(?:${USER}@)?${HOST}:(?<path>[^:].*)$`);
const FILE = /^file:\/\/(?:localhost)?(?<path>\/.*)$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

const EXAMPLES =
  'Use https://host/path.git, ssh://git@host/path.git, git@host:path.git, file:///path or an absolute path.';

/**
 * Whether a repository's URL may be handed to git, and to whom it leads. Pure; resolves no name. `credentials` says that
 * a token will be sent along.
 *
 * Allowed: https; http (see `refuseCleartext`); ssh in both spellings; file URLs and absolute paths. Everything that
 * names a program instead of a place (`ext::`, `fd::`, any `helper::`) or that a command line could take for an option
 * is refused, as git's own documentation advises for addresses from others (gitremote-helpers(7), `protocol.allow` in git-config(1)).
 */
export function checkGitUrl(url: string, use: { readonly credentials?: boolean } = {}): GitUrl | RefusedUrl {
  return refuseText(url) ?? refuseEmbedded(url) ?? take(url, use.credentials ?? false);
}

function refuseText(url: string): RefusedUrl | undefined {
  if (url === '') return refused('The repository URL is empty.', EXAMPLES);
  if (/[\p{Cc} \\]/u.test(url)) {
    return refused(
      'The repository URL holds a space, a backslash or a control character.',
      'Percent-encode it (a space is %20).',
    );
  }
  if (url.startsWith('-'))
    return refused('The repository URL begins with "-", which git would take for an option.', EXAMPLES);
  if (/^[^/:@]*::/.test(url)) {
    return refused('The repository URL names a remote helper ("name::"), which makes git run a program.', EXAMPLES);
  }
  return undefined;
}

function refuseEmbedded(url: string): RefusedUrl | undefined {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(url)?.[1] ?? '';
  const user = authority.slice(0, Math.max(0, authority.lastIndexOf('@')));
  if (user === '' || (url.startsWith('ssh://') && !user.includes(':'))) return undefined;
  return refused(
    'The repository URL carries a user name or password, which would end up in logs and on disk.',
    'Take it out of the URL and give it in auth: {username, token}.',
  );
}

function take(url: string, credentials: boolean): GitUrl | RefusedUrl {
  const http = HTTP.exec(url)?.groups;
  if (http !== undefined) return takeHttp(http, credentials);
  if (/^https?:/i.test(url)) {
    return refused(
      'The repository URL is not a plain http(s) URL.',
      'Write https://host[:port]/path in lower case, without "?" and "#".',
    );
  }
  const ssh = SSH.exec(url)?.groups ?? (/^[^/]*:\/\//.test(url) ? undefined : SCP_LIKE.exec(url)?.groups);
  if (ssh !== undefined) return takeSsh(ssh);
  const path = FILE.exec(url)?.groups?.path;
  if (path !== undefined) {
    const decoded = percentDecoded(path);
    if (decoded === undefined) return refused('The file URL has a broken %-escape.', 'Write a literal % as %25.');
    return { ok: true, transport: 'file', path: decoded };
  }
  if (url.startsWith('/')) return { ok: true, transport: 'file', path: url };
  if (/^git:/i.test(url)) {
    return refused(
      'The git:// protocol neither encrypts nor authenticates, so anybody on the way could change the manifests.',
      EXAMPLES,
    );
  }
  return refused('The repository URL is of a kind that is not supported.', EXAMPLES);
}

function takeHttp(parts: Readonly<Record<string, string | undefined>>, credentials: boolean): GitUrl | RefusedUrl {
  const host = (parts.host ?? '').toLowerCase();
  const transport = parts.scheme === 'https' ? 'https' : 'http';
  if (transport === 'http' && credentials) {
    const refusal = refuseCleartext(host);
    if (refusal !== undefined) return refusal;
  }
  const port = parts.port === undefined ? '' : `:${parts.port}`;
  return { ok: true, transport, host, origin: `${transport}://${host}${port}` };
}

/**
 * Plain http without a token is let through, because git servers inside a cluster or a lab often speak nothing else, and
 * whoever configures it can see that it is not encrypted. A token over it would be readable to everybody on the way, and
 * then usable elsewhere, so that only goes to this machine itself.
 */
function refuseCleartext(host: string): RefusedUrl | undefined {
  if (LOOPBACK.test(host)) return undefined;
  return refused(
    'A token would cross the network unencrypted over http.',
    'Use https, or take the token out if the repository is public.',
  );
}

function takeSsh(parts: Readonly<Record<string, string | undefined>>): GitUrl | RefusedUrl {
  const path = (parts.path ?? '').replace(/^\/+/, '');
  if (path === '' || path.startsWith('-')) {
    return refused(
      'The ssh URL has no path, or one that begins with "-", which the server could take for an option.',
      EXAMPLES,
    );
  }
  return { ok: true, transport: 'ssh', host: (parts.host ?? '').toLowerCase() };
}

function percentDecoded(path: string): string | undefined {
  try {
    const decoded = decodeURIComponent(path);
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}

function refused(reason: string, remedy: string): RefusedUrl {
  return { ok: false, reason, remedy };
}
