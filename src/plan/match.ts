import type { Key, Kind } from '../manifest/manifest.ts';
import { kindOf, remoteKey, type Observation, type RemoteKey } from './observation.ts';
import type { Terms } from './terms.ts';
import type { DesiredObject, Intent, LedgerView, Notice, Observed, Owned, WithheldCode } from './types.ts';

/** A reason not to act, as a plan reports it. */
export interface Reason {
  readonly code: WithheldCode;
  readonly because: string;
  readonly remedy: string;
}

/** Which object on the platform a manifest means, and why that is believed. */
export interface Match {
  readonly desired: DesiredObject;
  /** What the ledger knows, under the present or a former name. */
  readonly owned?: Owned;
  /** Absent: nothing on the platform is it. */
  readonly observed?: Observed;
  /** `title` and `owner` are adoptions; everything else is ours already. */
  readonly by?: 'ledger' | 'marker' | 'id' | 'intent' | 'reference' | 'title' | 'owner';
  /** Fingerprint that Plumbline last wrote or meant to write, as far as ledger, open intent or marker tell. */
  readonly applied?: string;
  /** Its key before a rename. */
  readonly from?: Key;
  /** Several objects may be it, or somebody else's is: nothing is done. */
  readonly blocked?: Reason;
}

export interface Matches {
  readonly of: ReadonlyMap<Key, Match>;
  /** Objects on the platform that no manifest means. */
  readonly others: readonly Observed[];
  readonly notices: readonly Notice[];
}

export interface MatchInput {
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly observation: Observation;
  readonly ledger: LedgerView;
  readonly terms: Terms;
  idFor(key: Key): string | undefined;
}

/*
 * Who is who, strongest proof first (OWNERSHIP.md):
 *
 *   ledger's remote id  >  our marker (if two carry it: our deterministic id, else the oldest)  >  deterministic id
 *     >  an open create intent and one unowned object of that title  >  one object of that title that an owned object refers to
 *     >  adoption by title, where the Sync allows it
 *
 * Each object on the platform is given to one manifest at most; what the stronger proofs take, the weaker ones never see.
 */
export function match(input: MatchInput): Matches {
  const matcher = new Matcher(input);
  const objects = [...input.desired.values()];
  for (const prove of [
    matcher.byLedger,
    matcher.byMarker,
    matcher.byId,
    matcher.byIntent,
    matcher.byReference,
    matcher.byTitle,
  ]) {
    for (const desired of objects) if (!matcher.found.has(desired.key)) prove(desired);
  }
  for (const desired of objects) if (!matcher.found.has(desired.key)) matcher.give(desired, {});
  return matcher.matches();
}

class Matcher {
  readonly found = new Map<Key, Match>();
  readonly #input: MatchInput;
  readonly #owners: ReadonlySet<string>;
  readonly #taken = new Set<RemoteKey>();
  readonly #claims = new Map<Key, Observed[]>();
  readonly #titles = new Map<string, Observed[]>();
  readonly #intents: ReadonlyMap<Key, Intent>;
  readonly #creates: ReadonlyMap<Key, Intent>;
  readonly #notices: Notice[] = [];
  readonly #ledgerRemotes: ReadonlySet<RemoteKey>;

