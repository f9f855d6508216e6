import type { Key } from '../manifest/manifest.ts';
import { target, type DecideContext, type Decision } from './decision.ts';
import type { Reason } from './match-reasons.ts';
import { kindOf, remoteKey } from './observation.ts';
import type { RemovalInput } from './removal-input.ts';
import type { Change, DesiredObject, Notice, Observed, Owned } from './types.ts';

/** A role is not deleted under people whom somebody else gave it to, nor before everybody who has it was seen. */
export function holdsMembers(
  owned: Owned,
  observed: Observed,
  input: RemovalInput,
  context: DecideContext,
): Reason | undefined {
  if (observed.kind !== 'AccessRole') return undefined;
  const support = Object.values(input.facts.capabilities.AccessGrant);
  if (support.some((one) => typeof one === 'string') && !context.provesAbsence('AccessGrant')) {
    return {
      code: 'listing-incomplete',
      because: `not every AccessGrant on the platform could be seen, so somebody may still have the role ${owned.key}.`,
      remedy: 'Nothing to do: it is deleted once the platform lists everything.',
    };
  }
  const names = new Set([owned.title, observed.title, owned.key.slice(owned.key.indexOf('/') + 1)]);
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

/** Access that Plumbline did not give: reported, and taken away only where role or Sync say `exclusive` (OWNERSHIP.md). */
export function unmanagedAccess(
  input: RemovalInput,
  context: DecideContext,
): { decisions: Decision[]; notices: Notice[] } {
  const roles = [...input.desired.values()].filter((object) => isOurRole(object, input));
  const decisions: Decision[] = [];
  const notices: Notice[] = [];
  for (const grant of roles.length === 0 ? [] : unmanagedGrants(input)) {
    const role = roles.find((one) => namesOf(one, input).has(grant.role ?? ''));
    if (role === undefined) continue;
    if (role.exclusive || context.terms.exclusive) decisions.push({ change: takeAway(grant), drifted: true });
    else notices.push(unmanaged(grant, role));
  }
  return { decisions, notices };
}

/** Who may have a role of somebody else's is not ours to say. */
function isOurRole(object: DesiredObject, { matches }: RemovalInput): boolean {
  const by = matches.of.get(object.key)?.by;
  return object.kind === 'AccessRole' && !object.disabled && by !== undefined && by !== 'title' && by !== 'owner';
}

function namesOf(role: DesiredObject, { matches }: RemovalInput): ReadonlySet<string> {
  const observed = matches.of.get(role.key)?.observed;
  return new Set([
    role.title,
    role.key.slice('AccessRole/'.length),
    ...(observed === undefined ? [] : [observed.title]),
  ]);
}

function takeAway(grant: Observed): Change {
  // No manifest can have this name, so no other change can have this key.
  const key: Key = `AccessGrant/remote:${grant.remote}`;
  return {
    key,
    kind: 'AccessGrant',
    title: grant.title,
    dependsOn: [],
    verb: 'delete',
    cause: 'removed',
    ...target(grant),
    revokes: true,
  };
}

function unmanaged(grant: Observed, role: DesiredObject): Notice {
  return {
    kind: 'AccessGrant',
    remote: grant.remote,
    title: grant.title,
    code: 'unmanaged-access',
    message: `"${grant.title}" has the role ${role.title} and Plumbline did not grant it.`,
    remedy: `Add an AccessGrant for it, take it away on the platform, or set "exclusive: true" on ${role.key}.`,
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
