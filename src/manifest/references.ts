import type { Problem } from '../errors.ts';
import { formatOrigin } from '../errors.ts';
import type { Kind, Key } from './manifest.ts';
import type { Candidate } from './doc.ts';
import { isHere, ownReferences } from './output-circles.ts';
import { placeOf } from './resolve.ts';
import { spell } from './pointer.ts';
import { didYouMean } from './suggest.ts';

export type Candidates = Map<Key, Candidate>;

/**
 * Removes every candidate that refers to something missing or unknown, and what refers to that in turn, with a problem at
 * each reference. Objects of one kind may refer to each other in circles (workflows that call each other); between kinds
 * the order of KINDS rules circles out.
 */
export function refuseDangling(
  candidates: Candidates,
  isBroken: (key: Key) => boolean,
  platform: string | undefined,
): Problem[] {
  const problems: Problem[] = [];
  // One Application that is missing may have thousands of Workflows: the remedy is looked for once.
  const remedies = new Map<Key, string>();
  const refused = new Set<Key>();
  for (let again = true; again;) {
    again = false;
    for (const [key, { layers, outcome }] of candidates) {
      // An output of what the source does not have may be another Sync's; of what it has and cannot tell it is not.
      const outputs = outcome.outputReferences.filter(
        (one) => isHere(one, platform) && !candidates.has(one.key) && (refused.has(one.key) || isBroken(one.key)),
      );
      for (const { key: target, text, origin } of outputs) {
        const message = `"\${ref:${text}}" refers to ${target}, which has a problem itself.`;
        problems.push({ origin, message, remedy: `Correct ${target} first.`, severity: 'error', key: layers.base.key });
      }
      if (outputs.length > 0) {
        candidates.delete(key);
        refused.add(key);
        again = true;
        continue;
      }
      const dangling = outcome.references.filter((reference) => !candidates.has(reference.key));
      if (dangling.length === 0) continue;
      for (const { key: target, path } of dangling) {
        const gone = refused.has(target) || isBroken(target);
        const remedy = gone ? `Correct ${target} first.` : (remedies.get(target) ?? remedyFor(target, candidates));
        if (!gone) remedies.set(target, remedy);
        const why = gone ? 'has a problem itself' : 'is not in the source';
        const message = `${spell(path)} refers to ${target}, which ${why}.`;
        problems.push({ origin: placeOf(layers, path), message, remedy, severity: 'error', key: layers.base.key });
      }
      candidates.delete(key);
      refused.add(key);
      again = true;
    }
  }
  return problems;
}

function remedyFor(target: Key, candidates: Candidates): string {
  const kind = target.slice(0, target.indexOf('/') + 1);
  const names = [...candidates.keys()].filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length));
  return didYouMean(target.slice(kind.length), names, `Add ${target} to the source, or correct the name.`);
}

/** An object that says it was renamed from one that still exists, or from one that another says it was, has no past that can be told. */
export function refuseRenames(candidates: Candidates, isUnknown: (key: Key) => boolean): Problem[] {
  const problems: Problem[] = [];
  const claimed = new Map<Key, Candidate[]>();
  for (const candidate of candidates.values()) {
    for (const [index, old] of candidate.outcome.renamedFrom.entries()) {
      const others = claimed.get(old);
      if (others === undefined) claimed.set(old, [candidate]);
      else others.push(candidate);
      if (!candidates.has(old) && !isUnknown(old)) continue;
      problems.push(
        renameProblem(
          candidate,
          index,
          `${old} still exists, so that ${candidate.layers.base.key} cannot have been renamed from it.`,
        ),
      );
    }
  }
  for (const [old, group] of claimed) {
    if (group.length < 2) continue;
    for (const candidate of group) {
      const others = group
        .filter((one) => one !== candidate)
        .map(({ layers }) => `${layers.base.key} (${formatOrigin(layers.base.origin)})`);
      problems.push(
        renameProblem(
          candidate,
          candidate.outcome.renamedFrom.indexOf(old),
          `${others.join(', ')} was renamed from ${old} too.`,
        ),
      );
    }
  }
  for (const { key } of problems) candidates.delete(key as Key);
  return problems;
}

function renameProblem({ layers }: Candidate, index: number, message: string): Problem {
  const origin = placeOf(layers, ['metadata', 'renamedFrom', index]);
  return {
    origin,
    message,
    remedy: 'Name only what this object was called before.',
    severity: 'error',
    key: layers.base.key,
  };
}

/** Finds objects by what a definition calls them: kind, type and title. Kinds that nobody asks for are not indexed. */
export class Titles {
  readonly #candidates: Candidates;
  readonly #byKind = new Map<Kind, ReadonlyMap<string, readonly Key[]>>();

  constructor(candidates: Candidates) {
    this.#candidates = candidates;
  }

  /** Every object that may be meant; none when it is not in the source (it may still be on the platform). */
  find(kind: Kind, type: string | undefined, title: string): readonly Key[] {
    let index = this.#byKind.get(kind);
    if (index === undefined) {
      index = this.#index(kind);
      this.#byKind.set(kind, index);
    }
    return index.get(titleWord(kind, type, title)) ?? NONE;
  }

  #index(kind: Kind): ReadonlyMap<string, readonly Key[]> {
    const index = new Map<string, Key[]>();
    const add = (word: string, key: Key): void => {
      const known = index.get(word);
      if (known === undefined) index.set(word, [key]);
      else known.push(key);
    };
    for (const [key, { layers, outcome }] of this.#candidates) {
      if (layers.base.kind !== kind) continue;
      add(titleWord(kind, undefined, outcome.title), key);
      if (outcome.type !== undefined) add(titleWord(kind, outcome.type, outcome.title), key);
    }
    return index;
  }
}

/** One word for what people see of an object. */
export function titleWord(kind: Kind, type: string | undefined, title: string): string {
  return `${kind}\n${type ?? ''}\n${title}`;
}

const NONE: readonly Key[] = Object.freeze([]);

/** Among what a candidate's dependencies are found. */
export interface Around {
  readonly candidates: Candidates;
  readonly titles: Titles;
  readonly stands: (file: string, kind: Kind, part: string) => Key | undefined;
  readonly platform: string | undefined;
}

/**
 * Objects that must stand before a candidate, sorted: references, outputs it uses, what its definition mentions, and other
 * parts of its export.
 */
export function dependenciesOf(candidate: Candidate, { candidates, titles, stands, platform }: Around): readonly Key[] {
  const { layers, outcome } = candidate;
  const { raw, key } = layers.base;
  const { references, outputReferences, mentions } = outcome;
  if (references.length + outputReferences.length + mentions.length === 0 && raw === undefined) return NONE;
  const found = new Set<Key>();
  for (const reference of references) found.add(reference.key);
  for (const reference of ownReferences(candidate, candidates, platform)) found.add(reference.key);
  for (const { kind, type, title } of mentions) for (const target of titles.find(kind, type, title)) found.add(target);
  for (const { kind, part } of raw?.needs ?? []) {
    const target = raw === undefined ? undefined : stands(raw.file, kind, part);
    if (target !== undefined) found.add(target);
  }
  found.delete(key);
  for (const target of found) if (!candidates.has(target)) found.delete(target);
  return found.size === 0 ? NONE : [...found].sort();
}
