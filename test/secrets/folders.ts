import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReconcilerError } from '../../src/errors.ts';

/** A folder of its own per call, removed after the test. */
export function temporaryFolders(): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
  return () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-secrets-')));
    made.push(folder);
    return folder;
  };
}

/** The error that `work` fails with. */
export async function failureOf(work: () => unknown): Promise<ReconcilerError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ReconcilerError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