  constructor(input: MatchInput) {
    this.#input = input;
    this.#owners = new Set([input.terms.owner, ...input.terms.previousOwners]);
    this.#intents = new Map(input.ledger.intents.map((intent) => [intent.key, intent]));
    this.#creates = new Map(
      input.ledger.intents.filter((intent) => intent.verb === 'create').map((intent) => [intent.key, intent]),
    );
    this.#ledgerRemotes = new Set(
      [...input.ledger.owned.values()].map((owned) => remoteKey(kindOf(owned.key), owned.remote)),
    );
    for (const observed of input.observation.objects.values()) {
      if (this.#isOurClaim(observed)) append(this.#claims, observed.marker.key, observed);
      append(this.#titles, titleKey(observed.kind, observed.title), observed);
    }
  }

  readonly byLedger = (desired: DesiredObject): void => {
    for (const key of [desired.key, ...desired.renamedFrom]) {
      const owned = this.#input.ledger.owned.get(key);
      const observed = owned && this.#input.observation.objects.get(remoteKey(desired.kind, owned.remote));
      if (owned === undefined || observed === undefined) continue;
      this.give(desired, { owned, observed, by: 'ledger', ...(key === desired.key ? {} : { from: key }) });
      return;
    }
  };

  readonly byMarker = (desired: DesiredObject): void => {
    for (const key of [desired.key, ...desired.renamedFrom]) {
      const claims = (this.#claims.get(key) ?? []).filter((claim) => this.#isFree(claim));
      const id = this.#input.idFor(desired.key);
      const observed = claims.find((claim) => claim.remote === id) ?? oldest(claims);
      if (observed === undefined) continue;
      this.give(desired, { observed, by: 'marker', ...(key === desired.key ? {} : { from: key }) });
      return;
    }
  };

  readonly byId = (desired: DesiredObject): void => {
    const id = this.#input.idFor(desired.key);
    const observed = id === undefined ? undefined : this.#input.observation.objects.get(remoteKey(desired.kind, id));
    if (observed !== undefined && observed.marker === undefined && this.#isFree(observed))
      this.give(desired, { observed, by: 'id' });
  };

  readonly byIntent = (desired: DesiredObject): void => {
    const intent = this.#creates.get(desired.key);
    if (intent === undefined) return;
    const candidates = this.#unowned(desired).filter(
      (observed) => observed.createdAt === undefined || observed.createdAt >= intent.since - CLOCK_SKEW,
    );
    const [observed] = candidates;
    if (observed !== undefined && candidates.length === 1) this.give(desired, { observed, by: 'intent' });
  };

  /** An unmarkable object is ours when it alone has the title and an object that is proven ours refers to it by that title. */
  readonly byReference = (desired: DesiredObject): void => {
    const candidates = this.#unowned(desired);
    const [observed] = candidates;
    if (observed === undefined || candidates.length !== 1) return;
    for (const referrer of this.#input.desired.values()) {
      if (!referrer.dependsOn.includes(desired.key)) continue;
      const proven = this.found.get(referrer.key);
      if (proven?.by !== 'marker' && proven?.by !== 'ledger') continue;
      if (proven.observed?.fingerprint === referrer.fingerprint)
        return this.give(desired, { observed, by: 'reference' });
    }
  };

  readonly byTitle = (desired: DesiredObject): void => {
    const foreign = (this.#titles.get(titleKey(desired.kind, desired.title)) ?? []).filter(
      (observed) => !this.#isOurs(observed),
    );
    const named = foreign.filter(
      (observed) => observed.marker !== undefined && observed.marker.owner === desired.adoptFrom,
    );
    if (named[0] !== undefined && named.length === 1) return this.give(desired, { observed: named[0], by: 'owner' });
    const sameKey = foreign.find((observed) => observed.marker?.key === desired.key);
    if (sameKey?.marker !== undefined)
      return this.give(desired, { blocked: foreignOwner(desired, sameKey.marker.owner) });
    const other = foreign.map((observed) =>
      this.#input.ledger.ownedByOthers.get(remoteKey(observed.kind, observed.remote)),
    );
    const sync = other.find((name) => name !== undefined);
    if (sync !== undefined) return this.give(desired, { blocked: foreignOwner(desired, sync) });
    const candidates = this.#unowned(desired);
    const [observed] = candidates;
    if (observed === undefined) return;
    if (candidates.length > 1) return this.give(desired, { blocked: ambiguous(desired, candidates) });
    if (this.#input.terms.adopt === 'refuse') return this.give(desired, { blocked: adoptRefused(desired, observed) });
    this.give(desired, { observed, by: 'title' });
  };

  give(desired: DesiredObject, match: Omit<Match, 'desired'>): void {
    const owned = match.owned ?? this.#input.ledger.owned.get(desired.key);
    const meant = this.#intents.get(desired.key)?.fingerprint;
    const landed = meant !== undefined && meant === match.observed?.fingerprint;
    const applied = landed ? meant : (owned?.fingerprint ?? match.observed?.marker?.applied);
    this.found.set(desired.key, {
      desired,
      ...match,
      ...(owned === undefined ? {} : { owned }),
      ...(applied === undefined ? {} : { applied }),
    });
    if (match.observed !== undefined) this.#taken.add(remoteKey(match.observed.kind, match.observed.remote));
  }

  matches(): Matches {
    const others = [...this.#input.observation.objects.values()].filter((observed) => !this.#isTaken(observed));
    for (const observed of others) {
      if (!this.#isOurClaim(observed) || this.#ledgerRemotes.has(remoteKey(observed.kind, observed.remote))) continue;
      this.#notices.push(this.#input.desired.has(observed.marker.key) ? copy(observed) : orphan(observed));
    }
    return { of: this.found, others, notices: this.#notices };
  }

  #unowned(desired: DesiredObject): Observed[] {
    const titled = this.#titles.get(titleKey(desired.kind, desired.title)) ?? [];
    return titled.filter(
      (observed) => this.#isFree(observed) && observed.marker === undefined && !this.#isOurs(observed),
    );
  }

  #isOurClaim(observed: Observed): observed is Observed & { readonly marker: NonNullable<Observed['marker']> } {
    return (
      observed.marker !== undefined &&
      this.#owners.has(observed.marker.owner) &&
      kindOf(observed.marker.key) === observed.kind
    );
  }

  #isTaken(observed: Observed): boolean {
    return this.#taken.has(remoteKey(observed.kind, observed.remote));
  }

  #isFree(observed: Observed): boolean {
    const id = remoteKey(observed.kind, observed.remote);
    return !this.#taken.has(id) && !this.#ledgerRemotes.has(id) && !this.#input.ledger.ownedByOthers.has(id);
  }

  #isOurs(observed: Observed): boolean {
    return (
      this.#isTaken(observed) ||
      this.#isOurClaim(observed) ||
      this.#ledgerRemotes.has(remoteKey(observed.kind, observed.remote))
    );
  }
}

