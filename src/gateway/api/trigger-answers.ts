import type { ReconcilerError } from '../../errors.ts';
import { errorJson } from './error-json.ts';
import { refused } from './route.ts';
import type { Answer } from './route.ts';

/** A plugin's no. */
export interface TriggerRefusal {
  readonly plugin: string;
  /** Why, for who sent the input. */
  readonly message: string;
}

export function refusedBy(refusals: readonly TriggerRefusal[], plugin: string): Answer {
  return refused(422, {
    code: 'refused-by-plugin',
    message: refusals.map(({ message }) => message).join(' '),
    remedy: 'Change the input; the platform has not been sent anything.',
    plugin,
  });
}

export function cannot(driver: string): Answer {
  return refused(409, {
    code: 'not-triggerable',
    message: `The driver ${driver} cannot run workflows on demand.`,
    remedy: 'Have the workflow begin by an event or a schedule of its platform.',
  });
}

/** Surely nothing was run. What `not-found` means here: git has it, the platform has it no more. */
export function notBegun(error: ReconcilerError, correlationId: string): Answer {
  const { code = 'platform-refused', retry, retryAfter } = error;
  const details = { ...errorJson(error), code, correlationId };
  if (code === 'not-triggerable' || code === 'already-triggered') return refused(409, details);
  if (code === 'not-found') {
    const remedy = error.remedy ?? 'Its Sync puts it back with the next pass; see `plumbline status`.';
    return refused(409, { ...details, remedy });
  }
  if (retry === 'never') return refused(502, details);
  return refused(503, { ...details, retryAfter: retryAfter ?? 5000 });
}

export function unknown(correlationId: string, because: string): Answer {
  return refused(502, {
    code: 'outcome-unknown',
    message: `Whether the run began is unknown: ${because}`,
    remedy: `Look at the execution ${correlationId}, and on the platform, before you ask again.`,
    correlationId,
  });
}
