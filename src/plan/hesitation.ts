import type { DecideContext, Decision } from './decision.ts';
import type { Match } from './matches.ts';
import { outputsOf } from './outputs.ts';
import { driftReason } from './reasons.ts';
import type { LedgerRecord, Observed, Owned } from './types.ts';

/** Hash of a secret that has to be written once, because nobody knows what the platform has; equal to no real one. */
export const UNKNOWN_HASH = '';

/** Whether a change waits: held by a person, or because it would undo drift that is only reported or still has its grace. */
export function hesitation(
  match: Match,
  observed: Observed | undefined,
  { drifted, context }: { readonly drifted: boolean; readonly context: DecideContext },
): Pick<Decision, 'reason' | 'record'> {
  const { desired, owned } = match;
  const { terms, now } = context;
  if (owned?.heldFingerprint === desired.fingerprint) {
    return {
      reason: {
        code: 'held',
        because: `${desired.key} was restored by a person and is held as it stands on the platform.`,
        remedy: `Change it in git, or run "plumbline resume ${desired.key}" to let git win again.`,
      },
    };
  }
  if (!drifted) return {};
  const how = owned?.how ?? observed?.marker?.how ?? 'created';
  const since = owned?.driftSince ?? Math.min(observed?.changedAt ?? now, now);
  const mode = terms.drift ?? (how === 'adopted' ? 'report' : 'revert');
  const until = mode === 'report' ? undefined : since + terms.gracePeriod;
  if (until !== undefined && until <= now) return {};
  const record = owned?.driftSince === undefined ? remembered(match, observed, { since, context }) : undefined;
  return {
    reason: driftReason(desired, observed, { mode, since, until }),
    ...(record === undefined ? {} : { record }),
  };
}

/**
 * Since when it drifts, for passes to come and for other processes. An object that the ledger has lost enters it here:
 * without that, its grace period would begin anew with every pass.
 */
function remembered(
  match: Match,
  observed: Observed | undefined,
  { since, context }: { readonly since: number; readonly context: DecideContext },
): LedgerRecord | undefined {
  const { desired, owned, applied } = match;
  if (owned !== undefined) return { record: 'own', owned: { ...owned, driftSince: since } };
  if (observed === undefined) return undefined;
  const unknown = Object.keys(desired.secretHashes).map((name) => [name, UNKNOWN_HASH] as const);
  const found: Owned = {
    key: desired.key,
    remote: observed.remote,
    title: desired.title,
    fingerprint: applied ?? desired.fingerprint,
    secretHashes: Object.fromEntries(unknown),
    how: observed.marker?.how ?? 'created',
    dependsOn: desired.dependsOn,
    file: desired.origin.file,
    revision: context.revision,
    allowDataLoss: desired.allowDataLoss,
    driftSince: since,
    ...outputsOf(desired.outputs, observed.remote),
  };
  return { record: 'own', owned: found };
}
