import type { Key, Kind } from '../manifest/manifest.ts';
import { target, type DecideContext, type Decision } from './decide.ts';
import type { Matches, Reason } from './match.ts';
import { kindOf, remoteKey, type Observation } from './observation.ts';
import type { Change, DesiredObject, LedgerView, Notice, Observed, Owned } from './types.ts';

/** What a Sync no longer wants, and what it never wanted although it stands there. */
export interface RemovalInput {
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly unknown: { readonly keys: ReadonlySet<Key>; readonly kinds: ReadonlySet<Kind> };
  readonly matches: Matches;
  readonly observation: Observation;
  readonly ledger: LedgerView;
}

/** One decision per owned object that no manifest mentions; ownership in the ledger is the only licence to delete. */
export function removals(input: RemovalInput, context: DecideContext): Decision[] {
  const renamed = new Set([...input.matches.of.values()].map((match) => match.from));
  const decisions: Decision[] = [];
  const matched = new Set(
    [...input.matches.of.values()].map(({ observed }) => observed && remoteKey(observed.kind, observed.remote)),
  );
  for (const owned of input.ledger.owned.values()) {
    if (input.desired.has(owned.key) || renamed.has(owned.key) || input.unknown.keys.has(owned.key)) continue;
    const observed = input.observation.objects.get(remoteKey(kindOf(owned.key), owned.remote));
    if (observed !== undefined && matched.has(remoteKey(observed.kind, observed.remote))) {
      // A rename that was cut off between its two entries in the ledger: the object lives on under its new key.
      decisions.push({ record: { record: 'forget', key: owned.key }, drifted: false });
      continue;
    }
    if (observed === undefined) {
      if (context.provesAbsence(kindOf(owned.key)))
        decisions.push({ record: { record: 'forget', key: owned.key }, drifted: false });
      continue;
    }
    decisions.push(remove(owned, observed, input, context));
  }
  return decisions;
}

function remove(owned: Owned, observed: Observed, input: RemovalInput, context: DecideContext): Decision {
  const kind = kindOf(owned.key);
  if (context.terms.retire === 'Orphan' || context.terms.release.includes(owned.key)) {
    return { change: { ...base(owned), verb: 'release', cause: 'released', ...target(observed) }, drifted: false };
  }
  const change: Change = {
    ...base(owned),
    verb: 'delete',
    cause: 'removed',
    ...target(observed),
    ...(observed.holds === undefined ? {} : { holds: observed.holds }),
    ...(kind === 'AccessGrant' || kind === 'AccessRole' ? { revokes: true as const } : {}),
  };
  const reason = unmanagedMembers(owned, observed, input) ?? dataLoss(owned, observed);
  return reason === undefined ? { change, drifted: false } : { change, reason, drifted: false };
}

function base(owned: Owned) {
  return { key: owned.key, kind: kindOf(owned.key), title: owned.title, dependsOn: owned.dependsOn };
}

function dataLoss(owned: Owned, observed: Observed): Reason | undefined {
  if (observed.holds === undefined || owned.allowDataLoss) return undefined;
  return {
    code: 'data-loss',
    because: `deleting ${owned.key} would lose ${observed.holds}.`,
    remedy:
      'Put the manifest back with the annotation "plumbline.dev/allow-data-loss: \\"true\\"", let it apply, then remove it; or release it.',
  };
}

/** A role is not deleted under people whom somebody else gave it to. */
function unmanagedMembers(owned: Owned, observed: Observed, input: RemovalInput): Reason | undefined {
  if (observed.kind !== 'AccessRole') return undefined;
  const names = new Set([owned.title, owned.key.slice(owned.key.indexOf('/') + 1)]);
  const members = unmanagedGrants(input).filter((grant) => grant.role !== undefined && names.has(grant.role));
  if (members.length === 0) return undefined;
  return {
    code: 'unmanaged-members',
    because: `${owned.key} has ${members.length} grant(s) that Plumbline did not make (${members
      .slice(0, 3)
      .map((grant) => grant.title)
      .join(', ')}).`,
    remedy: 'Take those grants away on the platform first, or put them under management.',
  };
}

/** Grants on the platform that no manifest and no ledger entry of ours stands for. */
function unmanagedGrants(input: RemovalInput): Observed[] {
  const owned = new Set([...input.ledger.owned.values()].map((one) => remoteKey(kindOf(one.key), one.remote)));
  return input.matches.others.filter(
    (observed) =>
      observed.kind === 'AccessGrant' &&
      observed.marker === undefined &&
      !owned.has(remoteKey(observed.kind, observed.remote)) &&
      !input.ledger.ownedByOthers.has(remoteKey(observed.kind, observed.remote)),
  );
}

/** Access that Plumbline did not give: reported, and taken away only where role or Sync say `exclusive` (OWNERSHIP.md). */
export function unmanagedAccess(
  input: RemovalInput,
  context: DecideContext,
): { decisions: Decision[]; notices: Notice[] } {
  const roles = [...input.desired.values()].filter((object) => object.kind === 'AccessRole');
  const decisions: Decision[] = [];
  const notices: Notice[] = [];
  for (const grant of unmanagedGrants(input)) {
    const role = roles.find((one) => one.title === grant.role || one.key === `AccessRole/${grant.role ?? ''}`);
    if (role !== undefined && (role.exclusive || context.terms.exclusive)) {
      const key: Key = `AccessGrant/${grant.remote}`;
      const change: Change = {
        key,
        kind: 'AccessGrant',
        title: grant.title,
        dependsOn: [],
        verb: 'delete',
        cause: 'removed',
        ...target(grant),
        revokes: true,
      };
      decisions.push({ change, drifted: true });
    } else if (role !== undefined) {
      notices.push({
        kind: 'AccessGrant',
        remote: grant.remote,
        title: grant.title,
        code: 'unmanaged-access',
        message: `"${grant.title}" has the role ${role.title} and Plumbline did not grant it.`,
        remedy: `Add an AccessGrant for it, take it away on the platform, or set "exclusive: true" on ${role.key}.`,
      });
    }
  }
  return { decisions, notices };
}
