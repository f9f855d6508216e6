import type { Reason } from './match-reasons.ts';
import type { DesiredObject, Observed, Support, Verb } from './types.ts';

/** Why drift is left standing for now. Times are milliseconds since 1970. */
export function driftReason(
  desired: DesiredObject,
  observed: Observed | undefined,
  wait: { readonly mode: 'report' | 'revert'; readonly since: number; readonly until: number | undefined },
): Reason {
  const what = observed === undefined ? 'is gone from the platform' : 'was changed on the platform';
  const who = observed?.changedBy === undefined ? '' : ` by ${observed.changedBy}`;
  const when = ` since ${new Date(wait.since).toISOString()}`;
  if (wait.until === undefined) {
    return {
      code: 'drift-reported',
      because: `${desired.key} ${what}${who}${when}; drift on it is reported, not reverted.`,
      remedy: 'Export the change into git, set "drift: revert" on the Sync, or change the object in git.',
    };
  }
  return {
    code: 'grace-period',
    because: `${desired.key} ${what}${who}${when}; it is reverted after ${new Date(wait.until).toISOString()}.`,
    remedy: 'Put the change into git before then to keep it, or shorten "gracePeriod" on the Sync.',
  };
}

/** Why a driver cannot do this; undefined when it can. */
export function supportReason(support: Support, verb: Verb, key: string): Reason | undefined {
  if (support === 'manage') return undefined;
  if (support === 'observe') {
    return {
      code: 'unsupported',
      because: `the platform lets ${key} be seen but not changed (${verb}).`,
      remedy: 'Change it on the platform, or leave its kind out of "select.kinds" of the Sync.',
    };
  }
  const requires = support.requires === undefined ? '' : ` It needs ${support.requires}.`;
  return {
    code: 'unsupported',
    because: `the platform cannot ${verb} ${key}: ${support.unsupported}.${requires}`,
    remedy: 'Provide what it needs, or leave the object out of this Sync.',
  };
}
