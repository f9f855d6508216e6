import type { Origin, Problem } from '../errors.ts';
import { formatOrigin } from '../errors.ts';
import { checkPlugins, checkSyncs } from './configuration-references.ts';
import type { Configured } from './configured.ts';
import { NOT_ENFORCED } from './fields.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { KINDS } from './manifest.ts';
import type { JsonValue } from './manifest.ts';
import { API_VERSION } from './metadata.ts';
import { findPlace } from './places.ts';
import type { Platform } from './platform.ts';
import type { Plugin } from './plugin.ts';
import { isObject, valueAt } from './pointer.ts';
import { check } from './problems.ts';
import { CONFIGURATION_SCHEMAS, KINDS_NOT_ENFORCED } from './schemas.ts';
import type { ConfigurationKind } from './schemas.ts';
import { foldName } from './slug.ts';
import { didYouMean } from './suggest.ts';
import { outOfPlace } from './surroundings.ts';
import type { Sync } from './sync.ts';
import { parseTrees } from './yaml-tree.ts';
import type { Tree } from './yaml-tree.ts';

/** What the daemon is configured with. Broken documents are left out and told as problems. */
export interface Configuration {
  /** By name. */
  readonly platforms: ReadonlyMap<string, Configured<Platform>>;
  readonly syncs: ReadonlyMap<string, Configured<Sync>>;
  readonly plugins: ReadonlyMap<string, Configured<Plugin>>;
  readonly problems: readonly Problem[];
}

type Document = Platform | Sync | Plugin;

/** One document as it was read, with its places. */
interface Entry {
  readonly kind: ConfigurationKind;
  readonly name: string;
  readonly file: string;
  readonly tree: Tree;
  readonly document: Document;
}

/**
 * Reads the daemon's own configuration: Platform, Sync and Plugin documents, YAML or JSON. Durations come out in
 * milliseconds and defaults filled in. A Sync whose platform or dependencies do not hold is a problem and left out, and so
 * is a Plugin that names a platform which is not there.
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
  const plugins = new Map<string, Configured<Plugin>>();
  for (const { kind, name, file, tree, document } of distinct) {
    const where = { origin: { file, ...tree.start }, at: (path: readonly PropertyKey[]) => originOf(file, tree, path) };
    if (kind === 'Platform') platforms.set(name, { document: document as Platform, ...where });
    else if (kind === 'Sync') syncs.set(name, { document: document as Sync, ...where });
    else plugins.set(name, { document: document as Plugin, ...where });
  }
  checkSyncs({ platforms, syncs, problems });
  checkPlugins({ platforms, plugins, problems });
  problems.sort(
    (one, other) =>
      compare(one.origin.file, other.origin.file) ||
      one.origin.line - other.origin.line ||
      one.origin.column - other.origin.column,
  );
  return { platforms, syncs, plugins, problems };
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
  if (!isConfigurationKind(kind)) {
    problems.push({ origin: originOf(file, tree, ['kind']), ...wrongKind(value, kind), severity: 'error', ...key });
    return undefined;
  }
  const checked = check(kind, value);
  if (!checked.ok) {
    for (const { path, message, remedy } of checked.flaws)
      problems.push({ origin: originOf(file, tree, path), message, remedy, severity: 'error', ...key });
    return undefined;
  }
  for (const { path, message, remedy } of outOfPlace(kind, value, 'files'))
    problems.push({ origin: originOf(file, tree, path), message, remedy, severity: 'error', ...key });
  return {
    kind,
    name: typeof name === 'string' ? name : '',
    file,
    tree,
    document: checked.data as unknown as Document,
  };
}

function wrongKind(value: JsonValue, kind: JsonValue | undefined): { message: string; remedy: string } {
  const known = Object.keys(CONFIGURATION_SCHEMAS);
  const named = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(known);
  if (!isObject(value) || typeof kind !== 'string') {
    return {
      message: `this is no ${named}: kind is missing.`,
      remedy: `Write apiVersion: ${API_VERSION} and kind: ${named}.`,
    };
  }
  if ((KINDS as readonly string[]).includes(kind)) {
    return { message: `a ${kind} is desired state, not configuration.`, remedy: 'Move it into the source of a Sync.' };
  }
  if (KINDS_NOT_ENFORCED.includes(kind))
    return { message: `${kind} is ${NOT_ENFORCED}.`, remedy: 'Remove it until it is.' };
  return {
    message: `unknown kind "${kind}".`,
    remedy: didYouMean(kind, known, `Kinds here are ${known.join(', ')}.`),
  };
}

function isConfigurationKind(word: JsonValue | undefined): word is ConfigurationKind {
  return typeof word === 'string' && Object.hasOwn(CONFIGURATION_SCHEMAS, word);
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
