import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bad } from './git-config.ts';
import type { CheckedConfig } from './git-config.ts';

/** Environment of one conversation with the server; `close` takes the key off the disk again. */
export interface Conversation {
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Environment variables that reach git: where programs are, and how to get out of the network. Nothing else is passed on. */
const PASSED_ON = [
  'PATH',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SystemRoot',
] as const;

/**
 * The environment of every git command. Without HOME there is no configuration of a user, without the system's file
 * none of the machine: what git does is decided by the repository's own config file, which we write.
 */
export function baseEnvironment(
  dir: string,
  transport: string,
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    HOME: join(dir, 'no-home'),
    XDG_CONFIG_HOME: join(dir, 'no-home'),
    GIT_DIR: dir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: transport,
    GIT_LITERAL_PATHSPECS: '1',
    GIT_OPTIONAL_LOCKS: '0',
  };
  for (const name of PASSED_ON) {
    const value = given[name];
    if (value !== undefined && value !== '') env[name] = value;
  }
  return env;
}

/** Names in the environment that begin with GIT_, for simple-git's guard: all of them are set here, none is inherited. */
export const GIT_VARIABLES = [
  'GIT_DIR',
  'GIT_CONFIG_NOSYSTEM',
  'GIT_ATTR_NOSYSTEM',
  'GIT_TERMINAL_PROMPT',
  'GIT_ALLOW_PROTOCOL',
  'GIT_LITERAL_PATHSPECS',
  'GIT_OPTIONAL_LOCKS',
  'GIT_NO_LAZY_FETCH',
] as const;

/** Reads the credentials of one source, lends them to git, and knows which texts must never be shown. */
export class GitAccess {
  readonly #config: CheckedConfig;
  readonly #dir: string;
  readonly #base: Readonly<Record<string, string>>;
  readonly #secrets = new Set<string>();

  constructor(config: CheckedConfig, dir: string, base: Readonly<Record<string, string>>) {
    this.#config = config;
    this.#dir = dir;
    this.#base = base;
  }

  /** @throws ReconcilerError ('never' or 'backoff') when a secret is empty or malformed; whatever the reader throws. */
  async open(): Promise<Conversation> {
    const { auth, target } = this.#config;
    if (target.transport === 'ssh') return this.#openSsh();
    if (auth.token === undefined || target.transport === 'file')
      return { env: this.#base, close: async () => undefined };
    const token = (await auth.token()).replace(/[\r\n]+$/, '');
    // A line break would smuggle in a header of its own
    if (token === '' || /\p{Cc}/u.test(token)) {
      throw bad('the token is empty or holds a control character.', 'Check what auth.token refers to.');
    }
    const basic = Buffer.from(`${auth.username ?? 'x-access-token'}:${token}`, 'utf8').toString('base64');
    this.#remember(token, basic);
    // In the environment, not on the command line that `ps` shows everybody, and not on disk. The key names the origin,
    // so git sends the header there and nowhere else.
    const env = {
      ...this.#base,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `http.${target.origin}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
    };
    return { env, close: async () => undefined };
  }

  /** Replaces every secret read so far, in each form it could take in git's or a server's text. */
  redact(text: string): string {
    let clean = text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1');
    // Longest first, so that no part of a secret survives because a shorter one inside it was replaced.
    for (const secret of [...this.#secrets].sort((a, b) => b.length - a.length))
      clean = clean.replaceAll(secret, '[redacted]');
    return clean;
  }

  async #openSsh(): Promise<Conversation> {
    const { auth } = this.#config;
    const key = await auth.sshKey?.();
    if (key === undefined || key.trim() === '') throw bad('the ssh key is empty.', 'Check what auth.sshKey refers to.');
    for (const line of key.split(/[\r\n]+/)) if (line.length > 16 && !line.startsWith('-----')) this.#remember(line);
    const folder = join(this.#dir, SSH_FOLDER);
    const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
    await close();
    await mkdir(folder, { mode: 0o700 });
    try {
      await writeFile(join(folder, 'key'), `${key.trimEnd()}\n`, { mode: 0o600, flag: 'wx' });
      const known = auth.knownHosts;
      if (known !== undefined && 'text' in known)
        await writeFile(join(folder, 'known_hosts'), `${known.text.trimEnd()}\n`, { mode: 0o600 });
    } catch (error) {
      await close();
      throw error;
    }
    return { env: this.#base, close };
  }

  #remember(...secrets: readonly string[]): void {
    for (const secret of secrets) {
      const base64 = Buffer.from(secret, 'utf8').toString('base64');
      const forms = [
        secret,
        secret.replace(/=+$/, ''),
        encodeURIComponent(secret),
        base64,
        base64.replace(/=+$/, ''),
        Buffer.from(secret, 'utf8').toString('base64url'),
        JSON.stringify(secret).slice(1, -1),
      ];
      for (const form of forms) if (form !== '') this.#secrets.add(form);
    }
  }
}

const SSH_FOLDER = 'ssh';

/**
 * The command that git starts for ssh URLs. Only the given key and only the given host keys count: no file of the user
 * or the machine, no agent, no question to anybody, and an end to waiting for a host that is silent.
 */
export function sshCommand(dir: string, knownHostsFile?: string): string {
  const folder = join(dir, SSH_FOLDER);
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${quotedForSsh(knownHostsFile ?? join(folder, 'known_hosts'))}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    'ForwardAgent=no',
    'ClearAllForwardings=yes',
    'ConnectTimeout=15',
    'ServerAliveInterval=15',
    'ServerAliveCountMax=3',
  ];
  const words = ['ssh', '-F', '/dev/null', '-i', join(folder, 'key'), ...options.flatMap((option) => ['-o', option])];
  return words.map(quotedForShell).join(' ');
}

function quotedForShell(word: string): string {
  return /^[A-Za-z0-9_/.=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** ssh splits UserKnownHostsFile at spaces and expands %-tokens; quotes and %% keep a path in one piece. */
function quotedForSsh(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('"', '\\"')}"`;
}
