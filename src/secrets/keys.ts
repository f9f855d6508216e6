import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ReconcilerError } from '../errors.ts';

const KEY_BYTES = 32;
/** Bits of a mode. A Secret that is mounted for a user without root is root's, and readable for the group of the pod. */
const GROUP_AND_OTHERS = 0o177;
const OTHERS = 0o137;

/**
 * The installation's key for keyed hashes: 32 random bytes in a file only its owner may read, created when missing.
 * @throws ReconcilerError 'never' (`key-file-unsafe`, `key-file-damaged`) with the remedy.
 */
export function loadHashKey(path: string): Buffer {
  const key = readOrCreate(path, () => randomBytes(KEY_BYTES));
  if (key.length === KEY_BYTES) return key;
  throw damaged(
    path,
    `holds ${key.length} bytes instead of ${KEY_BYTES}`,
    'Put the file back from a backup; or delete it, and a new key is made: every secret is then written to its platform once more.',
  );
}

/**
 * The bearer token of the daemon's API: the one in the file, or a new one (43 characters, base64url) when there is none.
 * @throws ReconcilerError as `loadHashKey`
 */
export function generateToken(path: string): string {
  return checkToken(
    path,
    readOrCreate(path, () => Buffer.from(`${randomBytes(KEY_BYTES).toString('base64url')}\n`)),
  );
}

function checkToken(path: string, bytes: Buffer): string {
  const token = bytes.toString('utf8').trim();
  if (/^[\w~+/.=-]{32,512}$/.test(token)) return token;
  throw damaged(
    path,
    'holds no token of at least 32 letters and digits',
    'Delete the file, and a new token is made at the next start; programs that use the old one need the new one.',
  );
}

/** Files of keys, by what they hold. */
export const KEY_FILES = { hashKey: 'hash.key', token: 'token' } as const;

/** The keys of an installation, and where its token lies. */
export interface Keys {
  readonly hashKey: Buffer;
  readonly token: string;
  readonly tokenFile: string;
}

/**
 * The keys of an installation: those in the state directory, made when missing, unless `given` names a folder that somebody else
 * keeps, such as a mounted Secret. That one has to hold the hash key; a token that it lacks is kept in the state directory.
 * @throws ReconcilerError as `loadHashKey`, and 'never' (`key-file-missing`)
 */
export function openKeys(stateDir: string, given: string | undefined): Keys {
  const own = (name: string): string => join(stateDir, name);
  if (given === undefined) return { hashKey: loadHashKey(own(KEY_FILES.hashKey)), ...ownToken(stateDir) };
  const hashKey = decodeKey(join(given, KEY_FILES.hashKey), readGiven(join(given, KEY_FILES.hashKey)));
  const tokenFile = join(given, KEY_FILES.token);
  const sent = readGiven(tokenFile);
  return { hashKey, ...(sent === undefined ? ownToken(stateDir) : { token: checkToken(tokenFile, sent), tokenFile }) };
}

function ownToken(stateDir: string): Omit<Keys, 'hashKey'> {
  const tokenFile = join(stateDir, KEY_FILES.token);
  return { token: generateToken(tokenFile), tokenFile };
}

/** Stores that hold text only are given the key in base64 or hexadecimal. */
function decodeKey(path: string, bytes: Buffer | undefined): Buffer {
  if (bytes === undefined)
    throw new ReconcilerError(`There is no key file ${path}.`, 'never', {
      code: 'key-file-missing',
      remedy: `Put a key of ${KEY_BYTES} random bytes there (raw, base64 or hexadecimal), or leave --keys-dir out: a key is then made in the state directory.`,
    });
  if (bytes.length === KEY_BYTES) return bytes;
  const text = bytes.toString('latin1').trim();
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length === KEY_BYTES && /^[0-9a-zA-Z+/_=-]+$/.test(text)) return key;
  throw damaged(
    path,
    `holds no key of ${KEY_BYTES} bytes, neither raw nor in base64 or hexadecimal`,
    'Put the key back from a backup; with a new one, every secret is written to its platform once more.',
  );
}

/** The bytes of a key file that is read only: its owner may be root, and its group this process's. Undefined when there is none. */
function readGiven(path: string): Buffer | undefined {
  return readable(path, () => readPrivate(path, OTHERS));
}

/** Whether a token that somebody sent is the expected one, in a time that tells nothing about either. */
export function tokenEquals(sent: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(expected));
}

function readOrCreate(path: string, make: () => Buffer): Buffer {
  return readable(path, () => readPrivate(path, GROUP_AND_OTHERS) ?? create(path, make()));
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReconcilerError) throw error;
    throw new ReconcilerError(`The key file ${path} cannot be read or created.`, 'never', {
      cause: error,
      code: 'key-file-unusable',
      remedy: 'Make its directory writable for the user that plumbline runs as, or name another with --state-dir.',
    });
  }
}

/** The file's bytes; undefined when there is no file. `forbidden` are the bits that its mode must not have. */
function readPrivate(path: string, forbidden: number): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { mode } = fstatSync(descriptor);
    // Windows has no such modes; the directory's access list protects the file there.
    if (process.platform !== 'win32' && (mode & forbidden) !== 0) throw unsafe(path, mode & 0o777, forbidden);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes the bytes to a file of another name and links it into place: whoever finds the file finds all of it, and of two
 * that create it at once, both get the same.
 */
function create(path: string, bytes: Buffer): Buffer {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      writeSync(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (!linkInto(draft, path)) return readPrivate(path, GROUP_AND_OTHERS) ?? create(path, bytes);
    syncDirectory(dirname(path));
    return bytes;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @returns false when somebody else's file is there already. */
function linkInto(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // Some file systems have no hard links; the lock on the state directory keeps others away there.
    renameSync(draft, path);
    return true;
  }
}

function syncDirectory(directory: string): void {
  try {
    const descriptor = openSync(directory, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch {
    // Not every system can flush a directory; then the name survives a loss of power a little later.
  }
}

function unsafe(path: string, mode: number, forbidden: number): ReconcilerError {
  const given = forbidden === OTHERS;
  return new ReconcilerError(
    `The key file ${path} has mode 0${mode.toString(8)}: others than its owner${given ? ' and group' : ''} may read or change it.`,
    'never',
    {
      code: 'key-file-unsafe',
      remedy: given
        ? `Mount the Secret with defaultMode 0440, or run \`chmod 640 ${path}\`.`
        : `Run \`chmod 600 ${path}\`; if others may have read it, delete it instead, and a new one is made.`,
    },
  );
}

function damaged(path: string, what: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`The key file ${path} ${what}.`, 'never', { code: 'key-file-damaged', remedy });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
