import type { ReconcilerError } from '../../errors.ts';
import type { PluginRefusal } from '../../plugins/refusal.ts';
import { errorJson } from './error-json.ts';
import { refused } from './route.ts';
import type { Answer } from './route.ts';

/**
 * What plugins have against the input. Where none of them could judge, nothing is wrong with the input and it may be sent
 * again; it is not passed on either way.
 */
export function refusedBy(refusals: readonly [PluginRefusal, ...PluginRefusal[]]): Answer {
  const judged = refusals.filter(({ error }) => error === undefined);
  const [{ plugin, remedy }] = refusals;
  const message = (judged.length === 0 ? refusals : judged).map((one) => one.message).join(' ');
  if (judged[0] === undefined)
    return refused(503, { code: 'plugin-failed', message, remedy, retry: 'backoff', retryAfter: 5000, plugin });
  return refused(422, { code: 'refused-by-plugin', message, remedy: judged[0].remedy, plugin: judged[0].plugin });
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
