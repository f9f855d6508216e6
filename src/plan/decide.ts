import type { Differences } from './diff.ts';
import type { Match, Reason } from './match.ts';
import { driftReason } from './reasons.ts';
import type { Terms } from './terms.ts';
import type { Cause, Change, DesiredObject, FieldDiff, LedgerRecord, Observed, Owned } from './types.ts';

/** What is to be done about one object, before the guard looks at the whole. */
export interface Decision {
  readonly change?: Change;
  /** Why the change has to wait. */
  readonly reason?: Reason;
  readonly record?: LedgerRecord;
  /** Git did not change, yet the platform differs. */
  readonly drifted: boolean;
}

export interface DecideContext {
  readonly terms: Terms;
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly marks: (kind: DesiredObject['kind']) => boolean;
  /** Whether the listing proves that what it lacks is not there. */
  readonly provesAbsence: (kind: DesiredObject['kind']) => boolean;
}

/** Compares one manifest with what is believed to be its object. `found` are the differing fields of their contents. */
export function decide(match: Match, found: Differences | undefined, context: DecideContext): Decision {
  const { desired, observed, blocked } = match;
  if (blocked !== undefined) return { change: create(match), reason: blocked, drifted: false };
  if (desired.expiresAt !== undefined && desired.expiresAt <= context.now) return expired(match);
  if (observed === undefined) return absent(match, context);
  if (match.by === 'title' || match.by === 'owner') return adopt(match, observed, found, context);
  const diff = fieldsToSet(match, observed, found, context);
  const [first, ...rest] = diff;
  if (first === undefined) return inSync(match, observed, context);
  return update(match, { observed, diff: [first, ...rest], more: found?.more ?? 0 }, context);
}

