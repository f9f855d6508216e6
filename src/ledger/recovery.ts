import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf } from '../errors.ts';
import { connect } from './database.ts';
import { isCorruption, ledgerError } from './faults.ts';
import { createPrivate } from './lock.ts';
import type { Suspension } from './standing.ts';

/** What happened to a damaged ledger. */
export interface Recovery {
  /** Where the damaged file lies now. */
  readonly movedTo: string;
  readonly because: string;
  /** Suspensions that could still be read, and stand in the new ledger: a stopped Sync must not start by accident. */
  readonly suspensions: readonly Suspension[];
  /** All of it in words: what, why, and what to do. */
  readonly message: string;
}

/** Opens the ledger's file in a state directory for writing, a new one in place of a damaged one. @throws ReconcilerError */
export function openOrRecover(
  directory: string,
  now: number,
): { readonly sqlite: DatabaseSync; readonly recovery?: Recovery } {
  const file = join(directory, 'ledger.db');
  try {
    return { sqlite: createAndConnect(directory, file) };
  } catch (error) {
    if (!isCorruption(error)) throw ledgerError(error, 'open', file);
    try {
      const recovery = moveAside(file, now, messageOf(error));
      return { sqlite: createAndConnect(directory, file), recovery };
    } catch (second) {
      throw ledgerError(second, 'begin anew', file);
    }
  }
}

function createAndConnect(directory: string, file: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  createPrivate(file);
  return connect(file);
}

function moveAside(file: string, now: number, because: string): Recovery {
  const suspensions = salvageSuspensions(file);
  const stamp = new Date(now)
    .toISOString()
    .replaceAll(/[-:]/g, '')
    .replace(/\.\d+Z$/, 'Z');
  let movedTo = `${file}.corrupt-${stamp}`;
  for (let count = 2; existsSync(movedTo); count++) movedTo = `${file}.corrupt-${stamp}-${count}`;
  // The log goes first: left behind beside a new file, it would be replayed into it.
  for (const part of ['-wal', '-shm', '']) if (existsSync(file + part)) renameSync(file + part, movedTo + part);
  const kept = suspensions.length === 0 ? 'no suspension' : `${suspensions.length} suspension(s)`;
  return {
    movedTo,
    because,
    suspensions,
    message: `The ledger ${file} was damaged (${because}) and now lies at ${movedTo}; a new one is begun, with ${kept} carried over. Ownership is read from the platform again; history, archive, holds, cursors, tokens and webhooks that no manifest describes begin anew. Check the disk, suspend again what must stand still, and delete the old file when nobody needs its archive.`,
  };
}

function salvageSuspensions(file: string): readonly Suspension[] {
  let sqlite: DatabaseSync | undefined;
  try {
    sqlite = new DatabaseSync(file, { readOnly: true });
    return sqlite.prepare('SELECT sync, by, reason, since FROM suspension').all() as unknown as readonly Suspension[];
  } catch {
    return [];
  } finally {
    sqlite?.close();
  }
}
