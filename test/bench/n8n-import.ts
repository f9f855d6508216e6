import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { JsonObject } from '../../src/manifest/manifest.ts';
import { environment, installN8n } from '../drivers/n8n/server.ts';

/** What n8n's own `import:workflow` made of a folder. */
export interface Imported {
  /** Workflows that are there afterwards. */
  readonly imported: number;
  /** Milliseconds, the start of the command included. */
  readonly took: number;
  /** What it said last, when it failed. */
  readonly said?: string;
}

/**
 * Imports with n8n's own command, each time into a data folder of its own that has been set up before: first the files as they are,
 * then these bodies, which n8n has taken already, one file each.
 */
export async function importByCommand(
  corpus: string,
  bodies: readonly JsonObject[],
): Promise<{ readonly raw: Imported; readonly cleaned: Imported }> {
  const scratch = mkdtempSync(join(tmpdir(), 'plumbline-import-'));
  try {
    const [nothing, clean, empty] = ['nothing', 'clean', 'empty'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(nothing);
    mkdirSync(clean);
    for (const [index, body] of bodies.entries())
      writeFileSync(join(clean, `${index}.json`), JSON.stringify({ id: `bench${index}`, active: false, ...body }));
    await importInto(empty, nothing);
    const into = async (name: string, input: string): Promise<Imported> => {
      const home = join(scratch, name);
      cpSync(empty, home, { recursive: true });
      return importInto(home, input);
    };
    return { raw: await into('raw', corpus), cleaned: await into('cleaned', clean) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function importInto(home: string, input: string): Promise<Imported> {
  mkdirSync(home, { recursive: true });
  const { folder, node } = await installN8n();
  const begin = performance.now();
  const child = spawn(
    node,
    [join(folder, 'node_modules', 'n8n', 'bin', 'n8n'), 'import:workflow', '--separate', `--input=${input}`],
    { cwd: home, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment(home, 0, 0) } },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4_000)));
  const code = await new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done));
  const took = performance.now() - begin;
  const last = said.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return { imported: countIn(home), took, ...(code === 0 ? {} : { said: last }) };
}

function countIn(home: string): number {
  const database = new DatabaseSync(join(home, '.n8n', 'database.sqlite'), { readOnly: true });
  try {
    return Number(database.prepare('SELECT count(*) AS count FROM workflow_entity').get()?.['count'] ?? 0);
  } finally {
    database.close();
  }
}
