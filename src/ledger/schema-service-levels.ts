/**
 * Service levels in force, and what was counted for them: see service-levels.ts and tallies.ts. `spec` and `marker` are JSON.
 *
 * `tally` holds counts that only grow, as metrics show them; `tally_span` the same events by when they were counted, in spans
 * of `width` seconds; `verdict` how an objective stands. All three belong to a series: an objective of a service level, as
 * it was promised, for one object.
 */
export const SERVICE_LEVELS = `
  CREATE TABLE service_level (
    id TEXT PRIMARY KEY, platform TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, marker TEXT,
    version TEXT NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX service_level_by_name ON service_level (platform, name);

  CREATE TABLE tally (
    id INTEGER PRIMARY KEY, platform TEXT NOT NULL, level TEXT NOT NULL, objective TEXT NOT NULL, bound REAL NOT NULL,
    object TEXT NOT NULL, good INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, since INTEGER NOT NULL, last_good INTEGER,
    UNIQUE (platform, level, objective, bound, object)
  ) STRICT;

  CREATE TABLE tally_span (
    tally INTEGER NOT NULL REFERENCES tally (id) ON DELETE CASCADE, width INTEGER NOT NULL, start INTEGER NOT NULL,
    good INTEGER NOT NULL, bad INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (tally, width, start)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE verdict (
    tally INTEGER PRIMARY KEY REFERENCES tally (id) ON DELETE CASCADE,
    state TEXT NOT NULL, since INTEGER NOT NULL, revision TEXT
  ) STRICT;

  CREATE TABLE run_count (
    platform TEXT NOT NULL, workflow TEXT NOT NULL, result TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (platform, workflow, result)
  ) STRICT, WITHOUT ROWID;`;
