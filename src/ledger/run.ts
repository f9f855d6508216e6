import type { Execution } from '../drivers/driver.ts';

/**
 * What is known of a run: `intended` before the platform was asked, `not-started` when it surely did not begin,
 * `unknown` when it may have.
 */
export type RunState = 'intended' | 'accepted' | 'running' | 'succeeded' | 'failed' | 'not-started' | 'unknown';

/** One run of a workflow: asked for here, or seen on the platform. Times are milliseconds since 1970. */
export interface Run {
  readonly platform: string;
  /** The platform's id of the workflow. */
  readonly remote: string;
  /** Name of the workflow; absent when no Sync owned it. */
  readonly workflow?: string;
  /** Our id; absent when nobody asked for the run here. */
  readonly correlation?: string;
  /** The platform's id; absent until it tells. */
  readonly execution?: string;
  readonly state: RunState;
  /** When it was asked for, or began. */
  readonly at: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly error?: string;
  /** Id of the token that asked for it. */
  readonly token?: string;
}

/** A run that is about to be asked for. */
export interface Wish {
  readonly correlation: string;
  readonly platform: string;
  readonly workflow: string;
  readonly remote: string;
  readonly token: string;
  /** Idempotency key, and what tells whether it came with the same input. */
  readonly key?: string;
  readonly digest?: string;
}

/** An answer that was given, to be given again. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** The first run for an idempotency key. */
export interface KeyedRun {
  readonly run: Run;
  readonly digest: string;
  /** Absent when none was given, or when it is not kept any more. */
  readonly reply?: Reply;
}

/** Runs that are kept: those somebody asked for, and those that were only seen on a platform. */
export interface RunLimits {
  readonly asked: number;
  readonly seen: number;
  /** Idempotency keys of one token, and of all. */
  readonly keysPerToken: number;
  readonly keys: number;
  /** Answers that are kept word for word. */
  readonly replies: number;
}

export const RUN_LIMITS: RunLimits = {
  asked: 20_000,
  seen: 5_000,
  keysPerToken: 20_000,
  keys: 200_000,
  replies: 1_000,
};

export interface RunRow {
  readonly platform: string;
  readonly remote: string;
  readonly workflow: string | null;
  readonly correlation: string | null;
  readonly execution: string | null;
  readonly state: RunState;
  readonly at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly error: string | null;
  readonly token: string | null;
}

export function runOf(row: RunRow): Run {
  return {
    platform: row.platform,
    remote: row.remote,
    state: row.state,
    at: row.at,
    ...(row.workflow === null ? {} : { workflow: row.workflow }),
    ...(row.correlation === null ? {} : { correlation: row.correlation }),
    ...(row.execution === null ? {} : { execution: row.execution }),
    ...(row.started_at === null ? {} : { startedAt: row.started_at }),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.token === null ? {} : { token: row.token }),
  };
}

const STATES: Readonly<Record<Execution['status'], RunState>> = {
  running: 'running',
  success: 'succeeded',
  error: 'failed',
};

export function stateOf(status: Execution['status']): RunState {
  return STATES[status];
}
