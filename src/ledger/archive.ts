import { createHash } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ArchiveEntry } from '../apply/journal.ts';
import type { JsonObject, Key, Kind } from '../manifest/manifest.ts';
import type { Database } from './database.ts';
import { ReconcilerError } from '../errors.ts';
import type { Scope } from './ownership.ts';

/** How much the archive keeps. */
export interface ArchiveLimits {
  /** Copies per object; the newest ones stay. At least 10. */
  readonly perKey: number;
  /** Compressed bytes of all copies together. The newest copy of each object stays, whatever the size. */
  readonly bytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = { perKey: 20, bytes: 256 * 1024 * 1024 };
const FEWEST_PER_KEY = 10;

/** One archived copy: everything but the content, which is read when `value()` is called. */
export interface ArchivedCopy extends Omit<ArchiveEntry, 'value'>, Scope {
  /** What people type (`a42`). */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly archivedAt: number;
  /** Compressed bytes. */
  readonly size: number;
  /** @throws ReconcilerError when retention has dropped the copy meanwhile, or it cannot be read. */
  value(): JsonObject;
}

/** Which copies are asked for; all of them when nothing is given. */
export interface ArchiveQuery {
  readonly sync?: string;
  readonly platform?: string;
  readonly key?: Key;
  readonly id?: string;
  /** Default 100. */
  readonly limit?: number;
}

/** Copies of what was on the platform before it was overwritten or deleted (law 14). */
export class Archive {
  readonly #database: Database;
  readonly #limits: ArchiveLimits;
  readonly #now: () => number;
  readonly #newest: StatementSync;
  readonly #touch: StatementSync;
  readonly #insert: StatementSync;
  readonly #dropBeyond: StatementSync;
  readonly #total: StatementSync;
  readonly #body: StatementSync;

  constructor(database: Database, limits: ArchiveLimits, now: () => number) {
    this.#database = database;
    this.#limits = { ...limits, perKey: Math.max(FEWEST_PER_KEY, limits.perKey) };
    this.#now = now;
    this.#newest = database.prepare(
      'SELECT id, remote, digest FROM archive WHERE sync = ? AND platform = ? AND key = ? ORDER BY id DESC LIMIT 1',
    );
    this.#touch = database.prepare(
      'UPDATE archive SET title = ?, reason = ?, revision = ?, changed_by = ?, changed_at = ?, archived_at = ? WHERE id = ?',
    );
    this.#insert = database.prepare(
      `INSERT INTO archive (title, reason, revision, changed_by, changed_at, archived_at,
         sync, platform, key, kind, remote, digest, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#dropBeyond = database.prepare(
      `DELETE FROM archive WHERE sync = ?1 AND platform = ?2 AND key = ?3 AND id <= (
         SELECT id FROM archive WHERE sync = ?1 AND platform = ?2 AND key = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4)`,
    );
    this.#total = database.prepare('SELECT total(size) AS bytes FROM archive');
    this.#body = database.prepare('SELECT body FROM archive WHERE id = ?');
  }

  /** Keeps copies inside a transaction of the caller, and drops what retention allows to. @returns their ids, in order. */
  keep(scope: Scope, entries: readonly ArchiveEntry[]): readonly string[] {
    const ids = entries.map((entry) => this.#keepOne(scope, entry));
    this.#dropOldest();
    return ids.map((id) => `a${id}`);
  }

  /** Newest first. An `id` that is not of the form `a42` finds nothing. */
  copies(query: ArchiveQuery): readonly ArchivedCopy[] {
    const id = query.id === undefined ? null : numberOf(query.id);
    if (id === undefined) return [];
    return this.#database.read('list archived copies', () =>
      this.#database
        .prepare(COPIES)
        .all(query.sync ?? null, query.platform ?? null, query.key ?? null, id, query.limit ?? 100)
        .map((row) => this.#copy(row as unknown as CopyRow)),
    );
  }

  #keepOne({ sync, platform }: Scope, entry: ArchiveEntry): number {
    const text = JSON.stringify(entry.value);
    const digest = createHash('sha256').update(text).digest('base64url');
    const told = [
      entry.title,
      entry.reason,
      entry.revision,
      entry.changedBy ?? null,
      entry.changedAt === undefined ? null : Math.trunc(entry.changedAt),
      Math.trunc(this.#now()),
    ] as const;
    const newest = this.#newest.get(sync, platform, entry.key);
    // The same content again (somebody's script that edits every hour) must not push older, different copies out.
    if (newest !== undefined && newest['digest'] === digest && newest['remote'] === entry.remote) {
      this.#touch.run(...told, Number(newest['id']));
      return Number(newest['id']);
    }
    const body = zstdCompressSync(text);
    const where = [sync, platform, entry.key, entry.kind, entry.remote, digest] as const;
    const { lastInsertRowid } = this.#insert.run(...told, ...where, body.length, body);
    this.#dropBeyond.run(sync, platform, entry.key, this.#limits.perKey);
    return Number(lastInsertRowid);
  }

  #dropOldest(): void {
    let excess = Number(this.#total.get()?.['bytes']) - this.#limits.bytes;
    if (excess <= 0) return;
    const drop = this.#database.prepare('DELETE FROM archive WHERE id = ?');
    for (const row of this.#database.prepare(DROPPABLE).all()) {
      if (excess <= 0) return;
      drop.run(Number(row['id']));
      excess -= Number(row['size']);
    }
  }

  #copy(row: CopyRow): ArchivedCopy {
    return {
      id: `a${row.id}`,
      sync: row.sync,
      platform: row.platform,
      key: row.key,
      kind: row.kind,
      remote: row.remote,
      title: row.title,
      reason: row.reason,
      revision: row.revision,
      ...(row.changed_by === null ? {} : { changedBy: row.changed_by }),
      ...(row.changed_at === null ? {} : { changedAt: row.changed_at }),
      archivedAt: row.archived_at,
      size: row.size,
      value: () => this.#value(row.id),
    };
  }

  #value(id: number): JsonObject {
    const body = this.#database.read('read an archived copy', () => this.#body.get(id)?.['body']);
    if (!(body instanceof Uint8Array)) {
      throw new ReconcilerError(
        `The archived copy a${id} is not kept any more: newer copies took its place.`,
        'never',
        {
          code: 'archive-gone',
          remedy: 'List the copies there are with `plumbline history`, and restore another one.',
        },
      );
    }
    return JSON.parse(zstdDecompressSync(body).toString()) as JsonObject;
  }
}

interface CopyRow {
  readonly id: number;
  readonly sync: string;
  readonly platform: string;
  readonly key: Key;
  readonly kind: Kind;
  readonly remote: string;
  readonly title: string;
  readonly reason: ArchiveEntry['reason'];
  readonly revision: string;
  readonly changed_by: string | null;
  readonly changed_at: number | null;
  readonly archived_at: number;
  readonly size: number;
}

const COPIES = `
  SELECT id, sync, platform, key, kind, remote, title, reason, revision, changed_by, changed_at, archived_at, size FROM archive
  WHERE (?1 IS NULL OR sync = ?1) AND (?2 IS NULL OR platform = ?2) AND (?3 IS NULL OR key = ?3) AND (?4 IS NULL OR id = ?4)
  ORDER BY id DESC LIMIT ?5`;

const DROPPABLE = `
  SELECT id, size FROM archive INDEXED BY archive_by_key
  WHERE id NOT IN (SELECT max(id) FROM archive GROUP BY sync, platform, key) ORDER BY id`;

function numberOf(id: string): number | undefined {
  const digits = /^a?([1-9]\d{0,15})$/i.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
