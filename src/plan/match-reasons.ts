import { formatOrigin } from '../errors.ts';
import type { Change, DesiredObject, Notice, Observed, WithheldCode } from './types.ts';

/** A reason not to act, as a plan reports it. */
export interface Reason {
  readonly code: WithheldCode;
  readonly because: string;
  readonly remedy: string;
}

export function foreignOwner(desired: DesiredObject, owner: string, where = ''): Reason {
  return {
    code: 'foreign-owner',
    because: `${desired.key} stands on the platform already${where} and belongs to ${owner}.`,
    remedy: `Remove it from one of the two, or say "plumbline.dev/adopt-from: ${owner}" on this manifest to take it over.`,
  };
}

export function ambiguous(desired: DesiredObject, candidates: readonly Observed[]): Reason {
  return {
    code: 'ambiguous',
    because: `${candidates.length} unowned objects on the platform are called "${desired.title}" (${candidates.map((one) => one.remote).join(', ')}).`,
    remedy: 'Rename or remove all but the one that is meant, or give this manifest another title.',
  };
}

export function sameTitle(desired: DesiredObject, others: readonly DesiredObject[]): Reason {
  const named = others.map(({ key, origin }) => `${key} (${origin.file}:${origin.line}:${origin.column})`).join(', ');
  return {
    code: 'ambiguous',
    because: `${desired.key} and ${named} are both called "${desired.title}" and could not be told apart on the platform.`,
    remedy: 'Give one of them another title.',
  };
}

export function idTaken(desired: DesiredObject, observed: Observed): Reason {
  return {
    code: 'ambiguous',
    because: `the id that ${desired.key} would get is that of "${observed.title}" already, which was called ${desired.key} before it was renamed.`,
    remedy: 'Give this manifest another name.',
  };
}

export function adoptRefused(observed: Observed): Reason {
  return {
    code: 'adopt-refused',
    because: `an object called "${observed.title}" (${observed.remote}) stands on the platform and Plumbline did not make it.`,
    remedy: 'Set "adopt: matching" on the Sync to take it over, or give this manifest another title.',
  };
}

export function notAllSeen(desired: DesiredObject): Reason {
  return {
    code: 'listing-incomplete',
    because: `the platform's listing of ${desired.kind} objects is not complete, so it cannot be told which of them is ${desired.key}.`,
    remedy: 'Nothing to do: it goes on once the platform lists everything.',
  };
}

export function copy(observed: Observed): Notice {
  return {
    kind: observed.kind,
    remote: observed.remote,
    title: observed.title,
    code: 'copy',
    message: `"${observed.title}" carries the marker of ${observed.marker?.key ?? 'another object'} but is a copy of it; it is left alone.`,
    remedy: 'Keep it as it is, or remove it on the platform.',
  };
}

export function orphan(observed: Observed): Notice {
  return {
    kind: observed.kind,
    remote: observed.remote,
    title: observed.title,
    code: 'orphaned-claim',
    message: `"${observed.title}" carries a marker of this Sync (${observed.marker?.key ?? ''}), but neither a manifest nor the ledger knows it; it is left alone.`,
    remedy: 'Put its manifest back to own it again, or remove it on the platform.',
  };
}

/** What is let go of and still has a manifest comes back with the next pass. */
export function stillInGit({ verb, key, kind, title, origin }: Change): readonly Notice[] {
  if (verb !== 'release' || origin === undefined) return [];
  return [
    {
      kind,
      title,
      code: 'still-in-git',
      key,
      origin,
      message: `${key} is still in git (${formatOrigin(origin)}): every pass from the next on wants it back, and takes it over again where the Sync says "adopt: matching".`,
      remedy:
        'Remove its manifest from git. Where no pass may come between, commit the annotation "plumbline.dev/reconcile: disabled" on it first.',
    },
  ];
}
