/**
 * Code of Integrations in force, and how far their syncs are: see integrations.ts and sync-state.ts. `runs`, `marker`, `cursor`,
 * `data` and `wish` are JSON.
 *
 * `integration_sync` holds where reading goes on; `integration_record` what was read and is not delivered; `integration_wish` runs
 * that were asked for; `integration_count` counts that only grow.
 */
export const INTEGRATIONS = `
  CREATE TABLE integration (
    id TEXT PRIMARY KEY, platform TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL, connection TEXT,
    runs TEXT NOT NULL, marker TEXT, wanted TEXT,
    version TEXT NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX integration_by_name ON integration (platform, name);

  CREATE TABLE integration_sync (
    platform TEXT NOT NULL, name TEXT NOT NULL, cursor TEXT, open INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, retry_at INTEGER, last_run INTEGER, last_success INTEGER, error TEXT,
    PRIMARY KEY (platform, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE integration_record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,
    changed_at INTEGER, data TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, error TEXT
  ) STRICT;
  CREATE INDEX integration_record_by_key ON integration_record (platform, name, key, seq);

  CREATE TABLE integration_wish (
    id INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, name TEXT NOT NULL, word TEXT NOT NULL,
    wish TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (platform, name, word)
  ) STRICT;

  CREATE TABLE integration_count (
    platform TEXT NOT NULL, name TEXT NOT NULL, what TEXT NOT NULL, result TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (platform, name, what, result)
  ) STRICT, WITHOUT ROWID;`;

/**
 * What a run leaves for others. `integration_mark` is the cursor before a page of which records still wait, and `integration_cursor` what
 * replicas share: reading can go on there and nothing is left out. `again` marks a record that was a dead letter: it was counted before, and
 * stands before no mark. `integration_taken` names dead letters that wait as records, until they are out of their file;
 * `integration_passed` keys of dead letters of which something newer was delivered, and when.
 */
export const INTEGRATION_LETTERS = `
  CREATE TABLE integration_mark (
    id INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, name TEXT NOT NULL, cursor TEXT
  ) STRICT;
  CREATE INDEX integration_mark_by_name ON integration_mark (platform, name);
  ALTER TABLE integration_record ADD COLUMN mark INTEGER;
  ALTER TABLE integration_record ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX integration_record_by_mark ON integration_record (mark);

  CREATE TABLE integration_cursor (
    platform TEXT NOT NULL, name TEXT NOT NULL, cursor TEXT NOT NULL, version TEXT NOT NULL,
    PRIMARY KEY (platform, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE integration_taken (
    platform TEXT NOT NULL, name TEXT NOT NULL, letter TEXT NOT NULL, PRIMARY KEY (platform, name, letter)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE integration_passed (
    platform TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (platform, name, key)
  ) STRICT, WITHOUT ROWID;`;
