import type { Key, Kind } from '../manifest/manifest.ts';
import type { Match, MatchInput, Matches } from './matches.ts';
import {
  adoptRefused,
  ambiguous,
  copy,
  foreignOwner,
  idTaken,
  notAllSeen,
  orphan,
  sameTitle,
} from './match-reasons.ts';
import { isClaim, isCopied, oldest, titleKey, type Claim } from './claims.ts';
import { createIntents, mayBeFrom } from './intents.ts';
import { kindOf, remoteKey, type RemoteKey } from './observation.ts';
import type { DesiredObject, Intent, Notice, Observed } from './types.ts';

/** One proof of identity per method; `match` calls them in the order of their strength. */
export class Matcher {
  readonly found = new Map<Key, Match>();
  readonly #input: MatchInput;
  readonly #owners: ReadonlySet<string>;
  readonly #taken = new Set<RemoteKey>();
  readonly #claims = new Map<Key, Claim[]>();
  readonly #foreign = new Map<Key, Claim[]>();
  readonly #titles = new Map<string, Observed[]>();
  readonly #namesakes = new Map<string, DesiredObject[]>();
  readonly #intents: ReadonlyMap<Key, Intent>;
  readonly #creates: ReadonlyMap<Key, Intent>;
  readonly #ledgerKeys: ReadonlyMap<RemoteKey, Key>;

