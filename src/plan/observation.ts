import type { Key, Kind } from '../manifest/manifest.ts';
import { fingerprint } from './fingerprint.ts';
import type { Completeness, DesiredObject, LedgerView, Observed, Owner, RemoteObject } from './types.ts';

/** `Kind:id`, the identity of an object on the platform. */
export type RemoteKey = `${Kind}:${string}`;

export function remoteKey(kind: Kind, remote: string): RemoteKey {
  return `${kind}:${remote}`;
}

/** Contents of differing objects that are kept for the difference and the archive; beyond it they are read again. */
const MOST_KEPT = 1_000;

interface Wanted {
  readonly desired: ReadonlyMap<Key, DesiredObject>;
  readonly ledger: LedgerView;
  readonly owners: ReadonlySet<Owner>;
  idFor(key: Key): string | undefined;
}

/**
 * What the platform says it has, as a pass keeps it: fingerprints of everything, contents only of what differs from
 * what is desired.
 */
export class Observation {
  readonly objects = new Map<RemoteKey, Observed>();
  readonly listed = new Map<Kind, Completeness>();
  readonly #kept = new Map<RemoteKey, RemoteObject>();
  readonly #wanted: Wanted;
  readonly #byRemote: ReadonlyMap<RemoteKey, Key>;
  readonly #byTitle: ReadonlyMap<string, Key>;
  readonly #formerly: ReadonlyMap<Key, Key>;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    const byRemote = new Map<RemoteKey, Key>();
    const byTitle = new Map<string, Key>();
    this.#formerly = new Map(
      [...wanted.desired.values()].flatMap((object) => object.renamedFrom.map((old) => [old, object.key])),
    );
    for (const object of wanted.desired.values()) {
      byTitle.set(`${object.kind}:${object.title}`, object.key);
      const id = wanted.idFor(object.key);
      if (id !== undefined) byRemote.set(remoteKey(object.kind, id), object.key);
    }
    for (const owned of wanted.ledger.owned.values()) {
      byRemote.set(remoteKey(kindOf(owned.key), owned.remote), this.#renamed(owned.key));
    }
    this.#byRemote = byRemote;
    this.#byTitle = byTitle;
  }

  /** Takes one listed object in. Its content is dropped unless it differs from what is desired of it. */
  add(object: RemoteObject): void {
    const key = this.#candidate(object);
    const desired = key === undefined ? undefined : this.#wanted.desired.get(key);
    const { value, ...rest } = object;
    const observed: Observed = {
      ...rest,
      fingerprint: fingerprint(value, desired?.ignore ?? []),
      ...(object.kind === 'AccessGrant' && typeof value['role'] === 'string' ? { role: value['role'] } : {}),
    };
    const id = remoteKey(object.kind, object.remote);
    this.objects.set(id, observed);
    if (key !== undefined && observed.fingerprint !== desired?.fingerprint) this.keep(object);
  }

  /** Holds on to a content, up to the bound. */
  keep(object: RemoteObject): void {
    if (this.#kept.size < MOST_KEPT) this.#kept.set(remoteKey(object.kind, object.remote), object);
  }

  content(kind: Kind, remote: string): RemoteObject | undefined {
    return this.#kept.get(remoteKey(kind, remote));
  }

  /** Which manifest this object may belong to: needed to know which of its fields nobody compares. */
  #candidate(object: RemoteObject): Key | undefined {
    const { marker } = object;
    return (
      this.#byRemote.get(remoteKey(object.kind, object.remote)) ??
      (marker !== undefined && this.#wanted.owners.has(marker.owner) ? this.#renamed(marker.key) : undefined) ??
      this.#byTitle.get(`${object.kind}:${object.title}`)
    );
  }

  /** The present key of an object that had `old` before. */
  #renamed(old: Key): Key {
    return this.#wanted.desired.has(old) ? old : (this.#formerly.get(old) ?? old);
  }
}

export function kindOf(key: Key): Kind {
  return key.slice(0, key.indexOf('/')) as Kind;
}
