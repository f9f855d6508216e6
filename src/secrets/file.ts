import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ReconcilerError } from '../errors.ts';
import { isBelow, locate, outside } from './scope.ts';
import type { SecretScope } from './secrets.ts';

/** Bytes; what is larger is no secret but a mistake. */
const LARGEST = 64 * 1024;

/**
 * The text of a secret file without the newline that editors and `echo` leave at its end, and the file's real path.
 * @throws ReconcilerError 'never' when the scope forbids it or it is no text file, 'backoff' when it is missing or empty.
 */
export async function readSecretFile(
  file: string,
  scope: SecretScope,
  isReserved: (path: string) => boolean,
): Promise<{ readonly text: string; readonly path: string }> {
  const located = locate(file, scope);
  try {
    const path = await realpath(located);
    if (scope.kind === 'source') await checkReal(file, path, { dir: scope.dir ?? '', isReserved });
    return { text: textOf(await readLimited(path, located), located), path };
  } catch (error) {
    throw error instanceof ReconcilerError ? error : unreadable(located, error);
  }
}

async function checkReal(
  file: string,
  path: string,
  { dir, isReserved }: { readonly dir: string; readonly isReserved: (path: string) => boolean },
): Promise<void> {
  const realDir = await realpath(resolve(dir));
  if (!isBelow(path, realDir) || isReserved(path)) throw outside(file, dir);
}

async function readLimited(path: string, located: string): Promise<Buffer> {
  // Without O_NONBLOCK a named pipe would keep the pass waiting for a writer; with O_NOFOLLOW a link that was put in
  // place after the check is refused.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!(await handle.stat()).isFile()) {
      throw unusable(located, 'is not a regular file', 'Refer to a file that holds nothing but the secret.');
    }
    return await readAtMost(handle, LARGEST, located);
  } finally {
    await handle.close();
  }
}

async function readAtMost(handle: FileHandle, most: number, located: string): Promise<Buffer> {
  const buffer = Buffer.alloc(most + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, size, buffer.length - size);
    size += bytesRead;
    if (size > most) {
      throw unusable(
        located,
        `is larger than ${most / 1024} KiB`,
        'Refer to a file that holds nothing but the secret.',
      );
    }
    if (bytesRead === 0) return buffer.subarray(0, size);
  }
}

function textOf(bytes: Buffer, located: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (cause) {
    throw unusable(located, 'is not UTF-8 text', 'Store the secret as text, binary values in base64.', cause);
  }
}

function unusable(located: string, what: string, remedy: string, cause?: unknown): ReconcilerError {
  return new ReconcilerError(`The secret file ${located} ${what}.`, 'never', {
    cause,
    code: 'secret-unusable',
    remedy,
  });
}

function unreadable(located: string, cause: unknown): ReconcilerError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  return new ReconcilerError(
    `The secret file ${located} ${missing ? 'does not exist' : 'cannot be read'}.`,
    'backoff',
    {
      cause,
      code: 'secret-missing',
      remedy: missing
        ? 'Create the file, or correct the reference; the next try reads it anew.'
        : 'Give the user that plumbline runs as the right to read it; the next try reads it anew.',
    },
  );
}
