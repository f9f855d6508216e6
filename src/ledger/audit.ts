import type { Database } from './database.ts';

/** One call of the API, or several equal ones that were refused. Names and patterns, never what somebody sent. */
export interface AuditRecord {
  /** Milliseconds since 1970; of the last one, when there are several. */
  readonly at: number;
  /** It was turned away: not authenticated, no scope, or too often. */
  readonly refused: boolean;
  readonly times: number;
  /** Id and name of the token; absent when nobody's was sent. */
  readonly token?: string;
  readonly name?: string;
  readonly method: string;
  /** Pattern of the route. */
  readonly route: string;
  readonly platform?: string;
  readonly workflow?: string;
  readonly correlation?: string;
  readonly status: number;
  readonly address: string;
}

export interface AuditQuery {
  readonly token?: string;
  readonly platform?: string;
  readonly refused?: boolean;
  /** Only records older than the one with this id: to page back. */
  readonly before?: number;
  /** Default 100. */
  readonly limit?: number;
}

/** How many records are kept; refused calls have a budget of their own, so that a flood of them pushes out nothing else. */
export interface AuditLimits {
  readonly calls: number;
  readonly refused: number;
}

const AUDIT_LIMITS: AuditLimits = { calls: 100_000, refused: 20_000 };

/** Who called the API, when, for what, and what came of it. */
export class Audit {
  readonly #database: Database;
  readonly #limits: AuditLimits;
  /** Records written since the last look for those beyond a limit, which reads them all; one look to begin with. */
  #unpruned = Number.POSITIVE_INFINITY;

  constructor(database: Database, limits: AuditLimits = AUDIT_LIMITS) {
    this.#database = database;
    this.#limits = limits;
  }

  /** Keeps records, in one transaction. */
  add(records: readonly AuditRecord[]): void {
    if (records.length === 0) return;
    this.#database.write(
      'write down calls of the API',
      () => {
        const insert = this.#database.prepare(INSERT);
        for (const record of records) insert.run(...valuesOf(record));
        this.#prune(records.length);
      },
      'process',
    );
  }

  #prune(written: number): void {
    const { calls, refused } = this.#limits;
    this.#unpruned += written;
    if (this.#unpruned < Math.min(calls, refused) / 20) return;
    this.#unpruned = 0;
    const prune = this.#database.prepare(PRUNE);
    prune.run(0, 0, calls);
    prune.run(1, 1, refused);
  }

  /** Newest first. */
  list(query: AuditQuery = {}): readonly (AuditRecord & { readonly id: number })[] {
    const { token = null, platform = null, refused, before = null, limit = 100 } = query;
    return this.#database.read('read the audit', () =>
      this.#database
        .prepare(LIST)
        .all(token, platform, refused === undefined ? null : Number(refused), before, limit)
        .map((row) => recordOf(row as unknown as AuditRow)),
    );
  }
}

const INSERT = `
  INSERT INTO audit (at, refused, times, token, name, method, route, platform, workflow, correlation, status, address)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const PRUNE = `
  DELETE FROM audit WHERE refused = ? AND id <= (SELECT id FROM audit WHERE refused = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`;

const LIST = `
  SELECT * FROM audit
  WHERE (?1 IS NULL OR token = ?1) AND (?2 IS NULL OR platform = ?2) AND (?3 IS NULL OR refused = ?3)
    AND (?4 IS NULL OR id < ?4)
  ORDER BY id DESC LIMIT ?5`;

interface AuditRow {
  readonly id: number;
  readonly at: number;
  readonly refused: number;
  readonly times: number;
  readonly token: string | null;
  readonly name: string | null;
  readonly method: string;
  readonly route: string;
  readonly platform: string | null;
  readonly workflow: string | null;
  readonly correlation: string | null;
  readonly status: number;
  readonly address: string;
}

function valuesOf(record: AuditRecord): (string | number | null)[] {
  const { token = null, name = null, platform = null, workflow = null, correlation = null } = record;
  const { at, refused, times, method, route, status, address } = record;
  const when = Math.trunc(at);
  return [when, Number(refused), times, token, name, method, route, platform, workflow, correlation, status, address];
}

function recordOf(row: AuditRow): AuditRecord & { readonly id: number } {
  const { id, at, times, method, route, status, address } = row;
  return {
    id,
    at,
    refused: row.refused === 1,
    times,
    ...(row.token === null ? {} : { token: row.token }),
    ...(row.name === null ? {} : { name: row.name }),
    method,
    route,
    ...(row.platform === null ? {} : { platform: row.platform }),
    ...(row.workflow === null ? {} : { workflow: row.workflow }),
    ...(row.correlation === null ? {} : { correlation: row.correlation }),
    status,
    address,
  };
}