function absent(match: Match, context: DecideContext): Decision {
  const { desired, owned } = match;
  if (desired.disabled) return { drifted: false };
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
  if (owned === undefined || owned.fingerprint !== desired.fingerprint) return { change, drifted: false };
  return { change, ...hesitation(match, undefined, context), drifted: true };
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

function expired(match: Match): Decision {
  const { desired, observed, by } = match;
  if (observed === undefined || by === 'title' || by === 'owner') return { drifted: false };
  return {
    change: { ...base(desired), verb: 'delete', cause: 'removed', ...target(observed), revokes: true },
    drifted: false,
  };
}

function adopt(match: Match, observed: Observed, found: Differences | undefined, context: DecideContext): Decision {
  const { desired } = match;
  const secrets = Object.keys(desired.secretHashes);
  const diff = [...(found?.diff ?? []), ...secrets.map(secretField)];
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
  if (desired.disabled) return { drifted: false };
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

/** Everything an update would set: contents, secrets that changed or were cleared, the marker. */
function fieldsToSet(
  match: Match,
  observed: Observed,
  found: Differences | undefined,
  context: DecideContext,
): FieldDiff[] {
  const { desired, owned } = match;
  const markerWrong =
    context.marks(desired.kind) &&
    (observed.marker?.owner !== context.terms.owner || observed.marker.key !== desired.key);
  return [
    ...(found?.diff ?? []),
    ...secretsToWrite(desired, owned, observed).map(secretField),
    ...(markerWrong
      ? [
          {
            path: '/metadata/owner',
            ...(observed.marker === undefined ? {} : { before: observed.marker.owner }),
            after: context.terms.owner,
          },
        ]
      : []),
  ];
}

function update(
  match: Match,
  change: { observed: Observed; diff: readonly [FieldDiff, ...FieldDiff[]]; more: number },
  context: DecideContext,
): Decision {
  const { desired, owned, applied } = match;
  const { observed, diff, more } = change;
  const gitChanged = applied !== undefined && applied !== desired.fingerprint;
  const platformChanged = applied !== observed.fingerprint && observed.fingerprint !== desired.fingerprint;
  const secrets = secretsToWrite(desired, owned, observed);
  const rotated = secrets.some((name) => owned?.secretHashes[name] !== desired.secretHashes[name]);
  const drifted = !gitChanged && !rotated && match.from === undefined && observed.fingerprint !== desired.fingerprint;
  const update: Change = {
    ...base(desired),
    verb: 'update',
    cause: causeOf(match, { gitChanged, rotated, drifted: platformChanged }),
    ...wanted(desired, secrets),
    ...target(observed),
    diff,
    moreFields: more,
    overwritesDrift: platformChanged,
    ...(platformChanged && (observed.changedBy !== undefined || observed.changedAt !== undefined)
      ? {
          who: {
            ...(observed.changedBy === undefined ? {} : { by: observed.changedBy }),
            ...(observed.changedAt === undefined ? {} : { at: observed.changedAt }),
          },
        }
      : {}),
    ...(match.from === undefined ? {} : { from: match.from }),
    ...(narrows(desired, diff) ? { revokes: true as const } : {}),
  };
  if (desired.disabled) return { drifted: false };
  return {
    change: update,
    ...(drifted || owned?.heldFingerprint !== undefined ? hesitation(match, observed, context) : {}),
    drifted,
  };
}

function causeOf(match: Match, what: { gitChanged: boolean; rotated: boolean; drifted: boolean }): Cause {
  if (match.from !== undefined) return 'renamed';
  if (what.gitChanged) return 'changed';
  if (what.drifted) return 'drift';
  return what.rotated ? 'secret' : 'marker';
}

/** Whether drift waits: reported only, within its grace period, or held by a person. */
function hesitation(
  match: Match,
  observed: Observed | undefined,
  context: DecideContext,
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
  const how = owned?.how ?? observed?.marker?.how ?? 'created';
  const since = owned?.driftSince ?? Math.min(observed?.changedAt ?? now, now);
  const record: LedgerRecord | undefined =
    owned === undefined || owned.driftSince !== undefined
      ? undefined
      : { record: 'own', owned: { ...owned, driftSince: since } };
  const mode = terms.drift ?? (how === 'adopted' ? 'report' : 'revert');
  if (mode === 'report')
    return { reason: driftReason(desired, observed, { mode, since, until: undefined }), ...(record && { record }) };
  const until = since + terms.gracePeriod;
  if (until <= now) return {};
  return { reason: driftReason(desired, observed, { mode, since, until }), ...(record && { record }) };
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
    before.dependsOn.join(' ') === present.dependsOn.join(' ')
  );
}

function secretsToWrite(desired: DesiredObject, owned: Owned | undefined, observed: Observed): string[] {
  return Object.keys(desired.secretHashes)
    .filter((name) => owned?.secretHashes[name] !== desired.secretHashes[name] || observed.secretsSet?.[name] === false)
    .sort();
}

function secretField(name: string): FieldDiff {
  return { path: `/secrets/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, after: '(masked)', masked: true };
}

/** Whether an update takes access away from somebody. */
function narrows(desired: DesiredObject, diff: readonly FieldDiff[]): boolean {
  if (desired.kind === 'AccessGrant')
    return diff.some(
      (field) => /^\/(subjects\/.*|expiresAt|role|scope.*)$/.test(field.path) && field.before !== undefined,
    );
  return (
    desired.kind === 'AccessRole' &&
    diff.some((field) => /^\/(permissions|native)/.test(field.path) && field.before !== undefined)
  );
}

function base(desired: DesiredObject) {
  return {
    key: desired.key,
    kind: desired.kind,
    title: desired.title,
    dependsOn: desired.dependsOn,
    origin: desired.origin,
  };
}

function wanted(desired: DesiredObject, secrets: readonly string[]) {
  return { fingerprint: desired.fingerprint, secrets };
}

/** The object a change is about, in the version that was looked at. */
export function target(observed: Observed) {
  return { remote: { id: observed.remote, version: observed.version } };
}
