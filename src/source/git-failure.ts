import { ReconcilerError } from '../errors.ts';

interface Cause {
  readonly sign: RegExp;
  readonly code: string;
  readonly remedy: string;
}

// git has no error codes, only English text under LC_ALL=C. The text decides nothing but which advice is given.
const CAUSES: readonly Cause[] = [
  {
    sign: /redirect|returned error: 30\d/i,
    code: 'source-redirect',
    remedy:
      'The server redirects elsewhere, which is not followed because the credentials are for this host only: configure the final URL.',
  },
  {
    sign: /Host key verification failed|REMOTE HOST IDENTIFICATION|No .* host key is known/i,
    code: 'source-host-key',
    remedy: 'Compare the host key with what the host publishes, then correct auth.knownHosts.',
  },
  {
    sign: /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 40[13]|Permission denied|invalid credentials|error in libcrypto/i,
    code: 'source-auth',
    remedy: 'Check that the token or key is valid, not expired, and may read this repository.',
  },
  {
    sign: /dubious ownership|safe\.directory/i,
    code: 'source-ownership',
    remedy: 'The local repository belongs to another user: run as that user, or fetch it over ssh or https.',
  },
  {
    sign: /certificate|SSL|TLS|gnutls/i,
    code: 'source-tls',
    remedy: 'Check the server certificate; for an authority of your own give caFile.',
  },
  {
    sign: /repository .*not found|does not appear to be a git repository|No such file or directory|returned error: 404/i,
    code: 'source-not-found',
    remedy: 'Check the URL, and that the credentials may see the repository.',
  },
  {
    sign: /fsck|object of unexpected type|bad object|is corrupt|missing blob|missing tree|loose object/i,
    code: 'source-corrupt',
    remedy: 'Run `git fsck` on the repository; if that is clean, delete the cache directory of this source.',
  },
  {
    sign: /unable to start|ENOENT/,
    code: 'source-git-missing',
    remedy: 'Install git (2.31 or newer) and put it on the PATH.',
  },
];

/** The reason a signal was aborted for, always as an Error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new Error('The operation was aborted', { cause: signal.reason });
}

/**
 * Turns whatever git or simple-git threw into an error for people. `redact` takes secrets out of the text. The original is
 * not kept as `cause`, because it carries the command and text that were not redacted.
 */
export function gitFailure(doing: string, error: unknown, redact: (text: string) => string): ReconcilerError {
  if (error instanceof ReconcilerError) return error;
  const text = printable(redact(error instanceof Error ? error.message : String(error)));
  const known = CAUSES.find(({ sign }) => sign.test(text));
  return new ReconcilerError(`${doing} failed: ${text}`, 'backoff', {
    code: known?.code ?? 'source-unreachable',
    remedy: known?.remedy ?? 'Check that the server can be reached from here and that the URL is right.',
  });
}

/** One line, bounded, without control characters: a server's text must not move a terminal's cursor or fake a log line. */
export function printable(text: string, limit = 600): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.replace(/\p{C}/gu, '').trim());
  const line = lines.filter((each) => each !== '').join('; ');
  return line.length > limit ? `${line.slice(0, limit)} …` : line;
}
