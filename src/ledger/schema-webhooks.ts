/** Outgoing webhooks that are registered: see webhooks.ts. `secret` is sealed; `marker` is JSON. */
export const WEBHOOKS = `
  CREATE TABLE webhook (
    id TEXT PRIMARY KEY, platform TEXT NOT NULL,
    title TEXT NOT NULL, event TEXT NOT NULL, url TEXT NOT NULL, active INTEGER NOT NULL CHECK (active IN (0, 1)),
    secret TEXT, marker TEXT, version TEXT NOT NULL,
    created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, changed_by TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhook_by_platform ON webhook (platform, id);`;
