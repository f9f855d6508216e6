import type { DatabaseSync } from 'node:sqlite';
import { ReconcilerError } from '../errors.ts';
import { BUS } from './schema-bus.ts';
import { GATEWAY } from './schema-gateway.ts';
import { INTEGRATION_LETTERS, INTEGRATIONS } from './schema-integrations.ts';
import { SERVICE_LEVELS } from './schema-service-levels.ts';
import { WEBHOOKS } from './schema-webhooks.ts';

/** One step of the ledger's schema. Its version is its place in the list, counted from 1; published steps never change. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Marks a SQLite file as a ledger of ours (`PLBL`), so that a stray database is not taken for one. */
export const APPLICATION_ID = 0x504c424c;

const OWNERSHIP = `
  CREATE TABLE owned (
    sync TEXT NOT NULL, platform TEXT NOT NULL, key TEXT NOT NULL,
    remote TEXT NOT NULL, title TEXT NOT NULL, fingerprint TEXT NOT NULL, secret_hashes TEXT NOT NULL,
    how TEXT NOT NULL CHECK (how IN ('created', 'adopted')), depends_on TEXT NOT NULL,
    file TEXT NOT NULL, revision TEXT NOT NULL, allow_data_loss INTEGER NOT NULL,
    drift_since INTEGER, held_fingerprint TEXT,
    PRIMARY KEY (sync, platform, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX owned_by_remote ON owned (platform, remote);

  CREATE TABLE intent (
    sync TEXT NOT NULL, platform TEXT NOT NULL, id TEXT NOT NULL,
    verb TEXT NOT NULL, key TEXT NOT NULL, title TEXT NOT NULL, remote TEXT, fingerprint TEXT, since INTEGER NOT NULL,
    PRIMARY KEY (sync, platform, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE platform (name TEXT PRIMARY KEY, instance TEXT, rights TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE suspension (
    sync TEXT PRIMARY KEY, by TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE cursor (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`;

const RECORDS = `
  CREATE TABLE pass (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sync TEXT NOT NULL, platform TEXT NOT NULL, revision TEXT, author TEXT,
    started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, result TEXT NOT NULL, counts TEXT NOT NULL, error TEXT,
    changes INTEGER NOT NULL, signature TEXT NOT NULL
  ) STRICT;
  CREATE INDEX pass_by_sync ON pass (sync, platform);

  CREATE TABLE pass_change (
    pass INTEGER NOT NULL REFERENCES pass (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    key TEXT NOT NULL, verb TEXT NOT NULL, cause TEXT NOT NULL, paths TEXT NOT NULL, outcome TEXT NOT NULL, error TEXT,
    PRIMARY KEY (pass, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX pass_change_by_key ON pass_change (key);

  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, type TEXT NOT NULL, sync TEXT, platform TEXT, key TEXT, message TEXT NOT NULL, paths TEXT
  ) STRICT;

  CREATE TABLE archive (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sync TEXT NOT NULL, platform TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, remote TEXT NOT NULL,
    title TEXT NOT NULL, reason TEXT NOT NULL, revision TEXT NOT NULL, changed_by TEXT, changed_at INTEGER,
    archived_at INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX archive_by_key ON archive (sync, platform, key, id, size);`;

/** Outputs of what was last applied (JSON object); NULL where they are not known. */
const OUTPUTS = 'ALTER TABLE owned ADD COLUMN outputs TEXT';

export const MIGRATIONS: readonly Migration[] = [
  { name: 'ownership, history, archive', sql: OWNERSHIP + RECORDS },
  { name: 'event bus', sql: BUS },
  { name: 'outgoing webhooks', sql: WEBHOOKS },
  { name: 'tokens, audit, runs', sql: GATEWAY },
  { name: 'service levels and counts', sql: SERVICE_LEVELS },
  { name: 'outputs', sql: OUTPUTS },
  { name: 'code of integrations', sql: INTEGRATIONS },
  { name: 'dead letters and shared cursors of integrations', sql: INTEGRATION_LETTERS },
];

/** The schema version in a database file; 0 when it is new. */
export function versionOf(sqlite: DatabaseSync): number {
  return Number(sqlite.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

/**
 * Brings a database to the newest version, each step in a transaction of its own: a process killed in between finds
 * the steps before it done and the step itself not begun.
 * @throws ReconcilerError 'never' (`ledger-newer`) when a newer version wrote the file; SQLite's error when a step fails.
 */
export function migrate(sqlite: DatabaseSync, file: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const version = versionOf(sqlite);
  refuseNewer(version, file, migrations.length);
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    sqlite.exec('BEGIN IMMEDIATE');
    try {
      sqlite.exec(step.sql);
      sqlite.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${index + 1}`);
      sqlite.exec('COMMIT');
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
      throw error;
    }
  }
}

/** @throws ReconcilerError 'never' (`ledger-newer`) when `version` is beyond what this program knows. */
export function refuseNewer(version: number, file: string, known: number = MIGRATIONS.length): void {
  if (version <= known) return;
  throw new ReconcilerError(
    `The ledger ${file} has version ${version}, and this plumbline knows versions up to ${known}: a newer plumbline wrote it.`,
    'never',
    {
      code: 'ledger-newer',
      remedy:
        'Run the plumbline that wrote it, or a newer one. To begin a new ledger instead, move the file away: ownership is then read from the platform again, while history, archive and suspensions stay behind in the old file.',
    },
  );
}