/** Clocks of two machines may differ this much; milliseconds. */
const CLOCK_SKEW = 300_000;

function titleKey(kind: Kind, title: string): string {
  return `${kind}:${title}`;
}

function append<K>(map: Map<K, Observed[]>, key: K, observed: Observed): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [observed]);
  else list.push(observed);
}

function oldest(claims: readonly Observed[]): Observed | undefined {
  return claims.toSorted((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0) || (a.remote < b.remote ? -1 : 1))[0];
}

function foreignOwner(desired: DesiredObject, owner: string): Reason {
  return {
    code: 'foreign-owner',
    because: `${desired.key} stands on the platform already and belongs to ${owner}.`,
    remedy: `Remove it from one of the two, or say "plumbline.dev/adopt-from: ${owner}" on this manifest to take it over.`,
  };
}

function ambiguous(desired: DesiredObject, candidates: readonly Observed[]): Reason {
  return {
    code: 'ambiguous',
    because: `${candidates.length} unowned objects on the platform are called "${desired.title}" (${candidates.map((one) => one.remote).join(', ')}).`,
    remedy: 'Rename or remove all but the one that is meant, or give this manifest another title.',
  };
}

function adoptRefused(desired: DesiredObject, observed: Observed): Reason {
  return {
    code: 'adopt-refused',
    because: `an object called "${desired.title}" (${observed.remote}) stands on the platform and Plumbline did not make it.`,
    remedy: 'Set "adopt: matching" on the Sync to take it over, or give this manifest another title.',
  };
}

function copy(observed: Observed): Notice {
  return {
    kind: observed.kind,
    remote: observed.remote,
    title: observed.title,
    code: 'copy',
    message: `"${observed.title}" carries the marker of ${observed.marker?.key ?? 'another object'} but is a copy of it; it is left alone.`,
    remedy: 'Keep it as it is, or remove it on the platform.',
  };
}

function orphan(observed: Observed): Notice {
  return {
    kind: observed.kind,
    remote: observed.remote,
    title: observed.title,
    code: 'orphaned-claim',
    message: `"${observed.title}" carries a marker of this Sync (${observed.marker?.key ?? ''}), but neither a manifest nor the ledger knows it; it is left alone.`,
    remedy: 'Put its manifest back to own it again, or remove it on the platform.',
  };
}
