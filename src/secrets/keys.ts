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
import { dirname } from 'node:path';
import { ReconcilerError } from '../errors.ts';

const KEY_BYTES = 32;

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
  const token = readOrCreate(path, () => Buffer.from(`${randomBytes(KEY_BYTES).toString('base64url')}\n`))
    .toString('utf8')
    .trim();
  if (/^[\w~+/.=-]{32,512}$/.test(token)) return token;
  throw damaged(
    path,
    'holds no token of at least 32 letters and digits',
    'Delete the file, and a new token is made at the next start; programs that use the old one need the new one.',
  );
}

/** Whether a token that somebody sent is the expected one, in a time that tells nothing about either. */
export function tokenEquals(sent: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(expected));
}

function readOrCreate(path: string, make: () => Buffer): Buffer {
  try {
    return readPrivate(path) ?? create(path, make());
  } catch (error) {
    if (error instanceof ReconcilerError) throw error;
    throw new ReconcilerError(`The key file ${path} cannot be read or created.`, 'never', {
      cause: error,
      code: 'key-file-unusable',
      remedy: 'Make its directory writable for the user that plumbline runs as, or name another with --state-dir.',
    });
  }
}

/** The file's bytes; undefined when there is no file. */
function readPrivate(path: string): Buffer | undefined {
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
    if (process.platform !== 'win32' && (mode & 0o177) !== 0) throw unsafe(path, mode & 0o777);
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
    if (!linkInto(draft, path)) return readPrivate(path) ?? create(path, bytes);
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

function unsafe(path: string, mode: number): ReconcilerError {
  return new ReconcilerError(
    `The key file ${path} has mode 0${mode.toString(8)}: others than its owner may read or change it.`,
    'never',
    {
      code: 'key-file-unsafe',
      remedy: `Run \`chmod 600 ${path}\`; if others may have read it, delete it instead, and a new one is made.`,
    },
  );
}

function damaged(path: string, what: string, remedy: string): ReconcilerError {
  return new ReconcilerError(`The key file ${path} ${what}.`, 'never', { code: 'key-file-damaged', remedy });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
