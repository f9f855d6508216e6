import type { Retry } from '../errors.ts';
import { ReconcilerError } from '../errors.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html) that people can do something about. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

interface Fault {
  readonly code: string;
  readonly retry: Retry;
  readonly because: string;
  readonly remedy: string;
}

const CORRUPTION: Fault = {
  code: 'ledger-corrupt',
  retry: 'never',
  because: 'the file is damaged',
  remedy:
    'Restart plumbline: it moves the damaged file aside, begins a new one, and reads ownership from the platform again. Check the disk.',
};

const FAULTS: ReadonlyMap<number, Fault> = new Map([
  [
    BUSY,
    {
      code: 'ledger-busy',
      retry: 'backoff',
      because: 'another program holds the file locked',
      remedy: 'Close other programs that have the ledger open, such as a sqlite3 shell.',
    },
  ],
  [
    READONLY,
    {
      code: 'ledger-readonly',
      retry: 'never',
      because: 'it cannot be written',
      remedy:
        'Make the state directory and the files in it writable for the user plumbline runs as, or name another with --state-dir.',
    },
  ],
  [
    IOERR,
    {
      code: 'ledger-io',
      retry: 'backoff',
      because: 'the disk reports an error',
      remedy: 'Check the disk of the state directory, and that it is a local file system.',
    },
  ],
  [CORRUPT, CORRUPTION],
  [NOTADB, CORRUPTION],
  [
    FULL,
    {
      code: 'ledger-full',
      retry: 'backoff',
      because: 'the disk is full',
      remedy: 'Free space on the disk of the state directory; nothing is written to the platform until then.',
    },
  ],
  [
    CANTOPEN,
    {
      code: 'ledger-unopenable',
      retry: 'never',
      because: 'the file cannot be opened',
      remedy: 'Check that the state directory exists, is a directory, and belongs to the user plumbline runs as.',
    },
  ],
]);

const UNKNOWN: Fault = {
  code: 'ledger-error',
  retry: 'backoff',
  because: 'SQLite refused it',
  remedy: 'This is likely a mistake in plumbline: please report it with this message.',
};

/** The primary result code of an error of SQLite; undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** Whether an error says that the file is no ledger any more, as against a fault of the disk or of another program. */
export function isCorruption(error: unknown): boolean {
  if (error instanceof ReconcilerError) return error.code === CORRUPTION.code;
  const code = resultCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** What failed, why, and what to do, from anything thrown while the ledger in `file` was used. */
export function ledgerError(error: unknown, doing: string, file: string): ReconcilerError {
  if (error instanceof ReconcilerError) return error;
  const fault = FAULTS.get(resultCode(error) ?? -1) ?? systemFault(error) ?? UNKNOWN;
  return new ReconcilerError(`Cannot ${doing} in the ledger ${file}: ${fault.because}.`, fault.retry, {
    cause: error,
    code: fault.code,
    remedy: fault.remedy,
  });
}

function systemFault(error: unknown): Fault | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return FAULTS.get(FULL);
  if (error.code === 'EROFS' || error.code === 'EACCES' || error.code === 'EPERM') return FAULTS.get(READONLY);
  return error.code === 'ENOTDIR' || error.code === 'EEXIST' || error.code === 'ENOENT'
    ? FAULTS.get(CANTOPEN)
    : undefined;
}
