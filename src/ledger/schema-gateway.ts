/** Tokens, the audit of calls, and runs that were asked for or seen: see tokens.ts, audit.ts and runs.ts. */
export const GATEWAY = `
  CREATE TABLE token (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, rates TEXT NOT NULL,
    hash BLOB NOT NULL, former_hash BLOB, former_until INTEGER,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER, rotated_at INTEGER, revoked_at INTEGER,
    used_at INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, refused INTEGER NOT NULL, times INTEGER NOT NULL,
    token TEXT, name TEXT, method TEXT NOT NULL, route TEXT NOT NULL, platform TEXT, workflow TEXT, correlation TEXT,
    status INTEGER NOT NULL, address TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_refused ON audit (refused, id);

  CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    platform TEXT NOT NULL, remote TEXT NOT NULL, workflow TEXT, correlation TEXT UNIQUE, execution TEXT,
    state TEXT NOT NULL, at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, error TEXT,
    token TEXT, idempotency_key TEXT, input_digest TEXT, reply TEXT
  ) STRICT;
  CREATE UNIQUE INDEX run_by_execution ON run (platform, execution) WHERE execution IS NOT NULL;
  CREATE UNIQUE INDEX run_by_key ON run (token, platform, workflow, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX run_by_workflow ON run (platform, workflow, id);
  CREATE INDEX run_asked ON run (id) WHERE correlation IS NOT NULL;
  CREATE INDEX run_seen ON run (id) WHERE correlation IS NULL;
  CREATE INDEX run_open ON run (state) WHERE state = 'intended';
  CREATE INDEX owned_by_key ON owned (platform, key);`;