  constructor(input: MatchInput) {
    this.#input = input;
    this.#owners = new Set([input.terms.owner, ...input.terms.previousOwners]);
    this.#intents = new Map(input.ledger.intents.map((intent) => [intent.key, intent]));
    this.#creates = createIntents(input.ledger.intents);
    this.#ledgerKeys = new Map(
      [...input.ledger.owned.values()].map((owned) => [remoteKey(kindOf(owned.key), owned.remote), owned.key]),
    );
    for (const desired of input.desired.values()) append(this.#namesakes, titleKey(desired), desired);
    for (const observed of input.observation.objects.values()) {
      append(this.#titles, titleKey(observed), observed);
      if (isClaim(observed) && !isCopied(observed))
        append(this.#isOurClaim(observed) ? this.#claims : this.#foreign, observed.marker.key, observed);
    }
  }

  readonly byLedger = (desired: DesiredObject): void => {
    const owned = this.#input.ledger.owned.get(desired.key);
    const observed = owned && this.#free(remoteKey(desired.kind, owned.remote));
    if (observed === undefined) return;
    const thief = this.#otherOwner(observed);
    if (thief === undefined) return this.give(desired, { observed, by: 'ledger' });
    // It was taken over on the platform; two owners that both write would never come to rest.
    this.give(
      desired,
      desired.adoptFrom === thief ? { observed, by: 'owner' } : { blocked: foreignOwner(desired, thief) },
    );
  };

  readonly byFormerName = (desired: DesiredObject): void => {
    for (const key of desired.renamedFrom) {
      const owned = this.#input.ledger.owned.get(key);
      const observed = owned && this.#free(remoteKey(desired.kind, owned.remote));
      if (owned === undefined || observed === undefined || this.#otherOwner(observed) !== undefined) continue;
      return this.give(desired, { owned, observed, by: 'ledger', from: key });
    }
  };

  readonly byMarker = (desired: DesiredObject): void => {
    // A name that a manifest of its own bears now is nobody's former name.
    const former = desired.renamedFrom.filter((key) => !this.#input.desired.has(key));
    for (const key of [desired.key, ...former]) {
      const claims = (this.#claims.get(key) ?? []).filter((claim) => this.#isUnclaimed(claim));
      const id = this.#input.idFor(desired.key);
      const certain = claims.find((claim) => claim.remote === id);
      const observed = certain ?? oldest(claims);
      if (observed === undefined) continue;
      // What was not listed may be the original, and this one a copy of it.
      if (certain === undefined && !this.#sawAll(desired.kind))
        return this.give(desired, { blocked: notAllSeen(desired) });
      return this.give(desired, { observed, by: 'marker', ...(key === desired.key ? {} : { from: key }) });
    }
  };

  readonly byId = (desired: DesiredObject): void => {
    const id = this.#input.idFor(desired.key);
    const observed = id === undefined ? undefined : this.#input.observation.objects.get(remoteKey(desired.kind, id));
    if (observed === undefined) return;
    if (observed.marker === undefined && this.#isFree(observed)) return this.give(desired, { observed, by: 'id' });
    const other = this.#otherOwner(observed);
    if (other === undefined) this.give(desired, { blocked: idTaken(desired, observed) });
    else if (other !== desired.adoptFrom) this.give(desired, { blocked: foreignOwner(desired, other) });
  };

  /** Where creation sets the marker, an object without one is not what an interrupted create left. */
  readonly byIntent = (desired: DesiredObject): void => {
    const intent = this.#creates.get(desired.key);
    if (intent === undefined || this.#isMarked(desired.kind) || !this.#sawAll(desired.kind)) return;
    const candidates = this.#unowned(desired).filter((observed) => mayBeFrom(intent, observed));
    const [observed] = candidates;
    if (observed !== undefined && candidates.length === 1) this.give(desired, { observed, by: 'intent' });
  };

  /** An unmarkable object is ours when it alone has the title and an object that is proven ours refers to it by that title. */
  readonly byReference = (desired: DesiredObject): void => {
    if (this.#isMarked(desired.kind) || !this.#sawAll(desired.kind)) return;
    const candidates = this.#unowned(desired);
    const [observed] = candidates;
    if (observed === undefined || candidates.length !== 1) return;
    for (const referrer of this.#input.desired.values()) {
      if (!referrer.dependsOn.includes(desired.key)) continue;
      const proven = this.found.get(referrer.key);
      if (proven?.by !== 'marker' && proven?.by !== 'ledger' && proven?.by !== 'id') continue;
      if (proven.observed?.fingerprint === referrer.fingerprint)
        return this.give(desired, { observed, by: 'reference' });
    }
  };

  readonly byTitle = (desired: DesiredObject): void => {
    const blocked = this.#claimedElsewhere(desired);
    if (blocked !== undefined) return this.give(desired, blocked);
    const namesakes = (this.#namesakes.get(titleKey(desired)) ?? []).filter((other) => other !== desired);
    const alike = !this.#isMarked(desired.kind) && this.#input.idFor(desired.key) === undefined;
    const told = alike ? undefined : this.#toldByContent(desired, namesakes);
    const candidates = told === undefined ? this.#unowned(desired) : [told];
    const [observed] = candidates;
    if (told === undefined && namesakes.length > 0 && (alike || observed !== undefined))
      return this.give(desired, { blocked: sameTitle(desired, namesakes) });
    if (observed === undefined) return;
    if (candidates.length > 1) return this.give(desired, { blocked: ambiguous(desired, candidates) });
    if (this.#input.terms.adopt === 'refuse') return this.give(desired, { blocked: adoptRefused(observed) });
    this.give(desired, this.#sawAll(desired.kind) ? { observed, by: 'title' } : { blocked: notAllSeen(desired) });
  };

  /** Among several of one title, the only one that is what git wants already, and what git wants only once. */
  #toldByContent(desired: DesiredObject, namesakes: readonly DesiredObject[]): Observed | undefined {
    if (namesakes.some(({ fingerprint }) => fingerprint === desired.fingerprint)) return undefined;
    const [equal, ...more] = this.#unowned(desired).filter(({ fingerprint }) => fingerprint === desired.fingerprint);
    return more.length === 0 ? equal : undefined;
  }

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
    const notices = others.flatMap((observed): Notice[] => {
      if (!isClaim(observed) || !this.#isOurClaim(observed)) return [];
      if (this.#ledgerKeys.has(remoteKey(observed.kind, observed.remote))) return [];
      const copied = isCopied(observed) || this.#input.desired.has(observed.marker.key);
      return [copied ? copy(observed) : orphan(observed)];
    });
    return { of: this.found, others, notices };
  }

  /** A name is claimed once per installation, whatever its title is; a title once per platform. */
  #claimedElsewhere(desired: DesiredObject): Omit<Match, 'desired'> | undefined {
    const titled = (this.#titles.get(titleKey(desired)) ?? []).filter((observed) => !this.#isOurs(observed));
    const claims = [...(this.#foreign.get(desired.key) ?? []), ...titled.filter(isClaim)].filter(
      (claim) => claim.kind === desired.kind && !this.#isTaken(claim),
    );
    const named = [...new Set(claims.filter((claim) => claim.marker.owner === desired.adoptFrom))];
    if (named[0] !== undefined && named.length === 1) return { observed: named[0], by: 'owner' };
    const { owner } = this.#input.terms;
    const installation = owner.slice(0, owner.indexOf('/') + 1);
    const sameKey = claims.find(
      (claim) =>
        claim.marker.key === desired.key &&
        (titled.includes(claim) ||
          (claim.marker.owner.startsWith(installation) && !this.#owners.has(claim.marker.owner))),
    );
    if (sameKey !== undefined) {
      const where = sameKey.title === desired.title ? '' : ` as "${sameKey.title}"`;
      return { blocked: foreignOwner(desired, sameKey.marker.owner, where) };
    }
    for (const observed of titled) {
      const sync = this.#input.ledger.ownedByOthers.get(remoteKey(observed.kind, observed.remote));
      if (sync !== undefined) return { blocked: foreignOwner(desired, installation + sync) };
    }
    return undefined;
  }

  #unowned(desired: DesiredObject): Observed[] {
    const titled = this.#titles.get(titleKey(desired)) ?? [];
    return titled.filter(
      (observed) => this.#isFree(observed) && observed.marker === undefined && !this.#isOurs(observed),
    );
  }

  #isMarked(kind: Kind): boolean {
    return this.#input.marks?.includes(kind) === true;
  }

  #sawAll(kind: Kind): boolean {
    return this.#input.observation.listed.get(kind)?.state === 'complete';
  }

  #isOurClaim(claim: Claim): boolean {
    return this.#owners.has(claim.marker.owner) && kindOf(claim.marker.key) === claim.kind;
  }

  #otherOwner({ marker }: Observed): string | undefined {
    return marker === undefined || this.#owners.has(marker.owner) ? undefined : marker.owner;
  }

  #isTaken(observed: Observed): boolean {
    return this.#taken.has(remoteKey(observed.kind, observed.remote));
  }

  #free(id: RemoteKey): Observed | undefined {
    return this.#taken.has(id) ? undefined : this.#input.observation.objects.get(id);
  }

  #isFree(observed: Observed): boolean {
    const id = remoteKey(observed.kind, observed.remote);
    return !this.#taken.has(id) && !this.#ledgerKeys.has(id) && !this.#input.ledger.ownedByOthers.has(id);
  }

  /** Whether a marker may speak for it: the ledger does not know it, or by a name that no manifest bears any more. */
  #isUnclaimed(claim: Claim): boolean {
    const id = remoteKey(claim.kind, claim.remote);
    const known = this.#ledgerKeys.get(id);
    if (this.#taken.has(id) || this.#input.ledger.ownedByOthers.has(id)) return false;
    return known === undefined || !this.#input.desired.has(known);
  }

  #isOurs(observed: Observed): boolean {
    return (
      this.#isTaken(observed) ||
      (isClaim(observed) && this.#isOurClaim(observed)) ||
      this.#ledgerKeys.has(remoteKey(observed.kind, observed.remote))
    );
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
