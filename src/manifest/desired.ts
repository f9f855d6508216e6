import type { Candidate, Layers, Outcome, Resolved } from './doc.ts';
import type { Origin, Problem } from '../errors.ts';
import type { Assembly } from './assemble.ts';
import { KINDS } from './manifest.ts';
import type { Desired, JsonObject, Key, Kind, Manifest } from './manifest.ts';
import { partWord } from './definition.ts';
import { refuseCircles } from './output-circles.ts';
import { dependenciesOf, refuseDangling, refuseRenames, Titles, titleWord } from './references.ts';
import type { Candidates } from './references.ts';
import { ResolvedManifest } from './resolved-manifest.ts';
import { refuseIdle, SelectingManifest, Selection, unclear } from './selection.ts';
import type { SpecReader } from './resolved-manifest.ts';
import { valueAt } from './pointer.ts';

/** Which manifests are meant; all when nothing is given. */
export interface Select {
  readonly kinds?: readonly Kind[];
  readonly matchLabels?: Readonly<Record<string, string>>;
}

export interface Composition {
  readonly revision: string;
  readonly assembly: Assembly;
  /** Problems of files that the source refused. */
  readonly refused: readonly Problem[];
  readonly select: Select;
  readonly reader: SpecReader;
  /** The Platform that references mean when they name none. */
  readonly platform: string | undefined;
}

/** Brings together every object that is in order, every problem, and what cannot be told. Each document has been resolved. */
export function compose({ revision, assembly, refused, select, reader, platform }: Composition): Desired {
  const problems: Problem[] = [...refused, ...assembly.problems];
  const unknownKeys = new Set<string>(assembly.unknownKeys);
  const unknownKinds = new Set(assembly.unknownKinds);
  const candidates: Candidates = new Map();
  const take = (layers: Layers): void => {
    const { key } = layers.base;
    const resolved = layers.base.resolved;
    if (resolved === undefined) return;
    if (resolved.problems.length > 0) problems.push(...resolved.problems);
    if (resolved.outcome === undefined) unknownKeys.add(key);
    else if (!unknownKeys.has(key) && !assembly.unpatchable.has(layers.base.kind))
      candidates.set(key, candidateOf(layers, resolved.outcome, resolved));
    else unknownKeys.add(key);
  };
  for (const layers of assembly.explicit.values()) take(layers);
  const replaced = takeRaw(assembly, take, unknownKeys);
  const isBroken = (key: Key): boolean => unknownKeys.has(key);
  const isUnknown = (key: Key): boolean =>
    unknownKeys.has(key) || unknownKinds.has(key.slice(0, key.indexOf('/')) as Kind);
  const refuse = (found: readonly Problem[]): void => {
    problems.push(...found);
    for (const { key } of found) if (key !== undefined) unknownKeys.add(key);
  };
  refuse(refuseDangling(candidates, isBroken, platform));
  const idle = refuseIdle(candidates);
  refuse(idle);
  for (const { key } of idle) if (key !== undefined) candidates.delete(key as Key);
  for (const key of unclear(candidates, unknownKeys, unknownKinds)) unknownKeys.add(key);
  const wrong = [...refuseRenames(candidates, isUnknown), ...refuseCircles(candidates, platform)];
  refuse(wrong);
  if (wrong.length > 0) refuse(refuseDangling(candidates, isBroken, platform));
  const manifests = manifestsOf(candidates, assembly, { select, reader, platform, ...replaced });
  return selected(
    {
      revision,
      manifests,
      problems: inOrder(problems),
      unknown: { keys: unknownKeys as Set<Key>, kinds: unknownKinds },
    },
    select,
  );
}

/**
 * Takes the objects of raw exports that no manifest speaks for: not the part that is some manifest's definition, not
 * objects that an explicit manifest of the same type and title describes. Gives the keys that those stand for.
 */
function takeRaw(assembly: Assembly, take: (layers: Layers) => void, unknownKeys: Set<string>): Replaced {
  const replaced = new Map<Key, Key>();
  const usedParts = new Map<string, Key>();
  if (assembly.raw.size === 0) return { replaced, usedParts };
  const usedFiles = new Set<string>();
  const doubtful = new Set<string>();
  const spoken = new Map<string, Layers>();
  const kinds = new Set([...assembly.raw.values()].map(({ base }) => base.kind));
  for (const layers of assembly.explicit.values()) {
    const { base, patches } = layers;
    const outcome = base.resolved?.outcome;
    if (outcome?.uses !== undefined) {
      usedFiles.add(outcome.uses.file);
      usedParts.set(outcome.uses.word, base.key);
    }
    if (outcome === undefined)
      for (const doc of [base, ...patches]) for (const file of doc.definitionFiles) doubtful.add(file);
    if (!kinds.has(base.kind)) continue;
    const word = outcome === undefined ? writtenTitle(layers) : titleWord(base.kind, outcome.type, outcome.title);
    spoken.set(word, layers);
  }
  for (const layers of assembly.raw.values()) {
    const { base } = layers;
    const files = assembly.rawObjects.filesOf.get(base) ?? [];
    const part = base.raw === undefined ? '' : partWord(base.raw.file, base.raw.part.kind, base.raw.part.part);
    const user = usedParts.get(part);
    const outcome = base.resolved?.outcome;
    const explicit = spoken.get(titleWord(base.kind, outcome?.type, outcome?.title ?? base.name));
    const wanted = files.some((file) => !assembly.definitionFiles.has(file) || usedFiles.has(file));
    if (user !== undefined) replaced.set(base.key, user);
    else if (explicit !== undefined && explicit.base.resolved?.outcome !== undefined && wanted)
      replaced.set(base.key, explicit.base.key);
    else if (explicit !== undefined || (!wanted && files.some((file) => doubtful.has(file)))) unknownKeys.add(base.key);
    else if (wanted) take(layers);
  }
  return { replaced, usedParts };
}

