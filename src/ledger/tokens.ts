import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ReconcilerError } from '../errors.ts';
import type { Database } from './database.ts';

/** A bucket of calls: it holds `burst`, and so many flow in per second. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Rates that differ from the default, for calls that only read and for those that do something. */
export interface TokenRates {
  readonly read?: Rate;
  readonly trigger?: Rate;
}

/** A token as it is kept: everything but its secret. Times are milliseconds since 1970. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly rates: TokenRates;
  readonly createdAt: number;
  /** Name of the token that made it. */
  readonly createdBy: string;
  readonly expiresAt?: number;
  readonly rotatedAt?: number;
  /** Until when the secret before the rotation is taken too. */
  readonly formerUntil?: number;
  readonly revokedAt?: number;
  /** To the minute. */
  readonly usedAt?: number;
}

export interface TokenDraft {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly rates?: TokenRates;
  readonly expiresAt?: number;
  readonly by: string;
}

/** A token with its secret, which is told this once. */
export interface IssuedToken {
  readonly token: string;
  readonly record: TokenRecord;
}

/** What a text that claims to be a token is worth. */
export interface TokenClaim {
  /** Whose secret it is; undefined when it is nobody's. */
  readonly record: TokenRecord | undefined;
  /** Why it is not taken although its secret is known. */
  readonly because?: 'expired' | 'revoked' | 'rotated';
}

/** Tokens that are kept, revoked and expired ones included. */
export const MOST_TOKENS = 1000;
/** Milliseconds for which a token that is of no use any more is still listed. */
const KEPT = 90 * 24 * 3600 * 1000;
/** `used_at` is written no oftener than this. */
const MINUTE = 60_000;
const PATTERN = /^plb_([a-z0-9]{12})_[\w-]{43}$/;
/** Compared with when there is no such token, so that this takes as long. */
const NOBODY = Buffer.alloc(32);

/** Tokens of the API: `plb_<id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 of the whole is kept. */
export class Tokens {
  readonly #database: Database;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws ReconcilerError 'never' (`tokens-full`) when there are as many as are kept. */
  create(draft: TokenDraft): IssuedToken {
    const now = this.#now();
    const id = idOf(randomBytes(12));
    const token = tokenFor(id);
    return this.#database.write('write down a token', () => {
      this.#database.prepare(FORGET_OLD).run(now - KEPT, now - KEPT);
      const there = Number(this.#database.prepare('SELECT count(*) AS n FROM token').get()?.['n']);
      if (there >= MOST_TOKENS) throw full();
      const { name, scopes, rates = {}, expiresAt = null, by } = draft;
      this.#database
        .prepare(
          'INSERT INTO token (id, name, scopes, rates, hash, created_at, created_by, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        )
        .run(id, name, JSON.stringify(scopes), JSON.stringify(rates), hashOf(token), now, by, expiresAt);
      return { token, record: this.#existing(id) };
    });
  }

  /** Oldest first. */
  list(): readonly TokenRecord[] {
    return this.#database.read('read the tokens', () =>
      this.#database
        .prepare('SELECT * FROM token ORDER BY created_at, id')
        .all()
        .map((row) => recordOf(row as unknown as TokenRow)),
    );
  }

