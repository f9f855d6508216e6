/** What runs.ts asks the database. */

export const OWNED_WORKFLOW =
  "SELECT key FROM owned WHERE platform = ? AND remote = ? AND key LIKE 'Workflow/%' LIMIT 1";

export const FIND = `SELECT * FROM run WHERE platform = ?1 AND (correlation = ?2 OR execution = ?2) ORDER BY correlation = ?2 DESC LIMIT 1`;

export const LIST = 'SELECT * FROM run WHERE platform = ?1 ORDER BY id DESC LIMIT ?2';
export const LIST_OF_WORKFLOW = 'SELECT * FROM run WHERE platform = ?1 AND workflow = ?3 ORDER BY id DESC LIMIT ?2';

export const KEYED = `
  SELECT * FROM run WHERE token = ? AND platform = ? AND workflow = ? AND idempotency_key = ? AND at > ?`;

/** What has ended does not run again: platforms tell of one execution several times, in any order. */
export const TELL = `
  UPDATE run SET state = CASE WHEN ended_at IS NULL THEN ? ELSE state END, started_at = ?,
    ended_at = coalesce(ended_at, ?), error = coalesce(error, ?)
  WHERE platform = ? AND execution = ? AND remote = ? AND correlation IS NOT NULL`;

export const SEE = `
  INSERT INTO run (platform, remote, workflow, execution, at, state, started_at, ended_at, error)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

export const FORGET_KEY = `
  UPDATE run SET idempotency_key = NULL, input_digest = NULL, reply = NULL
  WHERE token = ? AND platform = ? AND workflow = ? AND idempotency_key = ? AND at <= ?`;
export const FORGET_KEYS = `
  UPDATE run SET idempotency_key = NULL, input_digest = NULL, reply = NULL WHERE idempotency_key IS NOT NULL AND at <= ?`;
export const FORGET_REPLIES = `
  UPDATE run SET reply = NULL WHERE reply IS NOT NULL
    AND id <= (SELECT id FROM run WHERE reply IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?)`;
export const PRUNE_ASKED = `
  DELETE FROM run WHERE correlation IS NOT NULL AND idempotency_key IS NULL
    AND id <= (SELECT id FROM run WHERE correlation IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?)`;
export const PRUNE_SEEN = `
  DELETE FROM run WHERE correlation IS NULL
    AND id <= (SELECT id FROM run WHERE correlation IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?)`;