/** What a manifest with problems would be called on the platform, as far as its text tells. */
function writtenTitle({ base }: Layers): string {
  const value = JSON.parse(base.json) as JsonObject;
  const title = valueAt(value, ['spec', 'title']);
  const type = valueAt(value, ['spec', 'type']);
  return titleWord(
    base.kind,
    typeof type === 'string' ? type : undefined,
    typeof title === 'string' ? title : base.name,
  );
}

interface Replaced {
  /** Manifests that speak for a raw object, by its key. */
  readonly replaced: ReadonlyMap<Key, Key>;
  /** Manifests whose definition is a part of an export, by part. */
  readonly usedParts: ReadonlyMap<string, Key>;
}

interface Making extends Replaced {
  readonly select: Select;
  readonly reader: SpecReader;
  readonly platform: string | undefined;
}

function candidateOf(layers: Layers, outcome: Outcome, resolved: Resolved): Candidate {
  if (resolved.candidate?.layers !== layers) resolved.candidate = { layers, outcome };
  return resolved.candidate;
}

function manifestsOf(candidates: Candidates, assembly: Assembly, making: Making): Map<Key, Manifest> {
  const { select, reader, platform, replaced, usedParts } = making;
  const all = isAll(select);
  const chosen = all ? candidates : new Map([...candidates].filter(([, candidate]) => isSelected(candidate, select)));
  const titles = new Titles(chosen);
  const selection = new Selection(candidates);
  const stands = (file: string, kind: Kind, part: string): Key | undefined => {
    const word = partWord(file, kind, part);
    const user = usedParts.get(word);
    if (user !== undefined) return user;
    const key = assembly.rawObjects.byPart.get(word)?.key;
    return key === undefined ? undefined : (replaced.get(key) ?? key);
  };
  const manifests = new Map<Key, Manifest>();
  for (const key of inDependencyOrder(chosen)) {
    const candidate = chosen.get(key);
    const resolved = candidate === undefined ? undefined : candidate.layers.base.resolved;
    if (candidate === undefined || resolved === undefined) continue;
    const known = resolved.manifest;
    const { selector } = candidate.outcome;
    if (selector !== undefined) {
      const dependsOn = dependenciesOf(candidate, { candidates: chosen, titles, stands, platform });
      const written = new ResolvedManifest(candidate.layers, candidate.outcome, dependsOn, reader);
      manifests.set(key, new SelectingManifest(written, selection.of(selector)));
      continue;
    }
    // What only its own text decides is the same as the last time; every reference in it has been found.
    if (
      known !== undefined &&
      all &&
      candidate.outcome.mentions.length === 0 &&
      candidate.outcome.outputReferences.length === 0 &&
      candidate.layers.base.raw === undefined
    ) {
      manifests.set(key, known);
      continue;
    }
    const dependsOn = dependenciesOf(candidate, { candidates: chosen, titles, stands, platform });
    if (known === undefined || !sameKeys(known.dependsOn, dependsOn)) {
      resolved.manifest = new ResolvedManifest(candidate.layers, candidate.outcome, dependsOn, reader);
    }
    if (resolved.manifest !== undefined) manifests.set(key, resolved.manifest);
  }
  return manifests;
}

/** Kind by kind in dependency order, inside a kind in the order of files: readable, and the same for the same source. */
function inDependencyOrder(candidates: Candidates): readonly Key[] {
  const byKind = new Map<Kind, Key[]>(KINDS.map((kind) => [kind, []]));
  for (const [key, { layers }] of candidates) byKind.get(layers.base.kind)?.push(key);
  return [...byKind.values()].flat();
}

function sameKeys(left: readonly Key[], right: readonly Key[]): boolean {
  return left.length === right.length && left.every((key, index) => key === right[index]);
}

function isAll({ kinds, matchLabels }: Select): boolean {
  return kinds === undefined && Object.keys(matchLabels ?? {}).length === 0;
}

function isSelected({ layers, outcome }: Candidate, { kinds, matchLabels }: Select): boolean {
  if (kinds !== undefined && !kinds.includes(layers.base.kind)) return false;
  return Object.entries(matchLabels ?? {}).every(([name, value]) => outcome.labels[name] === value);
}

/** Leaves out what concerns only kinds that are not governed: they hold up nobody. */
function selected(desired: Desired, { kinds }: Select): Desired {
  if (kinds === undefined) return desired;
  const governed = (key: string): boolean => (kinds as readonly string[]).includes(key.slice(0, key.indexOf('/')));
  return {
    ...desired,
    problems: desired.problems.filter(({ key }) => key === undefined || governed(key)),
    unknown: {
      keys: new Set([...desired.unknown.keys].filter(governed)),
      kinds: new Set([...desired.unknown.kinds].filter((kind) => kinds.includes(kind))),
    },
  };
}

/** Sorted by place, each problem once. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length === 0) return problems;
  const distinct = new Map(problems.map((problem) => [`${word(problem.origin)}\n${problem.message}`, problem]));
  return [...distinct.values()].sort(
    ({ origin: one, message: left }, { origin: other, message: right }) =>
      compare(one.file, other.file) || one.line - other.line || one.column - other.column || compare(left, right),
  );
}

function word({ file, line, column }: Origin): string {
  return `${file}:${line}:${column}`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
