/** When a failed operation is worth trying again: after a pause, after a fresh plan, or not before somebody changes something. */
export type Retry = 'backoff' | 'replan' | 'never';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** What the reader can do about it, one sentence. */
  readonly remedy?: string;
  /** Earliest useful time of the next try, in milliseconds from now (a server's Retry-After). */
  readonly retryAfter?: number;
  /** A stable word for programs (`platform-unreachable`, `stale-write`, …); nobody matches on messages. */
  readonly code?: string;
}

/** The only error type that rooms throw on purpose: it says what failed, whether to retry, and what to do. */
export class ReconcilerError extends Error {
  readonly retry: Retry;
  readonly remedy: string | undefined;
  readonly retryAfter: number | undefined;
  readonly code: string | undefined;

  constructor(message: string, retry: Retry, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'ReconcilerError';
    this.retry = retry;
    this.remedy = details.remedy;
    this.retryAfter = details.retryAfter;
    this.code = details.code;
  }
}

/** Where something was written: 1-based line and column; commit and author where the source knows them. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly commit?: string;
  readonly author?: string;
}

/**
 * Something wrong in what a user wrote. An `error` keeps its object out of the plan and withholds every delete of the
 * Sync (law 3); a `warning` only tells.
 */
export interface Problem {
  readonly origin: Origin;
  /** What is wrong, and why it matters. */
  readonly message: string;
  /** What to do, with a "did you mean" where one is near. */
  readonly remedy: string;
  readonly severity: 'error' | 'warning';
  /** Key of the object concerned (`Workflow/orders`), when it is known. */
  readonly key?: string;
}

/** `file:line:column`, as compilers print it, so that editors can jump there. */
export function formatOrigin(origin: Origin): string {
  return `${origin.file}:${origin.line}:${origin.column}`;
}

/** One line for people: where, what, remedy. */
export function formatProblem(problem: Problem): string {
  return `${formatOrigin(problem.origin)}: ${problem.severity}: ${problem.message} ${problem.remedy}`;
}

/** The message of anything thrown, with the causes behind it that add information. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return cause === '' || error.message.includes(cause)
    ? error.message
    : `${error.message.replace(/\.$/, '')}: ${cause}`;
}

/** What is the case and what to do about it, as two sentences: servers and git end what they say as they like. */
export function sentences({
  message,
  remedy,
}: {
  readonly message: string;
  readonly remedy?: string | undefined;
}): string {
  return [/[.!?:]$/.test(message) ? message : `${message}.`, remedy ?? ''].join(' ').trimEnd();
}

/** What a retry decision sees in anything thrown: foreign errors are treated as passing faults. */
export function retryOf(error: unknown): Retry {
  return error instanceof ReconcilerError ? error.retry : 'backoff';
}

/** Anything thrown, as the error that an outcome carries; one of ours is left as it is. */
export function asReconcilerError(error: unknown): ReconcilerError {
  if (error instanceof ReconcilerError) return error;
  return new ReconcilerError(messageOf(error), retryOf(error), { cause: error });
}
