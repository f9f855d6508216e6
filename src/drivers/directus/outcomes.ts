import { ReconcilerError, messageOf } from '../../errors.ts';
import type { Outcome, Step } from '../driver.ts';

export function applied({ change }: Step): Outcome {
  return { status: 'applied', change };
}

export function failed({ change }: Step, error: ReconcilerError): Outcome {
  return { status: 'failed', change, error };
}

export function skipped({ change }: Step): Outcome {
  return { status: 'skipped', change, because: 'the pass was stopped before it began' };
}

export function stale({ change }: Step): ReconcilerError {
  return new ReconcilerError(`${change.key} was changed on the platform after it was looked at.`, 'replan', {
    code: 'stale-write',
    remedy: 'Nothing to do: the next pass looks again.',
  });
}

export function unconfirmed({ change }: Step): ReconcilerError {
  return new ReconcilerError(
    `${change.key} was accepted by Directus, but does not stand there as it was sent.`,
    'replan',
    {
      code: 'unconfirmed',
      remedy:
        'Nothing to do at first: the next pass looks again. If it stays so, see what on the server changes writes (hooks, extensions).',
    },
  );
}

/** An id of ours that stands on something which does not say that it is ours. */
export function taken({ change }: Step): ReconcilerError {
  return new ReconcilerError(
    `${change.key} cannot be created: its id belongs to an object without that marker.`,
    'replan',
    {
      code: 'id-taken',
      remedy: 'If it was released before, let the Sync adopt it (adopt: matching).',
    },
  );
}

export function asReconcilerError(error: unknown): ReconcilerError {
  return error instanceof ReconcilerError ? error : new ReconcilerError(messageOf(error), 'backoff', { cause: error });
}
