import type { Origin, Problem } from '../errors.ts';
import type { SecretRef } from '../secrets/secrets.ts';
import { contentHash } from './canonical.ts';
import type { Candidate, Selector } from './doc.ts';
import type { JsonObject, Key, Kind, Manifest } from './manifest.ts';
import type { SelectedKind } from './objective.ts';
import { placeOf } from './resolve.ts';

/**
 * Takes out the service levels of which cannot be told what they select, because something that they may select cannot be
 * read; gives their keys. An object that is not seen is not one that is not there (law 3).
 */
export function unclear(
  candidates: Map<Key, Candidate>,
  unknownKeys: ReadonlySet<string>,
  unknownKinds: ReadonlySet<Kind>,
): readonly Key[] {
  if (unknownKeys.size === 0 && unknownKinds.size === 0) return [];
  const isWhole = (kind: Kind): boolean =>
    !unknownKinds.has(kind) && ![...unknownKeys].some((key) => key.startsWith(`${kind}/`));
  const found: Key[] = [];
  for (const [key, { outcome }] of candidates) {
    const { selector } = outcome;
    // Names say by themselves what is selected, and the platform is not in the source.
    if (selector === undefined || selector.kind === 'Platform' || selector.names !== undefined) continue;
    if (isWhole(selector.kind)) continue;
    candidates.delete(key);
    found.push(key);
  }
  return found;
}

/** Service levels of Integrations by name that run no code: nothing can be measured of those (law 15). */
export function refuseIdle(candidates: ReadonlyMap<Key, Candidate>): readonly Problem[] {
  return [...candidates.values()].flatMap(({ layers, outcome: { selector } }): readonly Problem[] => {
    if (selector?.kind !== 'Integration') return [];
    return (selector.names ?? []).flatMap((name, index): readonly Problem[] => {
      const selected = candidates.get(`Integration/${name}`);
      if (selected === undefined || selected.outcome.runs === true) return [];
      return [
        {
          origin: placeOf(layers, ['spec', 'selector', 'names', index]),
          message: `Integration/${name} has no code, so that nothing can be measured of it.`,
          remedy: 'Give it spec.code, or take it out.',
          severity: 'error',
          key: layers.base.key,
        },
      ];
    });
  });
}

/** Finds what selectors select among the objects of a source; a kind is looked through once, however many ask. */
export class Selection {
  readonly #candidates: ReadonlyMap<Key, Candidate>;
  readonly #byKind = new Map<SelectedKind, readonly Candidate[]>();
  readonly #byLabel = new Map<string, readonly Candidate[]>();

  constructor(candidates: ReadonlyMap<Key, Candidate>) {
    this.#candidates = candidates;
  }

  /** Names, sorted. */
  of({ kind, names, matchLabels = {} }: Selector): readonly string[] {
    if (kind === 'Platform') return [];
    if (names !== undefined) return [...new Set(names)].sort();
    const wanted = Object.entries(matchLabels);
    const [first] = wanted;
    const found = first === undefined ? this.#all(kind) : this.#labelled(kind, first);
    return found
      .filter(({ outcome }) => kind !== 'Integration' || outcome.runs === true)
      .filter(({ outcome }) => wanted.every(([label, value]) => outcome.labels[label] === value))
      .map(({ layers }) => layers.base.name)
      .sort();
  }

  #all(kind: SelectedKind): readonly Candidate[] {
    const known = this.#byKind.get(kind);
    if (known !== undefined) return known;
    const found = [...this.#candidates.values()].filter(({ layers }) => layers.base.kind === kind);
    this.#byKind.set(kind, found);
    return found;
  }

  #labelled(kind: SelectedKind, [label, value]: readonly [string, string]): readonly Candidate[] {
    const word = JSON.stringify([kind, label, value]);
    const known = this.#byLabel.get(word);
    if (known !== undefined) return known;
    const found = this.#all(kind).filter(({ outcome }) => outcome.labels[label] === value);
    this.#byLabel.set(word, found);
    return found;
  }
}

/**
 * A ServiceLevel together with what it selects. The names are part of what is desired, so that a label given to a workflow
 * shows as a difference of every service level that it enters.
 */
export class SelectingManifest implements Manifest {
  readonly fingerprint: string;
  readonly objects: readonly string[];
  readonly #manifest: Manifest;

  constructor(manifest: Manifest, objects: readonly string[]) {
    this.#manifest = manifest;
    this.objects = objects;
    this.fingerprint = contentHash({ manifest: manifest.fingerprint, objects });
  }

  get key(): Key {
    return this.#manifest.key;
  }
  get kind(): Kind {
    return this.#manifest.kind;
  }
  get name(): string {
    return this.#manifest.name;
  }
  get origin(): Origin {
    return this.#manifest.origin;
  }
  get outputReferences(): Manifest['outputReferences'] {
    return this.#manifest.outputReferences;
  }
  get title(): string {
    return this.#manifest.title;
  }
  get renamedFrom(): readonly Key[] {
    return this.#manifest.renamedFrom;
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#manifest.labels;
  }
  get annotations(): Readonly<Record<string, string>> {
    return this.#manifest.annotations;
  }
  get dependsOn(): readonly Key[] {
    return this.#manifest.dependsOn;
  }
  get ignoreFields(): readonly string[] {
    return this.#manifest.ignoreFields;
  }
  get secrets(): Readonly<Record<string, SecretRef>> {
    return this.#manifest.secrets;
  }

  async spec(signal: AbortSignal): Promise<JsonObject> {
    return { ...(await this.#manifest.spec(signal)), objects: [...this.objects] };
  }
}