  /**
   * Gives a token another secret; the one it had is taken for `grace` milliseconds more, and any before that no longer.
   * @throws ReconcilerError 'never' (`not-found`; `token-revoked`, also when it has expired)
   */
  rotate(id: string, grace: number): IssuedToken {
    const now = this.#now();
    const token = tokenFor(id);
    return this.#database.write('rotate a token', () => {
      const { revokedAt, expiresAt } = this.#existing(id);
      if (revokedAt !== undefined || (expiresAt !== undefined && expiresAt <= now)) throw useless(id);
      this.#database
        .prepare('UPDATE token SET former_hash = hash, former_until = ?, hash = ?, rotated_at = ? WHERE id = ?')
        .run(now + Math.trunc(grace), hashOf(token), now, id);
      return { token, record: this.#existing(id) };
    });
  }

  /** From now on it is not taken, nor is the one before its rotation. @throws ReconcilerError 'never' (`not-found`) */
  revoke(id: string): TokenRecord {
    return this.#database.write('revoke a token', () => {
      this.#existing(id);
      this.#database
        .prepare('UPDATE token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
        .run(this.#now(), id);
      return this.#existing(id);
    });
  }

  /**
   * Looks a token up that somebody sent. It takes as long for an id that nobody has: the same hashes are made, looked
   * for and compared.
   */
  claim(sent: string): TokenClaim {
    const id = PATTERN.exec(sent)?.[1] ?? '';
    const hash = hashOf(sent);
    const now = this.#now();
    const row = this.#database.read('look for a token', () =>
      this.#database.prepare('SELECT * FROM token WHERE id = ?').get(id),
    ) as unknown as TokenRow | undefined;
    const isCurrent = timingSafeEqual(hash, row?.hash ?? NOBODY);
    const isFormer = timingSafeEqual(hash, row?.former_hash ?? NOBODY);
    if (row === undefined || !(isCurrent || isFormer)) return { record: undefined };
    const record = recordOf(row);
    if (row.revoked_at !== null) return { record, because: 'revoked' };
    if (row.expires_at !== null && row.expires_at <= now) return { record, because: 'expired' };
    if (!isCurrent && (row.former_until ?? 0) <= now) return { record, because: 'rotated' };
    return { record };
  }

  /** Writes down that a token is used, at most once a minute. */
  used({ id, usedAt = 0 }: TokenRecord): void {
    const now = this.#now();
    if (now - usedAt < MINUTE) return;
    this.#database.write(
      'write down the use of a token',
      () => this.#database.prepare('UPDATE token SET used_at = ? WHERE id = ?').run(now, id),
      'process',
    );
  }

  #existing(id: string): TokenRecord {
    const row = this.#database.prepare('SELECT * FROM token WHERE id = ?').get(id);
    if (row !== undefined) return recordOf(row as unknown as TokenRow);
    throw new ReconcilerError('There is no token with this id.', 'never', {
      code: 'not-found',
      remedy: 'See those there are with `plumbline token list`.',
    });
  }
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: string;
  readonly rates: string;
  readonly hash: Uint8Array;
  readonly former_hash: Uint8Array | null;
  readonly former_until: number | null;
  readonly created_at: number;
  readonly created_by: string;
  readonly expires_at: number | null;
  readonly rotated_at: number | null;
  readonly revoked_at: number | null;
  readonly used_at: number | null;
}

const FORGET_OLD = 'DELETE FROM token WHERE revoked_at < ? OR expires_at < ?';

function recordOf(row: TokenRow): TokenRecord {
  return {
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as readonly string[],
    rates: JSON.parse(row.rates) as TokenRates,
    createdAt: row.created_at,
    createdBy: row.created_by,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.rotated_at === null ? {} : { rotatedAt: row.rotated_at }),
    ...(row.former_until === null ? {} : { formerUntil: row.former_until }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.used_at === null ? {} : { usedAt: row.used_at }),
  };
}

/** 12 letters and digits: neither `_`, which ends an id, nor capitals, which some people's shells and tables lose. */
function idOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join('');
}

function tokenFor(id: string): string {
  return `plb_${id}_${randomBytes(32).toString('base64url')}`;
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function full(): ReconcilerError {
  return new ReconcilerError(`There are ${MOST_TOKENS} tokens, and no more are kept.`, 'never', {
    code: 'tokens-full',
    remedy: 'Revoke those that nobody uses; they are forgotten 90 days after that. Give short-lived ones an expiry.',
  });
}

function useless(id: string): ReconcilerError {
  return new ReconcilerError(`The token ${id} is revoked or has expired.`, 'never', {
    code: 'token-revoked',
    remedy: 'Make another one with `plumbline token create`.',
  });
}
