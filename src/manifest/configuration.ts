import type { Origin, Problem } from '../errors.ts';
import { formatOrigin } from '../errors.ts';
import { NOT_ENFORCED } from './fields.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { KINDS } from './manifest.ts';
import type { JsonValue } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import { findPlace } from './places.ts';
import type { Platform } from './platform.ts';
import { isObject, valueAt } from './pointer.ts';
import { check } from './problems.ts';
import { CONFIGURATION_SCHEMAS, KINDS_NOT_ENFORCED } from './schemas.ts';
import { foldName } from './slug.ts';
import { didYouMean } from './suggest.ts';
import type { Sync } from './sync.ts';
import { parseTrees } from './yaml-tree.ts';
import type { Tree } from './yaml-tree.ts';

/** A Platform or Sync that is in order, and where it was written. */
export interface Configured<Document> {
  readonly document: Document;
  readonly origin: Origin;
}

/** What the daemon is configured with. Broken documents are left out and told as problems. */
export interface Configuration {
  /** By name. */
  readonly platforms: ReadonlyMap<string, Configured<Platform>>;
  readonly syncs: ReadonlyMap<string, Configured<Sync>>;
  readonly problems: readonly Problem[];
}

interface Entry {
  readonly kind: 'Platform' | 'Sync';
  readonly name: string;
  readonly file: string;
  readonly tree: Tree;
  readonly document: Platform | Sync;
}

/**
 * Reads the daemon's own configuration: Platform and Sync documents, YAML or JSON. Durations come out in milliseconds and
 * defaults filled in. A Sync whose platform or dependencies do not hold is a problem and left out.
 */
