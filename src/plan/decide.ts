import { base, target, wanted, type DecideContext, type Decision } from './decision.ts';
import type { Differences } from './diff.ts';
import { hesitation } from './hesitation.ts';
import type { Reason } from './match-reasons.ts';
import type { Match } from './matches.ts';
import { outputsOf, sameOutputs } from './outputs.ts';
import { fieldsToSet, secretField, update } from './update.ts';
import type { Change, Observed, Owned } from './types.ts';

/** Compares one manifest with what is believed to be its object. `found` are the differing fields of their contents. */
export function decide(match: Match, found: Differences | undefined, context: DecideContext): Decision {
  const { desired, observed, owned, blocked, by } = match;
  const ours = observed !== undefined && by !== 'title' && by !== 'owner';
  if (desired.expiresAt !== undefined && desired.expiresAt <= context.now) return expired(match, context);
  if (ours && context.terms.release.includes(desired.key))
    return { change: { ...base(desired), verb: 'release', cause: 'released', ...target(observed) }, drifted: false };
  if (desired.waits !== undefined && !desired.disabled) return waiting(match, desired.waits);
  if (desired.disabled) return { drifted: false, ...(owned === undefined ? {} : { holdsOn: owned.dependsOn }) };
  if (blocked !== undefined) return { change: create(match), reason: blocked, drifted: false };
  if (observed === undefined) return absent(match, context);
  if (!ours) return adopt(match, observed, found, context);
  const [first, ...rest] = fieldsToSet(match, observed, found, context);
  if (first !== undefined) return update(match, { observed, diff: [first, ...rest], more: found?.more ?? 0 }, context);
  return observed.fingerprint !== desired.fingerprint && found === undefined
    ? unread(match, observed)
    : inSync(match, observed, context);
}

function absent(match: Match, context: DecideContext): Decision {
  const { desired, owned } = match;
  const change = create(match);
  if (!context.provesAbsence(desired.kind)) {
    return {
      change,
      reason: {
        code: 'listing-incomplete',
        because: `the platform's listing of ${desired.kind} objects is not complete, so ${desired.key} may well be there.`,
        remedy: 'Nothing to do: it is created once the platform lists everything.',
      },
      drifted: false,
    };
  }
  const gitChanged = owned === undefined || owned.fingerprint !== desired.fingerprint;
  return { change, ...hesitation(match, undefined, { drifted: !gitChanged, context }), drifted: !gitChanged };
}

function create(match: Match): Change {
  const { desired, owned } = match;
  return {
    ...base(desired),
    verb: 'create',
    cause: owned === undefined ? 'new' : 'vanished',
    ...wanted(desired, Object.keys(desired.secretHashes)),
  };
}

function expired(match: Match, context: DecideContext): Decision {
  const { desired, observed, owned, by, blocked } = match;
  if (observed === undefined) {
    const gone = owned !== undefined && blocked === undefined && context.provesAbsence(desired.kind);
    return { drifted: false, ...(gone ? { record: { record: 'forget', key: owned.key } as const } : {}) };
  }
  if (by === 'title' || by === 'owner') return { drifted: false };
  return {
    change: { ...base(desired), verb: 'delete', cause: 'removed', ...target(observed), revokes: true },
    drifted: false,
    expired: true,
  };
}

function adopt(match: Match, observed: Observed, found: Differences | undefined, context: DecideContext): Decision {
  const { desired } = match;
  const secrets = Object.keys(desired.secretHashes);
  const diff = [...(found?.diff ?? []), ...secrets.map(secretField)];
  if (found === undefined && observed.fingerprint !== desired.fingerprint) return unread(match, observed);
  const change: Change = {
    ...base(desired),
    verb: 'adopt',
    cause: 'adoption',
    ...wanted(desired, secrets),
    ...target(observed),
    diff,
    moreFields: found?.more ?? 0,
    ...(match.by === 'owner' && observed.marker !== undefined ? { from: observed.marker.owner } : {}),
  };
  if (diff.length === 0 || context.terms.approvals.adopt === true) return { change, drifted: false };
  return {
    change,
    reason: {
      code: 'adopt-approval',
      because: `"${observed.title}" on the platform differs from git in ${diff.length + (found?.more ?? 0)} field(s); taking it over would overwrite them.`,
      remedy:
        'Look at the difference, then run "plumbline apply --approve adopt", or export the object into git first.',
    },
    drifted: false,
  };
}

/** What it would be is not known yet: nothing is done to it, and what it refers to now stays. */
function waiting(match: Match, reason: Reason): Decision {
  const { observed, owned } = match;
  const change = observed === undefined ? create(match) : unknownUpdate(match, observed, 'changed');
  return { change, reason, drifted: false, ...(owned === undefined ? {} : { holdsOn: owned.dependsOn }) };
}

/** An update of which it is not known what it would set. */
function unknownUpdate(match: Match, observed: Observed, cause: 'changed' | 'drift'): Change {
  const { desired } = match;
  return {
    ...base(desired),
    verb: 'update',
    cause,
    ...wanted(desired, []),
    ...target(observed),
    diff: [{ path: '' }],
    moreFields: 0,
    overwritesDrift: true,
  };
}

/** It differed when it was listed, and was gone or out of reach when its content was to be compared. */
function unread(match: Match, observed: Observed): Decision {
  const { desired } = match;
  return {
    change: unknownUpdate(match, observed, 'drift'),
    reason: {
      code: 'listing-incomplete',
      because: `${desired.key} could not be read whole, so it cannot be told what differs.`,
      remedy: 'Nothing to do: the next pass looks at it again.',
    },
    drifted: false,
  };
}

function inSync(match: Match, observed: Observed, context: DecideContext): Decision {
  const present = ownedBy(match, observed, context);
  return sameOwned(match.owned, present)
    ? { drifted: false }
    : { record: { record: 'own', owned: present }, drifted: false };
}

/** What the ledger should know of an object that stands as desired. */
function ownedBy(match: Match, observed: Observed, context: DecideContext): Owned {
  const { desired, owned } = match;
  return {
    key: desired.key,
    remote: observed.remote,
    title: desired.title,
    fingerprint: desired.fingerprint,
    secretHashes: desired.secretHashes,
    how: owned?.how ?? observed.marker?.how ?? 'created',
    dependsOn: desired.dependsOn,
    file: desired.origin.file,
    revision: owned?.fingerprint === desired.fingerprint ? owned.revision : context.revision,
    allowDataLoss: desired.allowDataLoss,
    ...outputsOf(desired.outputs, observed.remote),
  };
}

function sameOwned(before: Owned | undefined, present: Owned): boolean {
  return (
    before !== undefined &&
    before.key === present.key &&
    before.remote === present.remote &&
    before.title === present.title &&
    before.fingerprint === present.fingerprint &&
    before.how === present.how &&
    before.file === present.file &&
    before.allowDataLoss === present.allowDataLoss &&
    before.driftSince === undefined &&
    before.heldFingerprint === undefined &&
    sameOutputs(before.outputs, present.outputs) &&
    before.dependsOn.join(' ') === present.dependsOn.join(' ') &&
    Object.keys(before.secretHashes).length === Object.keys(present.secretHashes).length
  );
}
