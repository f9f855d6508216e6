/**
 * Events that came in and what is to become of each: see bus.ts.
 *
 * A delivery is one event for one handler. Of those that share a lane (a handler and a subject) the oldest is `ready` (state 0)
 * and the others wait behind it (1), so that what is due is found by one step into an index however long a lane is; 2 is
 * done, 3 is dead. The bodies of events lie in their own rows: what changes often is small.
 */
export const BUS = `
  CREATE TABLE bus_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, subject TEXT, platform TEXT NOT NULL,
    time INTEGER NOT NULL, received_at INTEGER NOT NULL, size INTEGER NOT NULL, data TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX bus_event_identity ON bus_event (id, source);

  CREATE TABLE bus_handler (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    pending INTEGER NOT NULL, dead INTEGER NOT NULL, failing_since INTEGER, gone_at INTEGER
  ) STRICT;

  CREATE TABLE bus_delivery (
    event INTEGER NOT NULL, handler INTEGER NOT NULL, lane TEXT, state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    attempts INTEGER NOT NULL, since INTEGER NOT NULL, next_at INTEGER NOT NULL, ended_at INTEGER, error TEXT,
    PRIMARY KEY (event, handler)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bus_delivery_ready ON bus_delivery (handler, next_at, event) WHERE state = 0;
  CREATE INDEX bus_delivery_lane ON bus_delivery (handler, lane, event) WHERE state < 2 AND lane IS NOT NULL;
  CREATE INDEX bus_delivery_open ON bus_delivery (event) WHERE state < 2;
  CREATE INDEX bus_delivery_dead ON bus_delivery (handler, ended_at, event) WHERE state = 3;

  CREATE TABLE bus (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    routed INTEGER NOT NULL, unrouted INTEGER NOT NULL, events INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  INSERT INTO bus VALUES (1, 0, 0, 0, 0);`;