export function loadConfiguration(files: readonly { readonly path: string; readonly text: string }[]): Configuration {
  const problems: Problem[] = [];
  const entries: Entry[] = [];
  for (const { path, text } of files) {
    for (const tree of parseTrees(text, DEFAULT_LIMITS)) {
      const entry = readEntry(path, tree, problems);
      if (entry !== undefined) entries.push(entry);
    }
  }
  const distinct = withoutDuplicates(entries, problems);
  const platforms = new Map<string, Configured<Platform>>();
  const syncs = new Map<string, Configured<Sync>>();
  for (const { kind, name, file, tree, document } of distinct) {
    const origin = { file, ...tree.start };
    if (kind === 'Platform') platforms.set(name, { document: document as Platform, origin });
    else syncs.set(name, { document: document as Sync, origin });
  }
  checkSyncs(distinct, { platforms, syncs, problems });
  problems.sort(
    (one, other) =>
      compare(one.origin.file, other.origin.file) ||
      one.origin.line - other.origin.line ||
      one.origin.column - other.origin.column,
  );
  return { platforms, syncs, problems };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function readEntry(file: string, tree: Tree, problems: Problem[]): Entry | undefined {
  const { value } = tree;
  const kind = valueAt(value, ['kind']);
  const name = valueAt(value, ['metadata', 'name']);
  const key = typeof kind === 'string' && typeof name === 'string' ? { key: `${kind}/${name}` } : {};
  for (const { line, column, message, remedy } of tree.faults) {
    problems.push({ origin: { file, line, column }, message: `${message}.`, remedy, severity: 'error', ...key });
  }
  if (tree.faults.length > 0 || value === undefined || value === null) return undefined;
  if (kind !== 'Platform' && kind !== 'Sync') {
    problems.push({ origin: originOf(file, tree, ['kind']), ...wrongKind(value, kind), severity: 'error', ...key });
    return undefined;
  }
  const checked = check(kind, value);
  if (!checked.ok) {
    for (const { path, message, remedy } of checked.flaws)
      problems.push({ origin: originOf(file, tree, path), message, remedy, severity: 'error', ...key });
    return undefined;
  }
  return {
    kind,
    name: typeof name === 'string' ? name : '',
    file,
    tree,
    document: checked.data as unknown as Platform | Sync,
  };
}

function wrongKind(value: JsonValue, kind: JsonValue | undefined): { message: string; remedy: string } {
  const known = Object.keys(CONFIGURATION_SCHEMAS);
  if (!isObject(value) || typeof kind !== 'string') {
    return {
      message: 'this is no Platform or Sync: kind is missing.',
      remedy: `Write apiVersion: ${API_VERSION} and kind: Platform or Sync.`,
    };
  }
  if ((KINDS as readonly string[]).includes(kind)) {
    return { message: `a ${kind} is desired state, not configuration.`, remedy: 'Move it into the source of a Sync.' };
  }
  if (KINDS_NOT_ENFORCED.includes(kind))
    return { message: `${kind} is ${NOT_ENFORCED}.`, remedy: 'Remove it until it is.' };
  return {
    message: `unknown kind "${kind}".`,
    remedy: didYouMean(kind, known, `Kinds here are ${known.join(' and ')}.`),
  };
}

function originOf(file: string, tree: Tree, path: readonly PropertyKey[]): Origin {
  const place = findPlace(tree.places, path)?.place;
  if (place === undefined) return { file, ...tree.start };
  return path.length > 0
    ? { file, line: place.keyLine, column: place.keyColumn }
    : { file, line: place.line, column: place.column };
}

/** Names that fold together are one name: none of their documents counts. */
function withoutDuplicates(entries: readonly Entry[], problems: Problem[]): readonly Entry[] {
  const groups = Map.groupBy(entries, ({ kind, name }) => `${kind}/${foldName(name)}`);
  return [...groups.values()].flatMap((group) => {
    if (group.length === 1) return group;
    for (const entry of group) {
      const others = group
        .filter((one) => one !== entry)
        .map(({ file, tree }) => formatOrigin({ file, ...tree.start }));
      const message = `${entry.kind}/${entry.name} is also defined at ${others.join(', ')}; which one counts cannot be told.`;
      const origin = { file: entry.file, ...entry.tree.start };
      problems.push({
        origin,
        message,
        remedy: 'Keep one of them, or rename the others.',
        severity: 'error',
        key: `${entry.kind}/${entry.name}`,
      });
    }
    return [];
  });
}

interface Checking {
  readonly platforms: ReadonlyMap<string, Configured<Platform>>;
  readonly syncs: Map<string, Configured<Sync>>;
  readonly problems: Problem[];
}

function checkSyncs(entries: readonly Entry[], { platforms, syncs, problems }: Checking): void {
  const all = new Map(syncs);
  for (const entry of entries) {
    const sync = all.get(entry.name)?.document;
    if (entry.kind !== 'Sync' || sync === undefined) continue;
    const refuse = (path: readonly PropertyKey[], message: string, remedy: string): void => {
      problems.push({
        origin: originOf(entry.file, entry.tree, path),
        message,
        remedy,
        severity: 'error',
        key: `Sync/${entry.name}`,
      });
      syncs.delete(entry.name);
    };
    const { platform, platformSelector, dependsOn } = sync.spec;
    if (platform !== undefined && !platforms.has(platform)) {
      refuse(
        ['spec', 'platform'],
        `spec.platform refers to Platform/${platform}, which is not configured or has a problem itself.`,
        didYouMean(platform, platforms.keys(), 'Add it, or correct the name.'),
      );
    }
    if (platformSelector !== undefined && selectPlatforms(platforms, platformSelector.matchLabels).length === 0) {
      refuse(
        ['spec', 'platformSelector'],
        'spec.platformSelector matches no Platform.',
        'Label a Platform so, or correct the labels.',
      );
    }
    for (const [index, name] of dependsOn.entries()) {
      const path = ['spec', 'dependsOn', index];
      if (!all.has(name))
        refuse(
          path,
          `spec.dependsOn refers to Sync/${name}, which is not configured or has a problem itself.`,
          didYouMean(name, all.keys(), 'Add it, or correct the name.'),
        );
      else if (reaches(all, name, entry.name))
        refuse(path, `Sync/${entry.name} and Sync/${name} wait for each other.`, 'Remove one of the two dependsOn.');
    }
  }
}

/** Names of the Platforms that carry all of these labels, sorted. */
function selectPlatforms(
  platforms: Configuration['platforms'],
  labels: Readonly<Record<string, string>>,
): readonly string[] {
  const matches = ({ document }: Configured<Platform>): boolean =>
    Object.entries(labels).every(([name, value]) => document.metadata.labels[name] === value);
  return [...platforms]
    .filter(([, platform]) => matches(platform))
    .map(([name]) => name)
    .sort();
}

function reaches(syncs: ReadonlyMap<string, Configured<Sync>>, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(syncs.get(name)?.document.spec.dependsOn ?? []));
  }
  return false;
}
