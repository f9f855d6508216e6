import type { Key } from '../manifest/manifest.ts';
import { base, target, wanted, type DecideContext, type Decision } from './decision.ts';
import type { Differences } from './diff.ts';
import { UNKNOWN_HASH, hesitation } from './hesitation.ts';
import type { Match } from './matches.ts';
import { outputsDiffer } from './outputs.ts';
import type { Cause, Who } from './cause.ts';
import type { Change, DesiredObject, FieldDiff, Observed, Owned, Owner } from './types.ts';

/** Everything an update would set: contents, secrets that changed or were cleared, the marker. */
export function fieldsToSet(
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
    ...(markerWrong ? [markerField(observed, desired.key, context.terms.owner)] : []),
  ];
}

/** What is wrong with a marker: whose it says the object is, or, after a rename, which. */
function markerField({ marker }: Observed, key: Key, owner: Owner): FieldDiff {
  if (marker?.owner === owner) return { path: '/metadata/name', before: nameOf(marker.key), after: nameOf(key) };
  return { path: '/metadata/owner', ...(marker === undefined ? {} : { before: marker.owner }), after: owner };
}

function nameOf(key: Key): string {
  return key.slice(key.indexOf('/') + 1);
}

export function secretField(name: string): FieldDiff {
  return { path: `/secrets/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, after: '(masked)', masked: true };
}

/** What is to be done about an object of ours that is not as git and ledger want it. */
export function update(
  match: Match,
  difference: { observed: Observed; diff: readonly [FieldDiff, ...FieldDiff[]]; more: number },
  context: DecideContext,
): Decision {
  const { desired, owned, applied } = match;
  const { observed, diff, more } = difference;
  const gitChanged = applied !== undefined && applied !== desired.fingerprint;
  const differs = observed.fingerprint !== desired.fingerprint;
  const overwritesDrift = differs && applied !== observed.fingerprint;
  const secrets = secretsToWrite(desired, owned, observed);
  const rotated = secrets.some((name) => wasRotated(name, desired, owned));
  const cleared = secrets.some((name) => wasCleared(name, desired, { owned, observed }));
  const drifted = !gitChanged && !rotated && match.from === undefined && (differs || cleared);
  const who = overwritesDrift ? whoOf(observed) : undefined;
  const formerly = (owned?.dependsOn ?? []).filter((need) => !desired.dependsOn.includes(need));
  const change: Change = {
    ...base(desired),
    verb: 'update',
    cause: causeOf(match, { gitChanged, drifted: overwritesDrift || drifted, secrets: secrets.length > 0 }),
    ...wanted(desired, secrets),
    ...target(observed),
    diff,
    moreFields: more,
    overwritesDrift,
    ...(who === undefined ? {} : { who }),
    ...(match.from === undefined ? {} : { from: match.from }),
    ...(formerly.length === 0 ? {} : { formerly }),
    ...(outputsDiffer(desired, owned) ? { changesOutputs: true as const } : {}),
    ...(more > 0 || narrows(desired, diff) ? revocation(desired) : {}),
  };
  return { change, ...hesitation(match, observed, { drifted, context }), drifted };
}

function causeOf(match: Match, what: { gitChanged: boolean; secrets: boolean; drifted: boolean }): Cause {
  if (match.from !== undefined) return 'renamed';
  if (what.gitChanged) return 'changed';
  if (what.drifted) return 'drift';
  return what.secrets ? 'secret' : 'marker';
}

function whoOf({ changedBy, changedAt }: Observed): Who | undefined {
  if (changedBy === undefined && changedAt === undefined) return undefined;
  return {
    ...(changedBy === undefined ? {} : { by: changedBy }),
    ...(changedAt === undefined ? {} : { at: changedAt }),
  };
}

function secretsToWrite(desired: DesiredObject, owned: Owned | undefined, observed: Observed): string[] {
  return Object.keys(desired.secretHashes)
    .filter((name) => owned?.secretHashes[name] !== desired.secretHashes[name] || observed.secretsSet?.[name] === false)
    .sort();
}

/** Another value than the one last written; a value that the ledger has lost is not known to be another one. */
function wasRotated(name: string, desired: DesiredObject, owned: Owned | undefined): boolean {
  if (owned === undefined || owned.secretHashes[name] === UNKNOWN_HASH) return false;
  return owned.secretHashes[name] !== desired.secretHashes[name];
}

function wasCleared(
  name: string,
  desired: DesiredObject,
  { owned, observed }: { owned: Owned | undefined; observed: Observed },
): boolean {
  return observed.secretsSet?.[name] === false && owned?.secretHashes[name] === desired.secretHashes[name];
}

function revocation(desired: DesiredObject): { readonly revokes?: true } {
  return desired.kind === 'AccessGrant' || desired.kind === 'AccessRole' ? { revokes: true } : {};
}

/** Whether an update takes access away from somebody; in doubt it does (law 16). */
function narrows(desired: DesiredObject, diff: readonly FieldDiff[]): boolean {
  const takes = (field: FieldDiff) => field.before !== undefined || field.text !== undefined;
  if (desired.kind === 'AccessGrant') {
    // An end, or a scope, that was not there before takes away as well.
    return diff.some(
      ({ path, ...field }) =>
        /^\/(expiresAt|scope)/.test(path) || (/^\/(subjects|role)/.test(path) && takes({ path, ...field })),
    );
  }
  if (desired.kind !== 'AccessRole') return false;
  // So does a condition on a permission, or a list of the fields it is about.
  return diff.some(
    (field) =>
      (/^\/(permissions|native)/.test(field.path) && takes(field)) ||
      /^\/permissions\/.*\/(fields|where)/.test(field.path),
  );
}
