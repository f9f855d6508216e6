import { ReconcilerError } from '../../errors.ts';

/** An object was changed between the look and the write; a fresh plan decides again. */
export function stale(what: string): ReconcilerError {
  return new ReconcilerError(`${what} was changed on n8n after it was looked at.`, 'replan', {
    code: 'stale-write',
    remedy: 'Nothing to do: the next pass looks at it again.',
  });
}

/** n8n said that it was done, and it is not. */
export function notConfirmed(because: string): ReconcilerError {
  return new ReconcilerError(`n8n said that it was done, but ${because}.`, 'replan', {
    code: 'not-confirmed',
    remedy: "Look into n8n's own log; a proxy between may also answer in its place.",
  });
}

/** A write was answered; what stands there now could not be read. */
export function unread(what: string, cause: unknown): ReconcilerError {
  return new ReconcilerError(`${what} was written, but could not be read back.`, 'replan', {
    code: 'outcome-unknown',
    cause,
    remedy: 'Nothing to do: the next pass looks at it again.',
  });
}

/** Whether n8n itself said no, as opposed to an answer that never came. */
export function isRefusal(error: unknown): error is ReconcilerError {
  return error instanceof ReconcilerError && (error.code === 'refused' || error.code === 'unauthorized');
}
